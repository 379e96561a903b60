//! Results of the checks in `ops.quality`, for the summary.

use std::collections::BTreeSet;

use findata_domain::{Result, Symbol, sql::literal};
use findata_pipeline::{
    corrections::Correction,
    ports::warehouse::Warehouse,
    summary::{Quality, Score},
};

// The reason of a suspicion is its code, which is also the name of the check.
const COUNTS: &str = "select count(case when check_name = 'score' then 1 end)::varchar, \
     count(case when status = 'flag' then 1 end)::varchar, \
     count(distinct case when status = 'flag' then symbol end)::varchar, \
     count(case when status = 'flag' and reason = check_name then 1 end)::varchar, \
     count(distinct case when status = 'flag' and reason = check_name then symbol end)::varchar from ops.quality where ";

const LOWEST: &str =
    "select symbol, ours::varchar from ops.quality where check_name = 'score' and ours < 1 and ";

/// Reads the results of the checks of these companies, or of all companies if `symbols` is empty, as for
/// a run that only loads and computes.
pub(crate) async fn read(symbols: &[Symbol], warehouse: &mut impl Warehouse) -> Result<Quality> {
    let list: Vec<String> = symbols.iter().map(|symbol| literal(symbol.as_str())).collect();
    let of_run = match list.is_empty() {
        true => "true".to_owned(),
        false => format!("symbol in ({})", list.join(", ")),
    };
    let counts = warehouse.query(&format!("{COUNTS}{of_run}")).await?;
    let count = |column: usize| -> u64 {
        counts
            .first()
            .and_then(|row| row.get(column)?.as_deref()?.parse().ok())
            .unwrap_or_default()
    };
    let score = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(symbol), Some(score)] => Some(Score { symbol: symbol.clone(), score: score.parse().ok()? }),
        _ => None,
    };
    let lowest = warehouse
        .query(&format!("{LOWEST}{of_run} order by ours, symbol limit 5"))
        .await?
        .into_iter()
        .filter_map(score)
        .collect();
    Ok(Quality {
        companies: count(0),
        flagged: count(1),
        flagged_companies: count(2),
        suspicions: count(3),
        suspect_companies: count(4),
        corrections: 0,
        corrected_companies: 0,
        lowest,
    })
}

// A correction has an effect if analytics has found what it corrects; see `8_quality/4_new_quality.sql`.
const CORRECTIONS: &str = "select c.symbol, c.kind, c.subject_date::varchar, c.period_type, c.item, \
     case when count(q.symbol) > 0 then '1' else '0' end \
     from staging.corrections c left join ops.quality q on q.symbol = c.symbol and q.status = 'corrected' \
     and q.check_name = 'corrected_' || case when c.kind = 'value' then c.item else c.kind end \
     and (c.period_type is null or q.basis = c.period_type) \
     and (c.subject_date is null or q.fiscal_date between c.subject_date - 14 and c.subject_date + 14) \
     where c.known_to is null group by c.symbol, c.kind, c.subject_date, c.period_type, c.item";

/// Counts the corrections in force. Returns a note for each of the run's corrections without effect.
pub(crate) async fn count_corrections(
    entries: &[Correction],
    quality: &mut Quality,
    warehouse: &mut impl Warehouse,
) -> Result<Vec<String>> {
    // Without entries, load has ended all corrections.
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let rows = warehouse.query(CORRECTIONS).await?;
    let symbols: BTreeSet<_> = rows.iter().filter_map(|row| row.first()).collect();
    (quality.corrections, quality.corrected_companies) = (rows.len() as u64, symbols.len() as u64);
    let without_effect: BTreeSet<&[Option<String>]> = rows
        .iter()
        .filter_map(|row| row.split_last())
        .filter(|(has_effect, _)| has_effect.as_deref() == Some("0"))
        .map(|(_, subject)| subject)
        .collect();
    let notes = entries.iter().filter_map(|entry| {
        let subject = [
            Some(entry.symbol.to_string()),
            Some(entry.kind.as_str().to_owned()),
            entry.date.map(|date| date.to_string()),
            entry.period.clone(),
            entry.column.clone(),
        ];
        let place = [entry.period.clone(), entry.date.map(|date| date.to_string())];
        let place: Vec<String> = place.into_iter().flatten().collect();
        without_effect.contains(&subject[..]).then(|| {
            format!(
                "corrections.toml, line {}: the {} of {}{}{} has no effect, because the warehouse does not have what it corrects",
                entry.line,
                entry.column.as_deref().unwrap_or(entry.kind.as_str()),
                entry.symbol,
                if place.is_empty() { "" } else { ", " },
                place.join(" ")
            )
        })
    });
    Ok(notes.collect())
}
