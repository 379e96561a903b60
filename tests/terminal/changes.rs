//! `diff`: the changes between two runs.

use chrono::Days;
use findata_fmp_simulator::Options;
use findata_tests::{Home, Job, Simulator, findata, today};

use super::{SYMBOLS, fits_all_widths, home};

#[test]
fn every_change_is_listed_at_every_width() {
    let (home, next) = (Home::copy_of(home()), today() + Days::new(3));
    let options = Options {
        symbols: 41,
        today: next,
        anchor: Some(today()),
        revision: 1,
        ..Options::default()
    };
    Job::new(Simulator::start(options).url(), &SYMBOLS).on(next).days(500).run_ok(&home);
    let diff = |more: &[&str]| findata(&[&["diff"], more].concat()).home(&home).no_key();
    let all = diff(&["--json", "--limit", "100000"]).run().json();
    assert_eq!(all["schema_version"], 1);
    let (narrow, wide) = fits_all_widths(&|| diff(&["--limit", "100000"]));
    let changes = all["changes"].as_array().unwrap();
    assert!(changes.len() > 100, "{}", changes.len());
    for text in [&narrow, &wide] {
        let lines = text.lines().filter(|line| line.starts_with("  ") && line.contains(" -> "));
        assert_eq!(lines.count(), changes.len());
    }
    for change in changes {
        assert!(wide.contains(&format!("\n  {}", change["metric"].as_str().unwrap())), "{change}");
    }
}
