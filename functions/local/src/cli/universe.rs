//! `findata universe`: stores and shows named lists of symbols on the stage, which schedules and requests use.

use std::{collections::BTreeSet, path::PathBuf};

use chrono::Utc;
use clap::{Subcommand, ValueHint};
use findata_pipeline::{
    named_universe::{self, MAX_SYMBOLS, NamedUniverse, UniverseName},
    ports::stage::Stage,
};
use serde_json::json;

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json, symbol_file};
use crate::{render::counted, stage::DirectoryStage};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Store the symbols of a file under a name, or replace the list of this name
    Put {
        /// Name of the list: lower-case letters, digits, - and _
        name: UniverseName,
        /// A file with one symbol per line, or a CSV with a column `symbol` or `ticker`
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// List the names and the numbers of symbols
    List,
}

pub(crate) async fn universe(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    match &config.cloud {
        Some(cloud) => execute(&args.action, &cloud.open_stage().await?, config.json).await,
        None => execute(&args.action, &DirectoryStage::open(&config.data_dir.stage)?, config.json).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
async fn execute(action: &Action, stage: &impl Stage, json: bool) -> Result<u8, Failure> {
    match action {
        Action::Put { name, file } => {
            let mut seen = BTreeSet::new();
            let mut symbols = symbol_file::read(file)?;
            symbols.retain(|symbol| seen.insert(symbol.clone()));
            let number = symbols.len();
            if number > MAX_SYMBOLS {
                let text = format!("the file has {number} symbols: a universe has at most {MAX_SYMBOLS}");
                return Err(Failure::Usage(text));
            }
            let list = NamedUniverse { symbols, stored_at: Utc::now() };
            named_universe::put(stage, name, &list).await?;
            match json {
                true => print_json(&json!({"name": name, "symbols": number}))?,
                false => {
                    print(&format!("stored universe {name}: {}\n", counted(number as u64, "symbol")))?;
                }
            }
        }
        Action::List => {
            let mut lists = Vec::new();
            for name in named_universe::names(stage).await? {
                let list = named_universe::read(stage, &name).await?;
                lists.push((name, list));
            }
            let entry = |(name, list): &(UniverseName, NamedUniverse)| json!({"name": name, "symbols": list.symbols.len(), "stored_at": list.stored_at});
            let line = |(name, list): &(UniverseName, NamedUniverse)| {
                let number = counted(list.symbols.len() as u64, "symbol");
                format!("{name}: {number}, stored on {}\n", list.stored_at.date_naive())
            };
            match json {
                true => print_json(&json!({"universes": lists.iter().map(entry).collect::<Vec<_>>()}))?,
                false if lists.is_empty() => {
                    print("no universes: store one with `findata universe put NAME FILE`\n")?;
                }
                false => {
                    print(&lists.iter().map(line).collect::<String>())?;
                }
            }
        }
    }
    Ok(0)
}
