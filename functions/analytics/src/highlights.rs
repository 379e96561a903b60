//! The newest figures of a few companies, for the summary.

use std::{collections::BTreeMap, iter};

use findata_domain::{Result, sql::literal};
use findata_models::{Models, metrics::Registry};
use findata_pipeline::{plan::PlanOutline, ports::warehouse::Warehouse, summary::Highlight};

/// Number of companies.
const COMPANIES: usize = 6;
/// Reason of a price metric whose window has too few sessions.
const FEW_SESSIONS: &str = "insufficient_history";

/// Returns the newest figures of the first companies of the universe (the close and the headline
/// metrics), and explanations of metrics that are NULL for all of these companies.
pub(crate) async fn read(
    plan: &PlanOutline,
    models: &Models,
    warehouse: &mut impl Warehouse,
) -> Result<(Vec<Highlight>, Vec<String>)> {
    let symbols: Vec<_> = plan.symbols.iter().take(COMPANIES).map(|s| literal(s.as_str())).collect();
    if symbols.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let headlines: Vec<_> = models.registry.headlines().collect();
    let names: Vec<&str> = iter::once("close_price").chain(headlines.iter().map(|h| h.name)).collect();
    let columns = headlines.iter().map(|h| {
        let table = if h.of_session { "m" } else { "r" };
        format!(", {table}.{}::varchar", h.name)
    });
    let index = plan.options.index.as_ref().map_or("null".into(), |index| literal(index.as_str()));
    let query = format!(
        "with metrics as (select * from analytics.fact_market_metrics where symbol in ({list}) \
             qualify row_number() over (partition by symbol order by metric_date desc nulls last) = 1), \
         ratios as (select * from analytics.fact_financial_ratios where symbol in ({list}) and basis = 'TTM' \
             qualify row_number() over (partition by symbol order by fiscal_date desc nulls last) = 1), \
         index_bars as (select count(*) as bars from staging.prices where symbol = {index}) \
         select m.symbol, m.null_reasons, i.bars::varchar, m.close_price::varchar{columns} \
         from metrics m cross join index_bars i left join ratios r on r.symbol = m.symbol",
        list = symbols.join(", "),
        columns = columns.collect::<String>(),
    );
    let rows = warehouse.query(&query).await?;
    let has_index = rows
        .first()
        .is_some_and(|row| row.get(2).is_some_and(|bars| bars.as_deref() != Some("0")));
    let reasons: Vec<&str> = rows.iter().filter_map(|row| row.get(1)?.as_deref()).collect();
    let unavailable = match reasons.len() == rows.len() {
        true => explain(&reasons, has_index, &models.registry),
        false => Vec::new(),
    };
    let mut found: Vec<Highlight> = rows.iter().filter_map(|row| highlight(row, &names)).collect();
    found.sort_by_key(|h| plan.symbols.iter().position(|s| s.as_str() == h.symbol));
    Ok((found, unavailable))
}

fn highlight(row: &[Option<String>], names: &[&str]) -> Option<Highlight> {
    let [symbol, _, _, cells @ ..] = row else { return None };
    let figure =
        |(name, cell): (&&str, &Option<String>)| Some((name.to_string(), cell.as_ref()?.parse().ok()?));
    Some(Highlight {
        symbol: symbol.clone()?,
        figures: names.iter().zip(cells).filter_map(figure).collect(),
    })
}

/// Explains the price metrics that are NULL for all companies, and names the option that helps.
/// `reasons` has the reasons of each company, such as `|beta_252d=insufficient_history`.
fn explain(reasons: &[&str], has_index: bool, registry: &Registry) -> Vec<String> {
    let by_company: Vec<BTreeMap<&str, &str>> = reasons
        .iter()
        .map(|reasons| reasons.split('|').filter_map(|part| part.split_once('=')).collect())
        .collect();
    let is_null = |name: &str| {
        !by_company.is_empty() && by_company.iter().all(|reasons| reasons.get(name) == Some(&FEW_SESSIONS))
    };
    let null = registry.prices.iter().filter(|metric| is_null(&metric.name));
    let (of_index, of_days): (Vec<_>, Vec<_>) =
        null.partition(|metric| metric.window.needs_index() && !has_index);
    let mut texts = Vec::new();
    let few_sessions = of_days.iter().map(|metric| metric.sessions).max();
    if let (Some(first), Some(sessions)) = (of_days.first(), few_sessions) {
        let others = match of_days.len() {
            1 => String::new(),
            n => format!(" and {} other price metrics", n - 1),
        };
        // 252 of 365 days are sessions.
        let days = (f64::from(sessions) * 365.0 / 252.0).ceil() as u32 + 14;
        texts.push(format!(
            "{}{others}: the warehouse has too few sessions of these companies; --days {days} fetches enough",
            first.name
        ));
    }
    if !of_index.is_empty() {
        let names: Vec<&str> = of_index.iter().map(|metric| metric.name.as_str()).collect();
        texts.push(format!(
            "{}: the warehouse has no prices of an index; --index ^GSPC fetches those of the S&P 500",
            names.join(", ")
        ));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_that_are_null_for_every_company_are_explained_with_an_option() {
        let registry = &Models::built_in().unwrap().registry;
        let null = "|beta_252d=insufficient_history|return_21d=insufficient_history";
        let both = explain(&[null, null], false, registry);
        assert!(both[0].contains("return_21d:") && both[0].contains("--days"), "{both:?}");
        assert!(both[1].contains("beta_252d:") && both[1].contains("--index"), "{both:?}");
        let with_index = explain(&[null, null], true, registry);
        assert!(with_index.len() == 1 && with_index[0].contains("1 other"), "{with_index:?}");
        assert_eq!(explain(&[null, "|pe_ttm=negative_earnings"], false, registry), [""; 0]);
        assert_eq!(explain(&[], false, registry), [""; 0]);
    }
}
