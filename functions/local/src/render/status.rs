//! Formats the state of a data directory.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use findata_fmp::BudgetUsage;

use super::{
    bytes, count, counted,
    escape::one_line,
    table::{Column, Table, fill},
};
use crate::status::{Due, OpenRun, PastRun, Status};

/// Formats the state. No line is longer than `width`.
pub fn status(of: &Status, fmp_plan: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", fill(&text, width));
    };
    if of.is_empty() {
        line(format!("nothing has run here yet: {} has no runs", of.stage));
        line("Try next: `findata demo`, or with FMP_API_KEY set, `findata run --symbols AAPL,MSFT`".into());
        return out;
    }
    line(warehouse(of));
    for run in &of.open_runs {
        line(open_run(run));
    }
    out.push('\n');
    out.push_str(&runs(&of.runs, width));
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", fill(&text, width));
    };
    line(budget(&of.budget, fmp_plan));
    line(doubtful(of));
    if let Some(due) = &of.due {
        out.push('\n');
        out.push_str(&self::due(due, width));
    }
    out
}

fn warehouse(of: &Status) -> String {
    let warehouse = &of.warehouse;
    match (&warehouse.companies, &warehouse.not_read) {
        (Some(companies), _) => {
            let companies = match companies {
                1 => "1 company".to_owned(),
                n => format!("{} companies", count(*n)),
            };
            let session = warehouse.newest_session.as_deref().unwrap_or("none");
            format!("{}: {companies}, newest session {session}", warehouse.name)
        }
        (None, reason) => {
            format!("{}: not read: {}", warehouse.name, one_line(reason.as_deref().unwrap_or_default()))
        }
    }
}

fn open_run(run: &OpenRun) -> String {
    let state = match run.in_progress {
        Some(true) => "in progress",
        Some(false) => "interrupted; the next run continues it",
        None => "has not ended; it is in progress, or the next run continues it",
    };
    let began = run.started_at.map(|at| format!(", began {}", minute(at))).unwrap_or_default();
    let fetched = match run.step {
        "fetch" => format!(", {} of {} batches fetched", run.fetched, run.batches),
        _ => String::new(),
    };
    let symbols = counted(run.symbols as u64, "symbol");
    format!("run {} {state}: {symbols}{began}, step {}{fetched}", run.run_id, run.step)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn runs(of: &[PastRun], width: usize) -> String {
    if of.is_empty() {
        return "no run has ended\n".into();
    }
    let columns = columns(&["run", "result", "symbols", "calls", "failed", "time"], &[2, 3, 4, 5]);
    let mut table = Table::new(columns, width);
    let row = |run: &PastRun| {
        [
            run.run_id.to_string(),
            run.status.as_str().to_owned(),
            count(run.symbols),
            count(run.calls),
            count(run.failed),
            duration(run.seconds),
        ]
        .map(Some)
        .to_vec()
    };
    let rows: Vec<_> = of.iter().map(row).collect();
    table.portion(&rows) + &table.end()
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

fn columns(names: &[&str], numbers: &[usize]) -> Vec<Column> {
    let column = |(n, name): (usize, &&str)| Column {
        name: (*name).to_owned(),
        is_number: numbers.contains(&n),
        is_whole: names.get(n) != Some(&"why now"),
    };
    names.iter().enumerate().map(column).collect()
}

fn budget(of: &BudgetUsage, fmp_plan: &str) -> String {
    // Clients with a plan without limits record neither calls nor bytes.
    let has_limit = of.limit_per_minute.is_some() || of.limit_per_day.is_some() || of.limit_bytes.is_some();
    let mut parts = if has_limit || of.calls_today > 0 || of.bytes_30_days > 0 {
        use_of_limits(of)
    } else {
        vec!["no limit, so calls are not counted".to_owned()]
    };
    if let Some(until) = of.paused_until {
        parts.push(format!("paused until {} because FMP reported its limit", until.format("%H:%M:%S UTC")));
    }
    if let Some(reason) = &of.stopped {
        parts.push(format!("stopped: {}", one_line(reason)));
    }
    format!("calls: FMP plan {fmp_plan}: {}", parts.join(", "))
}

fn use_of_limits(of: &BudgetUsage) -> Vec<String> {
    let left =
        |used: u64, limit: u64| format!("{} of {} left", count(limit.saturating_sub(used)), count(limit));
    vec![
        match of.limit_per_minute {
            Some(limit) => format!("{} this minute", left(of.calls_last_minute, limit.into())),
            None => "no limit on calls".into(),
        },
        match of.limit_per_day {
            Some(limit) => format!("{} today (UTC)", left(of.calls_today, limit)),
            None => format!("{} made today (UTC)", count(of.calls_today)),
        },
        match of.limit_bytes {
            Some(limit) => format!("{} of {} received in 30 days", bytes(of.bytes_30_days), bytes(limit)),
            None => format!("{} received in 30 days", bytes(of.bytes_30_days)),
        },
    ]
}

fn doubtful(of: &Status) -> String {
    let quality = match &of.quality {
        Some(quality) => format!(
            "{} flagged in {}, {} suspect figures",
            counted(quality.flagged, "check"),
            companies(quality.flagged_companies),
            if quality.suspect_companies == 1 {
                "1 company has".to_owned()
            } else {
                format!("{} have", companies(quality.suspect_companies))
            }
        ),
        None => return "quality: no figures are computed yet".to_owned(),
    };
    let rows = match of.warehouse.quarantined {
        Some(rows) => format!("{} in quarantine", counted(rows, "row")),
        None => {
            let rows = of.quarantined.values().sum();
            format!("{} put into quarantine by these runs", counted(rows, "row"))
        }
    };
    format!("quality: {quality}, {rows}")
}

fn companies(n: u64) -> String {
    if n == 1 {
        "1 company".into()
    } else {
        format!("{} companies", count(n))
    }
}

fn due(of: &Due, width: usize) -> String {
    let mut out = String::new();
    if !of.datasets.is_empty() {
        let columns = columns(&["due for companies", "now", "in a day", "calls now", "why now"], &[1, 2, 3]);
        let mut table = Table::new(columns, width);
        let rows: Vec<_> = of
            .datasets
            .iter()
            .map(|dataset| {
                let why = dataset.reasons.iter().map(|(why, n)| format!("{} {why}", count(*n)));
                [
                    dataset.name.clone(),
                    count(dataset.companies as u64),
                    count(dataset.companies_in_a_day as u64),
                    count(dataset.calls),
                    why.collect::<Vec<_>>().join(", "),
                ]
                .map(Some)
                .to_vec()
            })
            .collect();
        out.push_str(&table.portion(&rows));
        out.push_str(&table.end());
    }
    let time = match of.minutes {
        _ if of.calls == 0 => String::new(),
        None => " without a rate limit".into(),
        Some(minutes) if minutes < 1.0 => " in less than a minute".into(),
        Some(minutes) => format!(" in about {minutes} minutes"),
    };
    let now = match of.calls {
        0 => "nothing is due now".to_owned(),
        calls => {
            format!("a run of {} now makes {}{time}", companies(of.companies as u64), counted(calls, "call"))
        }
    };
    let text = format!("{now}; in a day, {}", counted(of.calls_in_a_day, "call"));
    let _ = writeln!(out, "{}", fill(&text, width));
    out
}
