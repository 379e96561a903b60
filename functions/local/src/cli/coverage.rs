//! Whether the tests use every command and every option.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::{Arg, Args, Command, CommandFactory};

use super::request::HistoryArgs;

/// Options that no end-to-end test uses, with the reason.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("bench", "repeat", "it repeats a slow test; unit tests check the medians"),
    ("fmp-server", "anchor", "a unit test of the simulator checks that it reaches the server"),
    ("fmp-server", "revision", "a unit test of the simulator checks that it reaches the server"),
    (
        "fmp-server",
        "trades_per_second",
        "a unit test of the simulator checks that it reaches the server",
    ),
];

/// Commands that share the options of a run. A test of one counts for all of them.
const RUNS: [&str; 3] = ["demo", "plan", "run"];

/// The sources of the end-to-end tests, except this project's Python environment.
fn sources() -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "py") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests"), &mut found);
    found.iter().map(|path| fs::read_to_string(path).expect("a text")).collect()
}

/// How a test can write an option: `"--limit"`, `"--limit=3"`, `"-o"` or, for global options, its variable.
fn spellings(option: &Arg) -> Vec<String> {
    let long = option.get_long().map(|name| [format!("\"--{name}\""), format!("\"--{name}=")]);
    let short = option.get_short().map(|letter| format!("\"-{letter}"));
    let variable = option.get_env().map(|name| format!("\"{}\"", name.to_string_lossy()));
    long.into_iter().flatten().chain(short).chain(variable).collect()
}

#[test]
fn tests_use_every_command_and_option() {
    let sources = sources();
    let mut root = super::Cli::command();
    root.build();
    let mut unused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let with = |text: &str| sources.iter().filter(|source| source.contains(text)).collect::<Vec<_>>();
    let runs: Vec<&String> = RUNS.iter().flat_map(|name| with(&format!("\"{name}\""))).collect();
    let history = HistoryArgs::augment_args(Command::new("history"));
    let history: Vec<&str> = history.get_arguments().map(|option| option.get_id().as_str()).collect();
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let files = with(&format!("\"{name}\""));
        if files.is_empty() {
            unused.entry(name.to_owned()).or_default().push("the command".to_owned());
        }
        for option in own_options(command) {
            let written = spellings(option);
            let id = option.get_id().as_str();
            let is_shared = RUNS.contains(&name) && history.contains(&id);
            let files = if is_shared { &runs } else { &files };
            let used = files.iter().any(|file| written.iter().any(|text| file.contains(text)));
            let excepted = EXCEPTIONS.iter().any(|exception| (exception.0, exception.1) == (name, id));
            if used == excepted {
                unused.entry(name.to_owned()).or_default().push(id.to_owned());
            }
        }
    }
    for option in root.get_arguments().filter(|option| option.is_global_set()) {
        let written = spellings(option);
        if written.iter().all(|text| with(text).is_empty()) {
            unused.entry("every command".to_owned()).or_default().push(option.get_id().to_string());
        }
    }
    assert!(
        unused.is_empty(),
        "no test in tests/ uses these, or an exception is out of date: {unused:#?}"
    );
}

/// The options of a command, without global ones and those of clap.
fn own_options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| {
        !option.is_global_set()
            && !option.is_positional()
            && !["help", "version"].contains(&option.get_id().as_str())
    })
}
