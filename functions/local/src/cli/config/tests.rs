use clap::CommandFactory;

use super::{setting::Faults, *};
use crate::cli::Cli;

/// Reads a `findata.toml` for the command line, as if it stood in `folder`.
fn with_file(folder: &Path, text: &str, arguments: &[&str]) -> Result<(ArgMatches, Config), String> {
    let path = folder.join(FILE);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let arguments = [&["findata", "--config", path], arguments].concat();
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    parse(Cli::command(), &arguments, Variables::default()).map_err(|refused| match refused {
        Refused::Arguments(error) => error.to_string(),
        Refused::Configuration(failure) => failure.text().replace(path, FILE),
    })
}

fn refused(text: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    with_file(folder.path(), text, arguments).map(|_| ()).unwrap_err()
}

const SQL: [&str; 2] = ["sql", "select 1"];

#[test]
fn every_option_of_every_command_can_be_set_in_a_file_with_a_fitting_type() {
    let mut built = Cli::command();
    built.build();
    let mut seen = 0;
    let commands = built.get_subcommands().filter(|command| !["plan", "help"].contains(&command.get_name()));
    for (table, command) in std::iter::once(("", &built)).chain(commands.map(|c| (c.get_name(), c))) {
        let own = |argument: &&clap::Arg| argument.is_global_set() == table.is_empty();
        for argument in command.get_arguments().filter(own) {
            let Some(option) =
                argument.get_long().filter(|long| !["config", "help", "version"].contains(long))
            else {
                continue;
            };
            let heading = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let accepted = ["true", "3", "\"x\"", "[\"x\"]"].into_iter().filter(|value| {
                let mut faults = Faults::default();
                let text = format!("{heading}{option} = {value}\n");
                let found = toml_file::parse(&text, Path::new(FILE), &built, Path::new(""), &mut faults);
                let accepted = faults.into_result().is_ok();
                assert_eq!(found.len(), usize::from(accepted), "{text}");
                accepted
            });
            let accepted = accepted.count();
            assert!((1..=2).contains(&accepted), "[{table}] {option}: {accepted} types are accepted");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn faults_are_listed_with_their_lines_and_the_nearest_name() {
    let text = "hoem = 'x'\nfmp-plan = true\nuniverse = 'x'\nkeep_days = '9'\n[rnu]\n[run]\nquartres = 4\nhome = 'y'\n\
                full = 1\nsymbols = []\n[plan]\nprobe = true\n";
    let message = refused(text, &SQL);
    for line in [
        "findata.toml has 10 faults:",
        "  line 1: unknown option hoem: did you mean home?",
        "  line 2: fmp-plan must be a text in quotes or a whole number",
        "  line 3: universe is an option of single commands: put it into a table such as [run]",
        "  line 4: keep-days must be a whole number without quotes",
        "  line 5: unknown command rnu: did you mean run?",
        "  line 7: unknown option quartres: did you mean quarters?",
        "  line 8: home belongs above the first table: it is an option of all commands",
        "  line 9: full must be true or false",
        "  line 10: symbols must be a list such as [\"A\", \"B\"]",
        "  line 11: plan uses the options in [run], because it shows what run would do",
    ] {
        assert!(message.contains(line), "{line} is missing in {message}");
    }
    assert!(refused("home = \n", &SQL).contains("line 1: "));
    assert!(refused("fmp-plan = 'free'\nfmp_plan = 'free'", &SQL).contains("line 2: fmp-plan is set twice"));
}

#[test]
fn secrets_are_refused_without_showing_them() {
    for key in ["FMP_API_KEY", "fmp-api-key", "api_key", "snowflake_private_key"] {
        let message = refused(&format!("{} = 'sekret'", key.to_lowercase()), &SQL);
        assert!(message.contains(".env") && !message.contains("sekret"), "{message}");
    }
}

#[test]
fn a_value_that_an_option_rejects_is_reported_with_its_line() {
    let message = refused("\n[run]\nquarters = 500\n", &["run", "--symbols", "AAPL"]);
    assert!(message.starts_with("findata.toml line 3: quarters: invalid value '500'"), "{message}");
    assert!(message.contains("0..=400"), "{message}");
    let message = refused("color = 'pink'", &SQL);
    assert!(message.starts_with("findata.toml line 1: color: invalid value 'pink'"), "{message}");
}

#[test]
fn the_command_line_wins_and_drops_what_it_excludes() {
    let folder = tempfile::tempdir().unwrap();
    let text = "index = 'none'\nverbose = 2\n[run]\nuniverse = 'mine.csv'\nfrom = 2026-01-02\nquarters = 8\nttl = 'profile=7d'\n";
    let (matches, config) =
        with_file(folder.path(), text, &["plan", "--symbols", "AAPL", "--days", "9", "--index", "SPY"])
            .unwrap();
    let plan = matches.subcommand_matches("plan").unwrap();
    assert_eq!(plan.get_one::<String>("index").map(String::as_str), Some("SPY"));
    assert_eq!((plan.get_one::<u32>("quarters"), plan.get_count("verbose")), (Some(&8), 2));
    assert!(
        plan.get_one::<String>("universe").is_none() && plan.get_one::<chrono::NaiveDate>("from").is_none()
    );
    assert_eq!((config.source("index"), config.name("index")), (&Source::Option, "--index".into()));
    assert!(
        config.name("quarters").ends_with("findata.toml line 6: quarters"),
        "{}",
        config.name("quarters")
    );
    // A relative path in the file is relative to the file.
    let (matches, _) = with_file(folder.path(), text, &["run"]).unwrap();
    let run = matches.subcommand_matches("run").unwrap();
    let universe = folder.path().join("mine.csv").display().to_string();
    assert_eq!(run.get_one::<String>("universe"), Some(&universe));
    let both = refused("[run]\nuniverse = 'sp500'\nsymbols = ['A']", &["run"]);
    assert!(
        both.contains("universe excludes findata.toml line 3: symbols: remove one of them"),
        "{both}"
    );
}

#[test]
fn variables_of_a_file_stand_between_the_environment_and_the_toml_file() {
    let folder = tempfile::tempdir().unwrap();
    let env = "FINDATA_INDEX=none # no index\nFINDATA_JSON=yes\nFINDATA_MEMORY=\nAWS_PROFILE=x\nFMP_API_KEY=sekret\nFINDATA_HOME=h\n";
    std::fs::write(folder.path().join(DOTENV), env).unwrap();
    let (matches, config) = with_file(folder.path(), "index = 'SPY'\nmemory = '1GB'\n", &SQL).unwrap();
    let text = |id| matches.get_one::<String>(id).map(String::as_str);
    assert_eq!(
        (text("index"), text("memory"), matches.get_flag("json")),
        (Some("none"), Some("1GB"), true)
    );
    assert_eq!(matches.get_one::<PathBuf>("home"), Some(&folder.path().join("h")));
    assert!(config.name("index").ends_with(".env line 1: FINDATA_INDEX"), "{}", config.name("index"));
    assert!(config.variables.key().is_ok() && !format!("{config:?}").contains("sekret"));
    let faulty = "FINDATA_HOEM=x\nFMP_API_KY=sekret\nFINDATA_JSON=maybe\nFINDATA_NOTHING_LIKE_IT=1\nFINDATA_CONFIG=x\n";
    std::fs::write(folder.path().join(DOTENV), faulty).unwrap();
    let message = with_file(folder.path(), "", &SQL).map(|_| ()).unwrap_err();
    for line in [
        ".env has 5 faults:",
        "line 1: unknown variable FINDATA_HOEM: did you mean FINDATA_HOME?",
        "line 2: unknown variable FMP_API_KY: did you mean FMP_API_KEY?",
        "line 3: FINDATA_JSON: \"maybe\" is neither true nor false",
        "line 4: unknown variable FINDATA_NOTHING_LIKE_IT: findata has no such variable",
        "line 5: FINDATA_CONFIG",
    ] {
        assert!(message.contains(line), "{line} is missing in {message}");
    }
    assert!(!message.contains("sekret"), "{message}");
}
