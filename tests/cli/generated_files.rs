//! `findata completions` and `findata man`.

use findata_tests::{Home, findata};

#[test]
fn completions_name_every_command_and_bash_accepts_its_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = findata(&["completions", shell]).no_key().run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["export", "fmp-server", "as-of"] {
            assert!(output.stdout.contains(word), "{shell} lacks {word}");
        }
    }
    let script = findata(&["completions", "bash"]).run().stdout;
    let check = format!(
        "{script}\nCOMP_WORDS=(findata exp); COMP_CWORD=1; _findata findata exp findata; echo \"${{COMPREPLY[@]}}\""
    );
    // The script is longer than an argument may be.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("check.sh");
    std::fs::write(&file, check).unwrap();
    let bash = std::process::Command::new("bash").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "explain export", "{bash:?}");
    assert_eq!(findata(&["completions", "csh"]).run().code, Some(2));
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let home = Home::new();
    let folder = home.path().join("man/man1");
    let output = findata(&["man", "-o", folder.to_str().unwrap()]).no_key().run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    for (page, text) in [
        ("findata", "findata\\-export"),
        ("findata-run", "universe"),
        ("findata-export", "Parquet"),
    ] {
        let written = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(written.contains(".TH") && written.contains(text), "{page}: {written}");
    }
    assert!(findata(&["man"]).run().stdout.contains(".TH findata 1"));
    assert_eq!(findata(&["man", "-o", "/proc/no"]).run().code, Some(1));
}

#[test]
fn help_fits_the_width_of_the_terminal() {
    for command in ["export", "diff", "doctor", "completions", "man", "run"] {
        for (columns, widest) in [("80", 80), ("200", 110)] {
            let help = findata(&[command, "--help"]).variable("COLUMNS", columns).run().stdout;
            let width = help.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(
                help.contains("Usage: findata") && width <= widest,
                "{command}: {width} at {columns}\n{help}"
            );
        }
    }
}
