//! `findata demo`: a complete run against the synthetic FMP.

use std::{path::Path, time::Duration};

use findata_domain::{Error, Symbol, clock::Clock};
use findata_fmp::FmpPlan;
use findata_fmp_simulator as simulator;
use findata_pipeline::run::Universe;
use secrecy::SecretString;

use super::{
    Failure, Signals,
    global::Global,
    last_home::{DEMO_HOME, DefaultHome},
    print, report,
    request::HistoryArgs,
    run,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of companies
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=50_000))]
    companies: u32,
    /// Milliseconds that the synthetic FMP takes to answer a call
    #[arg(long, default_value_t = 40, value_name = "MS")]
    latency: u64,
    #[command(flatten)]
    history: HistoryArgs,
}

pub(crate) async fn demo(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let mut config = global.resolve(DefaultHome::Demo)?;
    let companies = args.companies as usize;
    let options = simulator::Options {
        symbols: companies,
        today: config.clock.today(),
        latency: Duration::from_millis(args.latency),
        ..simulator::Options::default()
    };
    let server = simulator::start(options)
        .await
        .map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
    config.fmp_url = server.url();
    if global.fmp_plan.is_none() {
        config.fmp_plan = FmpPlan::Unlimited;
    }
    let symbols: Vec<Symbol> =
        simulator::symbols(companies).iter().map(|s| s.parse()).collect::<Result<_, _>>()?;
    let mut request = args.history.request(Universe::Symbols(symbols), &config, false);
    // Calls are free here, so the demo includes the comparison with FMP's own ratios.
    request.options.reconcile = true;
    let fmp = config.fmp(SecretString::from("demo"));
    let summary = run::execute(&config, &request, &fmp, run::Work::Run, signals).await?;
    let code = run::print_summary(config.json, &config.warehouse(), &summary)?;
    let written = report::create(&config, &[], None).await?;
    if !config.json {
        print(&format!("\n  report    {written}\n\n{}", next_steps(&config.home.home)))?;
    }
    Ok(code)
}

/// Commands to try next. They find the demo's own home, because it is the home of the last run.
fn next_steps(home: &Path) -> String {
    let home = match home == Path::new(DEMO_HOME) {
        true => String::new(),
        false => format!(" --home {}", quoted(&home.display().to_string())),
    };
    format!(
        "Try next:\n  \
         findata report AAPL{home}\n  \
         findata explain AAPL P/E{home}\n  \
         findata sql{home} \"select symbol, metric_date, pe_ratio_ttm from analytics.fact_market_metrics \
         order by metric_date desc, symbol limit 10\"\n"
    )
}

/// Quotes a path for a POSIX shell if it needs quotes.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_to_try_name_a_home_of_the_users_choice() {
        assert!(next_steps(Path::new(DEMO_HOME)).contains("report AAPL\n"));
        assert!(next_steps(Path::new("/tmp/it's here")).contains(r"report AAPL --home '/tmp/it'\''s here'"));
    }
}
