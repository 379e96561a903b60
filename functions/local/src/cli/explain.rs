//! `findata explain`.

use chrono::NaiveDate;
use findata_domain::Error;

use super::{Failure, global::Global, print};
use crate::render;

use findata_explain::ask::{Basis, Question, find};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The company
    symbol: String,
    /// Any figure of the facts: gross_margin, pe_ratio_ttm, revenue ... (`findata dictionary` lists them)
    metric: String,
    /// The session, or the day by which a period was known; the last one before counts where there is none [default: the newest]
    #[arg(long, value_name = "DATE")]
    date: Option<NaiveDate>,
    /// Q1, Q2, Q3, Q4, Q (any quarter), FY, TTM, MARKET or PRICE
    ///
    /// Without it a ratio or a growth rate is the one over twelve months, a line is that of the newest statement; a name that stands in several
    /// tables is looked for in the ratios, the growth rates, the statements, the twelve months, the prices and the market metrics.
    #[arg(long, value_name = "BASIS")]
    basis: Option<Basis>,
}

pub(crate) fn explain(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let question =
        Question { symbol: args.symbol.parse()?, metric: args.metric.clone(), date: args.date, basis: args.basis };
    // A wrong name is said before a missing warehouse is: it would be wrong with one too.
    find(&question.metric, question.basis)?;
    let connection = config.open_to_read()?;
    let explained = findata_explain::explain(&connection, &question, config.as_of)?;
    if config.json {
        let text = serde_json::to_string(&explained).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&render::explanation(&explained))?;
    }
    Ok(0)
}
