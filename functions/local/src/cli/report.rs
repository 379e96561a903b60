//! `findata report`: the runs and figures of a warehouse as one HTML file.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use findata_domain::{Error, Symbol, clock::Clock};
use findata_duckdb::Reach;
use findata_models::Models;
use findata_pipeline::{ports::stage::Stage, summary::Summary};
use findata_report::{MAX_COMPANIES, company_report, universe_report};
use serde::Serialize;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    print, print_json,
};
use crate::{atomic_file::AtomicFile, render, stage::DirectoryStage, status::newest_summaries};

/// Maximum number of runs in the report.
const RUNS: usize = 90;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Companies to show in detail, at most 20; without symbols, the report shows the runs and all
    /// companies
    ///
    /// A report about companies has daily prices, events, the history of the figures, FMP's figures,
    /// and the full explanation of each figure.
    #[arg(value_name = "SYMBOL")]
    symbols: Vec<String>,
    /// File to write; an existing file is replaced [default in --home: `report.html`,
    /// `report-SYMBOL.html` for one company, `report-companies.html` for several]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    file: String,
    bytes: u64,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.file, render::bytes(self.bytes))
    }
}

pub(crate) async fn report(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let written = create(&config, &symbols(&args.symbols)?, args.output.as_deref()).await?;
    if config.json {
        print_json(&written)?;
    } else {
        print(&format!("wrote {written}\n"))?;
    }
    Ok(0)
}

/// Writes the report of these companies, or without symbols the one of all companies. Without a path,
/// it is written into the home.
pub(crate) async fn create(
    config: &ResolvedConfig,
    symbols: &[Symbol],
    path: Option<&Path>,
) -> Result<Written, Failure> {
    let models = Models::built_in()?;
    // The report is about the present: runs, checks and explanations have no past versions.
    let config = &ResolvedConfig { as_of: None, ..config.clone() };
    let connection = config.open_read_only(Reach::Warehouse)?;
    let now = config.clock.now();
    let page = if symbols.is_empty() {
        universe_report(&connection, models, &runs(config).await?, now)?
    } else {
        company_report(&connection, models, symbols, now)?
    };
    let path = path.map_or_else(|| default_path(config, symbols), Path::to_owned);
    write(&path, &page)?;
    Ok(Written { file: path.display().to_string(), bytes: page.len() as u64 })
}

/// Parses the symbols and drops repeated ones.
fn symbols(arguments: &[String]) -> Result<Vec<Symbol>, Failure> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for text in arguments.iter().flat_map(|argument| argument.split(',')).filter(|text| !text.is_empty()) {
        let symbol: Symbol = text.parse()?;
        let symbol = symbol.with_hyphen().unwrap_or(symbol);
        if !symbols.contains(&symbol) {
            symbols.push(symbol);
        }
    }
    if symbols.len() > MAX_COMPANIES {
        return Err(Failure::Usage(format!(
            "{} symbols: a report shows at most {MAX_COMPANIES} companies in detail; without symbols, it shows all",
            symbols.len()
        )));
    }
    Ok(symbols)
}

fn default_path(config: &ResolvedConfig, symbols: &[Symbol]) -> PathBuf {
    let folder = config.data_dir.corrections.parent().unwrap_or(Path::new("."));
    folder.join(match symbols {
        [] => "report.html".to_owned(),
        // A symbol such as `M&M.NS` or `^GSPC` may have characters that a shell or a browser treats specially.
        [symbol] => {
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
                    c
                } else {
                    '_'
                }
            };
            format!("report-{}.html", symbol.as_str().chars().map(plain).collect::<String>())
        }
        _ => "report-companies.html".to_owned(),
    })
}

/// Reads the summaries of the newest runs, oldest first. A run without a readable summary is left out:
/// it is still going on, or a newer build wrote it.
async fn runs(config: &ResolvedConfig) -> Result<Vec<Summary>, Failure> {
    let stage = DirectoryStage::read_only(&config.data_dir.stage);
    let keys: BTreeSet<String> = stage.list("runs/").await?.into_iter().collect();
    let mut runs = newest_summaries(&stage, &keys, RUNS).await?;
    runs.reverse();
    Ok(runs)
}

/// Writes the file, which appears when it is complete, so that a browser never reads a part of it.
fn write(path: &Path, page: &str) -> Result<(), Failure> {
    AtomicFile::write(path, page.as_bytes()).map_err(|error| {
        let text = format!("cannot write {}: {error}; choose another file with --output", path.display());
        Error::Resource(text).into()
    })
}
