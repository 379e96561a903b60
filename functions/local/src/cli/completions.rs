//! `findata completions` and `findata man`: files for shells and for `man`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory, ValueHint};
use clap_complete::Shell;
use findata_domain::Error;

use super::{Cli, Failure, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Shell that will read the script
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write the page of each command into this folder, which is created [default: print the page of `findata`]
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
}

/// Prints the script that completes commands and options in a shell.
pub(crate) fn completions(args: &Args) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "findata", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// Prints or writes the manual pages.
pub(crate) fn man(args: &ManArgs) -> Result<u8, Failure> {
    let Some(folder) = &args.output else {
        print(&page(&Cli::command())?)?;
        return Ok(0);
    };
    let failed = |path: &Path, error: std::io::Error| {
        Error::Resource(format!("cannot write {}: {error}; choose another --output", path.display()))
    };
    fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    let mut command = Cli::command();
    command.build();
    let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
    let mut written = 0;
    for command in std::iter::once(&command).chain(commands) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page(command)?).map_err(|e| failed(&path, e))?;
        written += 1;
    }
    print(&format!("wrote {written} pages to {}\n", folder.display()))?;
    Ok(0)
}

/// Renders the manual page of a command.
fn page(command: &Command) -> Result<String, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(|e| Error::Stop(format!("cannot render a manual page: {e}")))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
