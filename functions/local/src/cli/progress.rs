//! Progress on standard error: bars on a terminal, otherwise one line per stage of the run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use findata_fmp::Fmp;
use findata_pipeline::plan::Plan;
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Signals,
    color::Display,
    note,
    signals::{CALLS_LOST, NOTHING_LOST},
};
use crate::{host::Progress, render};

/// Shows the progress of a run, and sets the message that a signal prints in each stage.
pub(crate) struct Bars {
    fmp: Arc<Fmp>,
    display: Display,
    bar: Arc<Mutex<ProgressBar>>,
    signals: Signals,
}

impl Bars {
    pub(crate) fn new(fmp: Arc<Fmp>, display: Display, signals: Signals) -> Self {
        Bars {
            fmp,
            display,
            bar: Arc::new(Mutex::new(ProgressBar::hidden())),
            signals,
        }
    }

    pub(crate) fn finish(&self) {
        self.bar().finish_and_clear();
    }

    fn bar(&self) -> ProgressBar {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, bar: ProgressBar) {
        self.finish();
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }
}

impl Progress for Bars {
    fn planned(&self, plan: &Plan) {
        let (calls, fresh) = (plan.calls(), plan.fresh());
        if !self.display.bars {
            let symbols = render::counted(plan.symbols.len() as u64, "symbol");
            note(&format!(
                "plan: {symbols}, {} to make, {} still fresh",
                render::counted(calls, "call"),
                render::counted(fresh, "answer")
            ));
            return;
        }
        let bar = ProgressBar::new(calls);
        let cells = if self.display.colors {
            "{wide_bar:.cyan/blue}"
        } else {
            "{wide_bar}"
        };
        let style = ProgressStyle::with_template(&format!(
            "  fetch    {cells} {{pos}}/{{len}} calls{{msg}}  {{elapsed}} elapsed, {{eta}} left",
        ));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.replace(bar.clone());
        let fmp = Arc::clone(&self.fmp);
        tokio::spawn(async move {
            while !bar.is_finished() {
                bar.set_position(fmp.stats().calls().min(calls));
                if let failed @ 1.. = fmp.stats().failed() {
                    bar.set_message(format!(", {} failed", render::count(failed)));
                }
                tokio::time::sleep(Duration::from_millis(80)).await;
            }
        });
    }

    fn stage_started(&self, stage: &'static str) {
        if stage == "fetch" {
            self.signals.stop_first(CALLS_LOST);
        } else {
            self.signals.end_with(NOTHING_LOST);
        }
        if stage == "load" {
            self.finish();
            if let failed @ 1.. = self.fmp.stats().failed() {
                note(&format!("fetch: {} failed; the summary says why", render::counted(failed, "call")));
            }
        }
        if !self.display.bars {
            note(&format!("{stage} ..."));
        } else if stage != "fetch" {
            let spinner = ProgressBar::new_spinner().with_message(stage);
            spinner.set_style(
                ProgressStyle::with_template("  {msg:8} {spinner}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            spinner.enable_steady_tick(Duration::from_millis(100));
            self.replace(spinner);
        }
    }
}
