//! `findata doctor`: the effective configuration, and one call with `--probe`.

use std::fs;

use findata_tests::{Home, Simulator, findata};

use super::{key::KEY, run};

#[test]
fn a_probe_makes_one_call_and_never_shows_the_key() {
    for (fault, code, expected) in [
        (None, 0, "accepts the key and responded in"),
        (Some("unauthorized"), 5, "check FMP_API_KEY"),
        (Some("server-error"), 5, "try again later"),
    ] {
        let server = match fault {
            None => Simulator::with_symbols(12),
            Some(fault) => Simulator::with_faults(12, &[fault]),
        };
        let home = Home::new();
        let doctor = findata(&["doctor", "--probe", "--fmp-plan", "starter"])
            .home(&home)
            .url(server.url())
            .key(KEY);
        let output = doctor.run();
        assert_eq!((output.code, server.calls()), (Some(code), 1), "{output:#?}");
        assert!(output.stdout.contains(expected), "{expected} is missing in {}", output.stdout);
        assert!(!output.stdout.contains(KEY) && !output.stderr.contains(KEY), "{output:#?}");
        assert!(home.files().is_empty(), "{:?}", home.files());
        if fault.is_none() {
            assert!(
                output.stdout.contains("plan starter: 300 calls per minute, 20.00 GB per 30 days"),
                "{output:#?}"
            );
        }
    }
    let output = findata(&["doctor", "--probe"]).option("--home", "x").no_key().run();
    assert!(output.code == Some(5) && output.stdout.contains("FAIL  key"), "{output:#?}");
}

#[test]
fn an_existing_home_stays_as_it_is() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let state = |home: &Home| -> Vec<_> {
        let files = home.files().into_iter();
        files
            .map(|path| (path.clone(), fs::metadata(&path).unwrap().modified().unwrap()))
            .collect()
    };
    let (before, calls) = (state(&home), server.calls());
    let output = findata(&["doctor"]).home(&home).run();
    assert!(
        output.code == Some(0) && output.stdout.contains("can be written, read and listed"),
        "{output:#?}"
    );
    assert_eq!((state(&home), server.calls()), (before, calls));
}

#[test]
fn the_configuration_is_listed_with_the_source_of_each_value() {
    let folder = Home::new();
    fs::write(
        folder.path().join("findata.toml"),
        "keep_days = 7\nhome = 'data'\n[run]\nuniverse = 'sp500'\n",
    )
    .unwrap();
    fs::write(folder.path().join(".env"), format!("\nFMP_API_KEY={KEY}\nFINDATA_MEMORY=1GB\n")).unwrap();
    let doctor = findata(&["doctor", "--index", "SPY"]).no_key().variable("FINDATA_FMP_PLAN", "90");
    let output = doctor.in_folder(folder.path()).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let squeezed: Vec<String> = output
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in [
        "home data findata.toml line 2",
        "keep-days 7 days findata.toml line 1",
        "memory 1.00 GB .env line 3",
        "fmp-plan 90 a minute FINDATA_FMP_PLAN in the environment",
        "index SPY command line",
        "as-of now default",
        "FMP_API_KEY (set) .env line 2",
        "[run] universe sp500 findata.toml line 4",
    ] {
        assert!(squeezed.iter().any(|known| known == line), "{line} is missing in {}", output.stdout);
    }
    assert!(!output.stdout.contains(KEY), "{output:#?}");
    let json = findata(&["doctor", "--json"]).in_folder(folder.path()).run().json();
    assert_eq!(json["settings"][0]["name"], "home");
    assert_eq!(json["checks"][0]["what"], "key");
}

#[test]
fn commands_for_aws_say_how_to_set_the_region_and_credentials() {
    for arguments in [&["invoke", "AAPL"][..], &["doctor", "--aws", "findata"]] {
        let output = findata(arguments).run();
        assert_eq!(output.code, Some(5), "{output:#?}");
        for text in ["no AWS region is set", "export AWS_REGION=", "export AWS_PROFILE="] {
            assert!(output.stderr.contains(text), "{text}: {output:#?}");
        }
        // Without the variable, the SDK asks the metadata service of an EC2 instance.
        let output = findata(arguments)
            .variable("AWS_REGION", "us-east-1")
            .variable("AWS_EC2_METADATA_DISABLED", "true")
            .run();
        assert_eq!(output.code, Some(5), "{output:#?}");
        let printed = format!("{}{}", output.stdout, output.stderr)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for text in ["no AWS credentials found", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"] {
            assert!(printed.contains(text), "{text}: {output:#?}");
        }
    }
    let output = findata(&["doctor", "--aws", "find'ata"]).run();
    assert!(
        output.code == Some(2) && output.stderr.contains("only letters, digits and -"),
        "{output:#?}"
    );
}
