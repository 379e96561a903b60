//! `findata setup-sql`: prints scripts that set up, change or remove a Snowflake account's objects.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use findata_models::Models;

use super::{Failure, global::Global, last_home::DefaultHome, note, print, print_json};
use crate::setup_sql::{self, Given, Values};

/// Maximum number of bytes read from the key file. Every key is far smaller.
const KEY_BYTES: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// S3 bucket of the stage
    #[arg(long)]
    bucket: Option<String>,
    /// Folder in the bucket, or '' for its root [default: home]
    #[arg(long, value_name = "FOLDER")]
    prefix: Option<String>,
    /// AWS role that lets Snowflake read the bucket, such as arn:aws:iam::123456789012:role/findata-snowflake
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// PEM file with the public key of the service user
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    public_key: Option<PathBuf>,
    /// Maximum credits that the warehouse may use per month [default: 20]
    #[arg(long, value_name = "N")]
    credits: Option<String>,
    /// Prefix of all object names, so that two installations can share an account [default: findata]
    #[arg(long)]
    name: Option<String>,
    /// Recreate the tables of computed figures; the next run fills them. `findata upgrade` recreates only those that have
    /// changed
    #[arg(long)]
    replace_figures: bool,
    /// Print the script that adds a second key to the service user, so that keys can change without downtime
    #[arg(long, conflicts_with_all = ["bucket", "prefix", "role_arn", "credits", "replace_figures"])]
    rotate_key: bool,
    /// Print the script that drops everything, including all data
    #[arg(long, conflicts_with_all = ["bucket", "prefix", "role_arn", "credits", "replace_figures", "rotate_key", "public_key"])]
    teardown: bool,
}

pub(crate) fn setup_sql(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let mut errors = Vec::new();
    let key = args.public_key.as_deref().and_then(|path| {
        read(path)
            .map_err(|e| errors.push(format!("--public-key: cannot read {}: {e}", path.display())))
            .ok()
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
        Ok(values) if errors.is_empty() => values,
        checked => {
            errors.extend(checked.err().unwrap_or_default());
            return Err(Failure::Usage(errors.join("; ")));
        }
    };
    let (script, mut missing) = if args.teardown {
        (setup_sql::teardown(&values), Vec::new())
    } else if args.rotate_key {
        (setup_sql::rotate_key(&values), values.missing())
    } else {
        (setup_sql::setup(&values, args.replace_figures, Models::built_in()?), values.missing())
    };
    missing.retain(|option| !args.rotate_key || *option == "--public-key");
    if config.json {
        print_json(&setup_sql::statements(&script))?;
    } else {
        print(&script)?;
    }
    if !missing.is_empty() {
        note(&format!("findata: the script contains placeholders: set {}", missing.join(", ")));
    }
    Ok(0)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(KEY_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
