//! `findata setup-sql`.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Failure, global::Global, print};
use crate::setup_sql::{self, Given, Values};

/// More than any key's file has.
const KEY_BYTES: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// S3 bucket that the functions land files in
    #[arg(long)]
    bucket: Option<String>,
    /// Folder in the bucket; '' for the bucket itself [default: home]
    #[arg(long, value_name = "FOLDER")]
    prefix: Option<String>,
    /// AWS role that lets Snowflake read there, as arn:aws:iam::123456789012:role/findata-snowflake
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Public key of the service user, a PEM file
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Credits that the warehouse may use in a month [default: 20]
    #[arg(long, value_name = "N")]
    credits: Option<String>,
    /// What the names of all objects begin with, so that two can share an account [default: findata]
    #[arg(long)]
    name: Option<String>,
    /// Make the tables of figures anew, where an earlier version set them up otherwise; the next run fills them
    #[arg(long)]
    replace_figures: bool,
    /// The script that gives the service user another key while functions run
    #[arg(long, conflicts_with_all = ["bucket", "prefix", "role_arn", "credits", "replace_figures"])]
    rotate_key: bool,
    /// The script that takes everything away, figures included
    #[arg(long, conflicts_with_all = ["bucket", "prefix", "role_arn", "credits", "replace_figures", "rotate_key", "public_key"])]
    teardown: bool,
}

pub(crate) fn setup_sql(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let mut wrong = Vec::new();
    let key = args.public_key.as_deref().and_then(|path| {
        read(path).map_err(|e| wrong.push(format!("--public-key: cannot read {}: {e}", path.display()))).ok()
    });
    let given = Given {
        bucket: args.bucket.as_deref(),
        prefix: args.prefix.as_deref(),
        role_arn: args.role_arn.as_deref(),
        public_key: key.as_deref(),
        credits: args.credits.as_deref(),
        name: args.name.as_deref(),
    };
    let values = match Values::of(&given) {
        Ok(values) if wrong.is_empty() => values,
        checked => {
            wrong.extend(checked.err().unwrap_or_default());
            return Err(Failure::Usage(wrong.join("; ")));
        }
    };
    let (script, mut missing) = if args.teardown {
        (setup_sql::teardown(&values), Vec::new())
    } else if args.rotate_key {
        (setup_sql::rotate_key(&values), values.missing())
    } else {
        (setup_sql::setup(&values, args.replace_figures), values.missing())
    };
    missing.retain(|option| !args.rotate_key || *option == "--public-key");
    if config.json {
        print(&format!("{}\n", json!(setup_sql::statements(&script))))?;
    } else {
        print(&script)?;
    }
    if !missing.is_empty() {
        eprintln!("findata: the script has placeholders: give {}", missing.join(", "));
    }
    Ok(0)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(KEY_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
