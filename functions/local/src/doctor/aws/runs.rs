//! The last run, and runs that wait for a person.

use std::collections::BTreeMap;

use chrono::Days;
use findata_aws::s3_stage::{Location, S3Stage};
use findata_domain::Result;
use findata_pipeline::{
    ledger::{self, Blocker},
    ports::stage::{self, Stage},
    run::{RunId, Status},
    summary::Summary,
};

use super::{Check, Deployment, Problems};

/// Days in which runs are looked for.
const DAYS: u64 = 7;

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let location: Location = deployment.output("StageUrl").parse()?;
    let stage = S3Stage::new(deployment.config, location.clone());
    let mut runs: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    for back in 0..=DAYS {
        let day = (deployment.now - Days::new(back)).format("%Y%m%d");
        for key in stage.list(&format!("runs/{day}")).await? {
            if let Some(run) = key.split('/').nth(1).and_then(|run| run.parse().ok()) {
                runs.entry(run).or_default().push(key);
            }
        }
    }
    let target = format!("--bus {} --stage {location} --wait", deployment.output("BusName"));
    let mut problems = Problems::default();
    let is_closed = |run: &RunId, keys: &[String]| keys.contains(&ledger::summary_key(run));
    for (run, keys) in runs.iter().filter(|(run, keys)| !is_closed(run, keys)) {
        for function in ["load", "analytics"] {
            let key = ledger::blocker_key(run, function);
            if keys.contains(&key)
                && let Some(blocker) = stage::read_json::<Blocker>(&stage, &key).await?
            {
                problems.add(
                    format!("{function} cannot continue run {run}: {}", blocker.reason),
                    "fix the problem that the message names; the sweeper then continues the run",
                );
            }
        }
    }
    let open = runs.iter().filter(|(run, keys)| !is_closed(run, keys)).count();
    let found = match runs.iter().rfind(|(run, keys)| is_closed(run, keys)) {
        None => format!(
            "no run has ended in the last {DAYS} days; findata invoke --universe {} {target} starts one",
            deployment.parameter("Universe")
        ),
        Some((run, _)) => {
            let summary: Option<Summary> = stage::read_json(&stage, &ledger::summary_key(run)).await?;
            let status = summary.as_ref().map_or(Status::Failed, |summary| summary.status);
            if matches!(status, Status::Failed | Status::Partial) {
                problems.add(
                    format!("the last run {run} ended as {}", status.as_str()),
                    format!("findata invoke --retry {run} {target}"),
                );
            }
            format!("the last run {run} ended as {}; {open} open", status.as_str())
        }
    };
    Ok(problems.or_ok("runs", found))
}
