//! Combines the repetitions of a phase into medians.

use super::results::{Counts, Measured, Phase, RunResult, Stage, StageUse};

/// Turns repetitions of the same phases into one result per phase, with the median of each figure.
/// A phase that failed in one repetition counts as failed.
pub(super) fn median(repetitions: Vec<Vec<RunResult>>) -> Vec<RunResult> {
    Phase::all()
        .filter_map(|phase| {
            let same = || repetitions.iter().flatten().filter(|run| run.phase == phase);
            let first = same().find(|run| run.error.is_some()).or_else(|| same().next())?.clone();
            let measured: Vec<&Measured> = same().filter_map(|run| run.measured.as_ref()).collect();
            let medians = first.measured.as_ref().map(|first| median_of(first, &measured));
            Some(RunResult { measured: medians, ..first })
        })
        .collect()
}

fn median_of(first: &Measured, all: &[&Measured]) -> Measured {
    let stage = |Stage { stage, .. }: &Stage| {
        let same = all.iter().flat_map(|run| &run.stages).filter(|other| other.stage == *stage);
        let usage = median_use(&same.map(|other| other.usage).collect::<Vec<_>>());
        Stage { stage: stage.clone(), usage }
    };
    let count = |figure: fn(&Counts) -> u64| middle(all.iter().map(|run| figure(&run.counts)).collect());
    Measured {
        total: median_use(&all.iter().map(|run| run.total).collect::<Vec<_>>()),
        stages: first.stages.iter().map(stage).collect(),
        counts: Counts {
            calls: count(|c| c.calls),
            bytes: count(|c| c.bytes),
            statements: count(|c| c.statements),
            landing_files: count(|c| c.landing_files),
            landing_bytes: count(|c| c.landing_bytes),
            stage_writes: count(|c| c.stage_writes),
            rows_staged: count(|c| c.rows_staged),
            rows_loaded: count(|c| c.rows_loaded),
            figures_changed: count(|c| c.figures_changed),
        },
    }
}

fn median_use(all: &[StageUse]) -> StageUse {
    StageUse {
        wall_seconds: middle(all.iter().map(|stage| stage.wall_seconds).collect()),
        cpu_seconds: all.iter().map(|stage| stage.cpu_seconds).collect::<Option<_>>().map(middle),
        peak_memory_bytes: all.iter().map(|stage| stage.peak_memory_bytes).collect::<Option<_>>().map(middle),
    }
}

/// Returns the median. For an even number of values, it is the lower one of the two in the middle.
fn middle<T: PartialOrd + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(phase: Phase, wall_seconds: f64, calls: u64) -> RunResult {
        let stage = StageUse {
            wall_seconds,
            cpu_seconds: Some(wall_seconds / 2.0),
            peak_memory_bytes: Some(calls),
        };
        let counts = Counts {
            calls,
            bytes: 0,
            statements: 0,
            landing_files: 0,
            landing_bytes: 0,
            stage_writes: 0,
            rows_staged: 0,
            rows_loaded: 0,
            figures_changed: 0,
        };
        RunResult {
            symbols: 1,
            limit_per_minute: None,
            phase,
            measured: Some(Measured {
                total: stage,
                stages: vec![Stage { stage: "fetch".into(), usage: stage }],
                counts,
            }),
            error: None,
        }
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let runs =
            [(3.0, 10), (1.0, 30), (2.0, 20)].map(|(wall, calls)| vec![result(Phase::FirstDay, wall, calls)]);
        let medians = median(runs.to_vec());
        assert_eq!(medians.len(), 1);
        let median = medians[0].measured.as_ref().unwrap();
        assert_eq!((median.total.wall_seconds, median.total.cpu_seconds), (2.0, Some(1.0)));
        assert_eq!((median.counts.calls, median.stages[0].usage.peak_memory_bytes), (20, Some(20)));
    }

    #[test]
    fn a_failed_repetition_fails_the_phase() {
        let failed = RunResult {
            measured: None,
            error: Some("full".into()),
            ..result(Phase::Again, 0.0, 0)
        };
        let runs = vec![
            vec![result(Phase::FirstDay, 1.0, 1), result(Phase::Again, 1.0, 1)],
            vec![result(Phase::FirstDay, 1.0, 1), failed],
        ];
        let medians = median(runs);
        assert!(medians[0].measured.is_some() && medians[0].error.is_none());
        assert_eq!((medians[1].error.as_deref(), medians[1].measured.is_none()), (Some("full"), true));
    }
}
