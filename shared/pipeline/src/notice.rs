//! The text of an event for people: what happened, to which companies and data, since when, and what to do
//! next. It is part of the event on the bus, and the stack sends it to the address of the alarms.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ports::bus::{Details, Event},
    run::{Status, Step},
};

/// The text of an event. Each part is one line, because EventBridge cannot send line breaks by e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The run, what happened and why.
    pub what: String,
    /// The companies and datasets that lack data.
    pub scope: String,
    /// Since when.
    pub since: String,
    /// What to do next, with the command.
    pub next: String,
}

impl Event {
    /// The text of this event, published by a stack. `stage` is the URL of its stage. `None` if nobody needs
    /// to do anything.
    pub fn notice(&self, stack: &str, stage: &str) -> Option<Notice> {
        let (what, details, next) = match self {
            Event::RunCompleted { details, .. } | Event::RunFailed { details, .. } if details.is_retried => {
                return None;
            }
            Event::RunCompleted { run_id, status: Status::Partial, details } => (
                format!(
                    "findata {stack}: run {run_id} is partial{}",
                    because(details.first_reason.as_deref())
                ),
                details,
                format!("Fix the cause. To retry the failed tasks: {}", retry(run_id, stack, stage)),
            ),
            Event::RunCompleted { run_id, status: Status::Budget, details } => (
                format!(
                    "findata {stack}: run {run_id} stopped at the call budget{}",
                    because(details.first_reason.as_deref())
                ),
                details,
                format!("The next run fetches the rest. To fetch it now: {}", retry(run_id, stack, stage)),
            ),
            Event::RunCompleted { .. } | Event::RequestRejected { .. } => return None,
            Event::RunFailed { run_id, step, reason, details } => (
                format!("findata {stack}: run {run_id} failed in the step {}: {reason}", step.as_str()),
                details,
                match step {
                    Step::Plan => format!(
                        "Fix the cause. After an outage, a scheduled run is retried by itself. To start a run now: findata invoke --universe sp500 --bus {stack}"
                    ),
                    Step::Fetch => format!("Fix the cause, then: {}", retry(run_id, stack, stage)),
                    Step::Load | Step::Compute => {
                        format!(
                            "Fix the cause. The step is repeated by itself; to repeat it now: {}",
                            sweep(stack)
                        )
                    }
                },
            ),
            Event::RunLate { run_id, step, details } => (
                format!(
                    "findata {stack}: run {run_id} is late, it has not finished the step {}",
                    step.as_str()
                ),
                details,
                match step {
                    Step::Plan | Step::Fetch => format!(
                        "Nothing while batches arrive: aws s3 ls {stage}/runs/{run_id}/batches/. Otherwise: {}",
                        sweep(stack)
                    ),
                    Step::Load | Step::Compute => format!(
                        "Read the reason: aws s3 cp --recursive {stage}/runs/{run_id}/trouble/ trouble. After a fix: {}",
                        sweep(stack)
                    ),
                },
            ),
            Event::DataStale { run_id, details } => (
                format!("findata {stack}: no run has published data since run {run_id}"),
                details,
                format!(
                    "Check the schedule: aws scheduler get-schedule --name {stack}-daily. To start a run now: findata invoke --universe sp500 --bus {stack}"
                ),
            ),
        };
        Some(Notice {
            what: line(&what),
            scope: line(&scope(details)),
            since: since(details.since),
            next: line(&next),
        })
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn retry(run: &str, stack: &str, stage: &str) -> String {
    format!("findata invoke --retry {run} --bus {stack} --stage {stage} --wait")
}

/// The command that sweeps at once. Its payload is `{"sweep":true,"patience":0}`, without quotation marks.
fn sweep(stack: &str) -> String {
    format!(
        "echo eyJzd2VlcCI6dHJ1ZSwicGF0aWVuY2UiOjB9 | base64 -d | aws lambda invoke --function-name {stack}-fanout --payload fileb:///dev/stdin /dev/stdout"
    )
}

/// One line without quotation marks and backslashes, which could break the template of EventBridge.
fn line(text: &str) -> String {
    const LONGEST: usize = 1_000;
    let plain = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().take(LONGEST).map(plain).collect()
}

/// The companies and datasets that lack data: the first few, and how many.
fn scope(details: &Details) -> String {
    let named = |names: &[String], count: u64| {
        let more = if count > names.len() as u64 { ", ..." } else { "" };
        format!("{}{more}", names.join(", "))
    };
    let companies = match (details.affected_symbols, details.symbols) {
        (0, 0) => "Companies: unknown, because the run has no plan".to_owned(),
        (0, all) => format!("Companies without data: none of {all}"),
        (count, 0) => format!("Companies without data: {count} ({})", named(&details.affected, count)),
        (count, all) => {
            format!("Companies without data: {count} of {all} ({})", named(&details.affected, count))
        }
    };
    if details.datasets.is_empty() {
        return companies;
    }
    let tasks: Vec<String> = details.datasets.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!("{companies}; tasks without data: {}", tasks.join(", "))
}

fn since(at: Option<DateTime<Utc>>) -> String {
    match at {
        Some(at) => format!("Since {} UTC", at.format("%Y-%m-%d %H:%M")),
        None => "Since an unknown time".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "20260918T100000000Z-00000000";
    const STAGE: &str = "s3://bucket/home";

    fn details() -> Details {
        let symbols = ["A", "B", "C", "D", "E", "F"];
        let tasks = symbols.iter().map(|symbol| (Some(*symbol), "prices")).chain([(Some("A"), "profile")]);
        let mut details = Details::of_run(&RUN.parse().unwrap()).affecting(tasks);
        (details.symbols, details.first_reason) = (505, Some("FMP answered 503".into()));
        details
    }

    fn notice(event: &Event) -> Notice {
        let notice = event.notice("prod", STAGE).unwrap();
        for part in [&notice.what, &notice.scope, &notice.since, &notice.next] {
            assert!(!part.is_empty() && !part.contains(['\n', '"', '\\']), "{part:?}");
        }
        assert!(notice.what.contains(RUN), "{}", notice.what);
        notice
    }

    #[test]
    fn each_notice_says_what_happened_to_what_since_when_and_what_to_do() {
        let partial = notice(&Event::RunCompleted {
            run_id: RUN.into(),
            status: Status::Partial,
            details: details(),
        });
        assert_eq!(partial.what, format!("findata prod: run {RUN} is partial: FMP answered 503"));
        assert_eq!(
            partial.scope,
            "Companies without data: 6 of 505 (A, B, C, D, E, ...); tasks without data: prices 6, profile 1"
        );
        assert_eq!(partial.since, "Since 2026-09-18 10:00 UTC");
        let retry = format!("findata invoke --retry {RUN} --bus prod --stage {STAGE} --wait");
        assert!(partial.next.ends_with(&retry), "{}", partial.next);

        for (step, command) in [
            (Step::Plan, "findata invoke --universe sp500 --bus prod"),
            (Step::Fetch, retry.as_str()),
            (Step::Load, "--function-name prod-fanout"),
            (Step::Compute, "base64 -d | aws lambda invoke"),
        ] {
            let details = Details::of_run(&RUN.parse().unwrap());
            let failed = Event::RunFailed { run_id: RUN.into(), step, reason: "no grant".into(), details };
            let failed = notice(&failed);
            assert!(failed.what.ends_with(&format!("failed in the step {}: no grant", step.as_str())));
            assert!(failed.next.contains(command), "{}", failed.next);

            let late = notice(&Event::RunLate { run_id: RUN.into(), step, details: details_of(3) });
            assert!(late.what.contains("is late") && late.scope.contains("3 of 3 (A, B, C)"), "{late:?}");
            assert!(late.next.contains(&format!("{STAGE}/runs/{RUN}/")), "{}", late.next);
        }
        let retried = Event::RunFailed {
            run_id: RUN.into(),
            step: Step::Plan,
            reason: "FMP is down".into(),
            details: Details { is_retried: true, ..details() },
        };
        assert_eq!(retried.notice("prod", STAGE), None);

        let quoted = Event::RunFailed {
            run_id: RUN.into(),
            step: Step::Load,
            reason: "\"x\" is no\ncolumn of C:\\".into(),
            details: details_of(1),
        };
        assert!(notice(&quoted).what.ends_with("'x' is no column of C:/"));
        let stale = notice(&Event::DataStale { run_id: RUN.into(), details: details() });
        assert!(stale.next.contains("--name prod-daily"), "{}", stale.next);
    }

    fn details_of(symbols: usize) -> Details {
        let tasks = ["A", "B", "C"].iter().take(symbols).map(|symbol| (Some(*symbol), "prices"));
        Details {
            symbols: symbols as u64,
            ..Details::of_run(&RUN.parse().unwrap()).affecting(tasks)
        }
    }

    #[test]
    fn a_complete_run_needs_nobody() {
        let complete = Event::RunCompleted {
            run_id: RUN.into(),
            status: Status::Complete,
            details: Details::default(),
        };
        assert_eq!(complete.notice("prod", STAGE), None);
    }
}
