//! The API key is sent in a request header and appears nowhere else.

use std::fs;

use findata_tests::{Home, Output, Simulator};

use super::run;

pub(super) const KEY: &str = "k3y-that-must-never-be-seen-4711";

/// The forms in which a server may repeat the key: as sent, in upper case, and escaped as in JSON
/// and in a URL.
pub(super) fn forms() -> [String; 4] {
    let unicode = |c: char| format!("\\u{:04x}", u32::from(c));
    let percent = |c: char| format!("%{:02X}", u32::from(c));
    [
        KEY.to_owned(),
        KEY.to_uppercase(),
        KEY.chars().map(unicode).collect(),
        KEY.chars().map(percent).collect(),
    ]
}

/// Returns the outputs and files in which any form of the key occurs.
pub(super) fn occurrences(home: &Home, output: &Output) -> Vec<String> {
    let (mut found, forms) = (Vec::new(), forms());
    for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        found.extend(forms.iter().any(|form| text.contains(form)).then(|| name.to_owned()));
    }
    for path in home.files() {
        let body = fs::read(&path).unwrap();
        let mut bodies = vec![body.clone()];
        if path.extension().is_some_and(|e| e == "gz") {
            let mut plain = Vec::new();
            let _ = std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&body[..]), &mut plain);
            bodies.push(plain);
        }
        let contains =
            |form: &String| bodies.iter().any(|b| b.windows(form.len()).any(|w| w == form.as_bytes()));
        if forms.iter().any(contains) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn no_run_writes_or_prints_the_key() {
    let faults = [
        "empty=ratios-ttm",
        "unauthorized",
        "forbidden",
        "server-error=x1",
        "truncated",
        "reset=x1",
        "error-object",
        "bandwidth",
        "html=x1",
        "not-found",
    ];
    // In parallel, because a run with a permanent fault spends seconds waiting between attempts.
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let (server, home) = (Simulator::with_faults(12, &[fault]), Home::new());
                let command = run(&home, &server.url(), "AAPL,NOSUCH")
                    .key(KEY)
                    .arg("-vv")
                    .option("--datasets", "profile,income_statement");
                // Only the fault-free run computes figures. The other runs need only produce
                // output.
                let output = if fault.starts_with("empty") {
                    command
                } else {
                    command.arg("--skip-analytics")
                }
                .run();
                assert!(server.calls() > 0 && !output.stderr.is_empty(), "{output:#?}");
                assert_eq!(occurrences(&home, &output), Vec::<String>::new(), "{fault}");
            });
        }
    });
}

#[test]
fn the_key_is_not_printed_when_the_server_is_down_or_the_key_cannot_be_sent() {
    let home = Home::new();
    let url = Simulator::with_symbols(12).url();
    let output = run(&home, &url, "AAPL").key(KEY).arg("-vv").option("--datasets", "profile").run();
    assert_eq!(output.code, Some(1), "{output:#?}");
    assert_eq!(occurrences(&home, &output), Vec::<String>::new());
    let malformed = run(&home, &url, "AAPL").key(&format!("{KEY}\u{7f}\u{1}")).arg("-vv").run();
    assert_eq!(malformed.code, Some(5), "{malformed:#?}");
    assert_eq!(occurrences(&home, &malformed), Vec::<String>::new());
}

#[test]
fn the_search_for_the_key_works() {
    let home = Home::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, format!("x{KEY}x").as_bytes()).unwrap();
    fs::write(home.path().join("a.gz"), packed.finish().unwrap()).unwrap();
    let output = Output {
        code: Some(0),
        stdout: String::new(),
        stderr: format!("apikey={KEY}"),
    };
    assert_eq!(occurrences(&home, &output).len(), 2);
}
