//! Ranks within sector and industry, compared with ranks computed here from the published figures.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use findata_models::metrics::RankedKind;
use findata_tests::{Home, models};

use super::first_run;

type Row = Vec<Option<String>>;

/// Symbol, session, type of the group and metric.
type Key = (String, NaiveDate, &'static str, String);

/// Session, type and name of a group, and metric.
type Group = (NaiveDate, &'static str, String, String);

/// A member's group, value, number of members, percentile and z-score.
type Rank = (String, f64, usize, f64, Option<f64>);

fn text(cell: &Option<String>) -> String {
    cell.clone().unwrap_or_default()
}

fn day(cell: &Option<String>) -> NaiveDate {
    text(cell)[..10].parse().unwrap()
}

/// Whether a version was the newest known one at the close of a session.
fn is_known(from: &Option<String>, to: &Option<String>, session: NaiveDate) -> bool {
    let close = format!("{session} 21:00:00");
    text(from) <= close && to.as_ref().is_none_or(|to| *to > close)
}

/// The last session of every month with prices; the last one is the newest session.
fn sessions(home: &Home) -> Vec<NaiveDate> {
    let mut last = BTreeMap::new();
    let query = "select distinct price_date from staging.prices where symbol = 'AAPL' order by 1";
    for row in home.rows(query) {
        let date = day(&row[0]);
        last.insert((date.year(), date.month()), date);
    }
    last.into_values().collect()
}

/// The values of ranked metrics that are not suspect, by symbol, session and metric.
fn values(home: &Home) -> BTreeMap<(String, NaiveDate, String), f64> {
    let named = |kinds: &[RankedKind]| -> Vec<&str> {
        let ranked = models().registry.ranked();
        ranked.filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| name).collect()
    };
    let mut found = BTreeMap::new();
    let mut add = |symbol: &str, session: NaiveDate, names: &[&str], cells: &[Option<String>]| {
        for (name, cell) in names.iter().zip(cells) {
            if let Some(value) = cell {
                found.insert((symbol.to_owned(), session, (*name).to_owned()), value.parse().unwrap());
            }
        }
    };
    let sessions = sessions(home);
    let bars = home.rows("select symbol, metric_date from analytics.fact_market_metrics");
    let bars: BTreeSet<(String, NaiveDate)> = bars.iter().map(|row| (text(&row[0]), day(&row[1]))).collect();
    for kinds in [&[RankedKind::Market][..], &[RankedKind::Price]] {
        let names = named(kinds);
        let rows = home.rows(&format!(
            "select symbol, metric_date, is_suspect, known_from, known_to, {} from analytics.fact_market_metrics_history",
            names.join(", ")
        ));
        for row in rows.iter().filter(|row| sessions.contains(&day(&row[1]))) {
            let is_ranked = kinds == [RankedKind::Price] || text(&row[2]) == "false";
            if is_ranked && is_known(&row[3], &row[4], day(&row[1])) {
                add(&text(&row[0]), day(&row[1]), &names, &row[5..]);
            }
        }
    }
    let periods = home.rows(
        "select symbol, fiscal_date, min(known_on), max(case when quarters_included = 2 and status = 'ok' then 305 else 185 end) \
         from analytics.fact_financials_ttm_history group by all",
    );
    for (kind, table) in [
        (RankedKind::Ratio, "fact_financial_ratios_history"),
        (RankedKind::Growth, "fact_growth_rates_history"),
    ] {
        let names = named(&[kind]);
        let rows = home.rows(&format!(
            "select symbol, fiscal_date, is_suspect, known_from, known_to, {} from analytics.{table} where basis = 'TTM'",
            names.join(", ")
        ));
        let mut versions: BTreeMap<(String, NaiveDate), Vec<&Row>> = BTreeMap::new();
        for row in &rows {
            versions.entry((text(&row[0]), day(&row[1]))).or_default().push(row);
        }
        for session in &sessions {
            // The newest twelve months that were known on the day.
            let mut newest: BTreeMap<String, &Row> = BTreeMap::new();
            for period in periods.iter().filter(|p| p[2].is_some() && day(&p[2]) <= *session) {
                let other = newest.entry(text(&period[0])).or_insert(period);
                if day(&period[1]) > day(&other[1]) {
                    *other = period;
                }
            }
            for (symbol, period) in newest {
                let end = day(&period[1]);
                if !bars.contains(&(symbol.clone(), *session)) {
                    continue;
                }
                if *session > end + Days::new(text(&period[3]).parse().unwrap()) {
                    continue;
                }
                let known = versions.get(&(symbol.clone(), end)).into_iter().flatten();
                for row in known.filter(|r| is_known(&r[3], &r[4], *session) && text(&r[2]) == "false") {
                    add(&symbol, *session, &names, &row[5..]);
                }
            }
        }
    }
    found
}

/// Sector and industry by symbol. No company of the first run has changed them.
fn classes(home: &Home) -> BTreeMap<String, [Option<String>; 2]> {
    let companies =
        "select symbol, sector, industry from analytics.dim_company where not is_etf and not is_fund";
    home.rows(companies)
        .into_iter()
        .map(|row| (text(&row[0]), [row[1].clone(), row[2].clone()]))
        .collect()
}

fn expected(home: &Home) -> BTreeMap<Key, Rank> {
    let classes = classes(home);
    let mut groups: BTreeMap<Group, Vec<(String, f64)>> = BTreeMap::new();
    for ((symbol, session, metric), value) in values(home) {
        let Some(classes) = classes.get(&symbol) else { continue };
        for (group_type, class) in ["sector", "industry"].into_iter().zip(classes) {
            if let Some(class) = class.clone().filter(|class| !class.is_empty()) {
                let members = groups.entry((session, group_type, class, metric.clone())).or_default();
                members.push((symbol.clone(), value));
            }
        }
    }
    let mut ranks = BTreeMap::new();
    for ((session, group_type, class, metric), members) in groups.into_iter().filter(|(_, m)| m.len() >= 5) {
        let count = members.len() as f64;
        let mean = members.iter().map(|(_, v)| v).sum::<f64>() / count;
        let variance = members.iter().map(|(_, v)| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let is_constant = members.iter().all(|(_, v)| *v == members[0].1);
        for (symbol, value) in &members {
            let below = members.iter().filter(|(_, v)| v < value).count() as f64;
            let equal = members.iter().filter(|(_, v)| v == value).count() as f64;
            let percentile = (below + (equal - 1.0) / 2.0) / (count - 1.0);
            let z_score = (!is_constant).then(|| (value - mean) / variance.sqrt());
            let key = (symbol.clone(), session, group_type, metric.clone());
            ranks.insert(key, (class.clone(), *value, members.len(), percentile, z_score));
        }
    }
    ranks
}

fn published(home: &Home) -> BTreeMap<Key, Rank> {
    let rows = home.rows(
        "select symbol, as_of_date, group_type, metric, group_name, value, members, percentile, z_score \
         from analytics.fact_sector_ranks",
    );
    let number = |cell: &Option<String>| text(cell).parse::<f64>().unwrap();
    let one = |row: Row| {
        let group_type = if text(&row[2]) == "sector" { "sector" } else { "industry" };
        let key = (text(&row[0]), day(&row[1]), group_type, text(&row[3]));
        let z_score = row[8].is_some().then(|| number(&row[8]));
        (key, (text(&row[4]), number(&row[5]), number(&row[6]) as usize, number(&row[7]), z_score))
    };
    rows.into_iter().map(one).collect()
}

#[test]
fn ranks_equal_an_independent_calculation() {
    let home = &first_run().home;
    let (found, wanted) = (published(home), expected(home));
    let missing: Vec<_> = wanted.keys().filter(|key| !found.contains_key(key)).take(5).collect();
    let more: Vec<_> = found.keys().filter(|key| !wanted.contains_key(key)).take(5).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:?}, not expected: {more:?}");
    assert!(found.len() > 5_000, "{}", found.len());
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    for (key, rank) in &found {
        let other = &wanted[key];
        assert_eq!((&rank.0, rank.2), (&other.0, other.2), "{key:?}");
        let is_same = rank.1 == other.1 && near(rank.3, other.3) && rank.4.is_some() == other.4.is_some();
        let is_same = is_same && near(rank.4.unwrap_or_default(), other.4.unwrap_or_default());
        assert!(is_same, "{key:?}: {rank:?} instead of {other:?}");
    }
    // The score needs three years of quarters; the run has two.
    for metric in models().registry.ranks.iter().filter(|metric| *metric != "piotroski_f_score") {
        assert!(found.keys().any(|key| key.3 == *metric), "nobody has a rank by {metric}");
    }
}

#[test]
fn ranks_add_up_within_every_group() {
    let home = &first_run().home;
    let wrong = home.lines(
        "select as_of_date, group_type, group_name, metric from analytics.fact_sector_ranks \
         group by all having count(*) <> max(members) or max(members) < 5 or abs(avg(percentile) - 0.5) > 1e-9 \
         or abs(coalesce(avg(z_score), 0)) > 1e-8 or abs(coalesce(stddev_samp(z_score), 1) - 1) > 1e-8 \
         or count(z_score) + count(reason) <> count(*)",
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}
