//! Speed of decoding answers and of writing landing files, on one thread of this process.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{Dataset, INCOME_STATEMENT, PRICES},
    rows::{self, Asked, Row},
};
use findata_fmp_simulator::{self as simulator, FmpServer, Options};
use findata_pipeline::{landing::Landing, run::RunId};

use super::results::Throughput;
use crate::stage::DirectoryStage;

/// Time for which each step is measured.
const MEASURED: Duration = Duration::from_millis(250);
/// Number of symbols in a landing file, each with one answer. A real batch has up to 50 symbols.
const SYMBOLS: usize = 10;

/// Measures decoding and writing, each for a dataset with many rows and few columns and for one with
/// few rows and many columns.
pub(super) async fn measure(today: NaiveDate) -> Result<Vec<Throughput>> {
    let failed = |e: &dyn std::fmt::Display| Error::Stop(format!("cannot measure the throughput: {e}"));
    let options = Options { symbols: SYMBOLS, today, ..Options::default() };
    let server = simulator::start(options).await.map_err(|e| failed(&e))?;
    let folder = tempfile::Builder::new().prefix("findata-bench-").tempdir().map_err(|e| failed(&e))?;
    let stage = DirectoryStage::open(folder.path())?;
    let mut found = Vec::new();
    for (dataset, endpoint, parameters) in [
        (PRICES, "historical-price-eod/full", [("from", "2021-09-18"), ("to", "2026-09-18")]),
        (INCOME_STATEMENT, "income-statement", [("period", "quarter"), ("limit", "40")]),
    ] {
        let bodies = bodies(&server, endpoint, &parameters)?;
        let bytes: u64 = bodies.iter().map(|(_, body)| body.len() as u64).sum();
        let decode = || {
            bodies
                .iter()
                .map(|(symbol, body)| decode(dataset, symbol, body))
                .collect::<Result<Vec<_>>>()
        };
        let answers = decode()?;
        let rows: u64 = answers.iter().map(|rows| rows.len() as u64).sum();
        let rate = |step, passes: u64, seconds: f64| Throughput {
            step,
            dataset: dataset.name,
            bytes_per_second: (passes * bytes) as f64 / seconds,
            rows_per_second: (passes * rows) as f64 / seconds,
        };

        let (started, mut passes) = (Instant::now(), 0);
        while started.elapsed() < MEASURED {
            std::hint::black_box(decode()?);
            passes += 1;
        }
        found.push(rate("decode", passes, started.elapsed().as_secs_f64()));

        let (started, mut passes, run) = (Instant::now(), 0, RunId::new(DateTime::<Utc>::default(), 0));
        while started.elapsed() < MEASURED {
            let mut landing = Landing::new(dataset, DateTime::<Utc>::default());
            answers.iter().try_for_each(|rows| landing.add(rows))?;
            landing.land(&stage, &run, &format!("b{passes:05}")).await?;
            passes += 1;
        }
        found.push(rate("landing", passes, started.elapsed().as_secs_f64()));
    }
    server.shutdown().await;
    Ok(found)
}

/// Returns the synthetic FMP's answer for each of its symbols.
fn bodies(server: &FmpServer, endpoint: &str, parameters: &[(&str, &str)]) -> Result<Vec<(Symbol, String)>> {
    let body = |text: String| {
        let mut parameters = parameters.to_vec();
        parameters.push(("symbol", &text));
        let body = server.body(endpoint, &parameters);
        let body = body.ok_or_else(|| {
            Error::Stop(format!("the response of the synthetic FMP to {endpoint} is not JSON"))
        })?;
        Ok((text.parse()?, body))
    };
    server.symbols().into_iter().map(body).collect()
}

fn decode<'a>(dataset: &'static Dataset, symbol: &Symbol, body: &'a str) -> Result<Vec<Row<'a>>> {
    let asked = Asked {
        symbol: Some(symbol),
        days: None,
        received_on: NaiveDate::MAX,
    };
    rows::typed(dataset, &asked, usize::MAX, body.as_bytes()).map(|(rows, _)| rows)
}
