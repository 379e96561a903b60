//! The script that sets up a Snowflake account: its values, its statements, its grammar, and the
//! objects that it creates on the fake Snowflake.

mod bad_values;
mod grammar;
mod on_the_fake;
mod script;

use findata_local::setup_sql::{self, Given, Values};
pub(crate) use on_the_fake::run_script;

/// The body of a 2048-bit public key made for these tests. The private key was discarded.
const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsDQktEXyp8jCjNn+IpRlylvHCFzASRP/q6hdgy68B0lp0+TvasNM9EnP\
    Ccm62Z8av35ItbUH8e2wXwVqKy2yGJjKnKPZofKkkCPJXga7b0TgaWvfi46u66wvdk/0sX1dYEFawhw2fKWylllsz8u1jsYrJDZj\
    jaNW4Rhb81gfJcfALxJEG8p0rVP9kWsccFUxagtWrACCk4dn9HoQCM/uwUrzqJ083QsSamzqqNZjM+eiKyRcOhVGLVlt8tUrAoiY\
    U83Pnvnaes4aWciqp0e0OzEB1hsuuvNC/t59b0B3NHiOQHnXS9M/YWFWiBhCnWhriYWoPtcu3uHObNbKlioDAQIDAQAB";

/// Wraps the body of a public key as PEM.
fn pem(body: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

fn defaults() -> Values {
    Values::of(&Given::default()).unwrap()
}

/// Values that all differ from the defaults.
fn given() -> Values {
    let pem = pem(KEY);
    let given = Given {
        bucket: Some("acme-data.eu"),
        prefix: Some("fin/data"),
        role_arn: Some("arn:aws:iam::123456789012:role/readers/acme"),
        public_key: Some(&pem),
        credits: Some("7"),
        name: Some("acme_dev"),
    };
    Values::of(&given).unwrap()
}

/// All scripts with their names.
fn scripts() -> Vec<(&'static str, String)> {
    vec![
        ("setup", setup_sql::setup(&defaults(), false, findata_tests::models())),
        ("setup with values", setup_sql::setup(&given(), false, findata_tests::models())),
        ("setup that rebuilds tables", setup_sql::setup(&given(), true, findata_tests::models())),
        ("rotate", setup_sql::rotate_key(&defaults())),
        ("rotate with a key", setup_sql::rotate_key(&given())),
        ("teardown", setup_sql::teardown(&defaults())),
        ("teardown with another name", setup_sql::teardown(&given())),
    ]
}

/// A statement without its leading comments.
fn code(statement: &str) -> String {
    let lines = statement.lines().skip_while(|line| line.trim().is_empty() || line.starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}
