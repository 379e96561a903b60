//! `doctor`: the configuration and the checks.

use findata_tests::findata;

use super::{fits_all_widths, home};

#[test]
fn settings_and_checks_fit() {
    let doctor = || findata(&["doctor"]).home(home());
    let (narrow, wide) = fits_all_widths(&doctor);
    let json = doctor().arg("--json").run().json();
    assert_eq!(json["schema_version"], 1);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for setting in json["settings"].as_array().unwrap() {
        for key in ["name", "value", "source"] {
            for word in words(setting[key].as_str().unwrap()) {
                assert!(narrow.contains(&word) && wide.contains(&word), "{word}: {narrow}");
            }
        }
    }
    assert!(wide.contains("can be written, read and listed"), "{wide}");
}
