//! Values that contain SQL, and values that AWS or Snowflake would reject.

use std::fs;

use findata_local::setup_sql::{Given, Values};
use findata_tests::{Home, findata};

use super::{KEY, pem};

/// Texts that would end a string literal, a name or a line.
const BAD: [&str; 12] = [
    "x'; drop database findata; --",
    "'",
    "''",
    "a\\",
    "a\nb",
    "a;b",
    "a\"b",
    "a--b c",
    "$$",
    "&name",
    "a\u{2019}b",
    "a\0b",
];

fn rejection(given: Given<'_>) -> String {
    Values::of(&given)
        .map(|values| panic!("{given:?} is accepted: {values:?}"))
        .unwrap_err()
        .join("; ")
}

#[test]
fn no_value_can_inject_sql() {
    for text in BAD {
        let bad = Some(text);
        assert!(rejection(Given { bucket: bad, ..Given::default() }).contains("--bucket"));
        assert!(rejection(Given { prefix: bad, ..Given::default() }).contains("--prefix"));
        assert!(rejection(Given { role_arn: bad, ..Given::default() }).contains("--role-arn"));
        assert!(rejection(Given { credits: bad, ..Given::default() }).contains("--credits"));
        assert!(rejection(Given { name: bad, ..Given::default() }).contains("--name"));
        let arn = format!("arn:aws:iam::123456789012:role/{text}");
        assert!(rejection(Given { role_arn: Some(&arn), ..Given::default() }).contains("--role-arn"));
        let key = pem(&format!("{}{text}", &KEY[..100]));
        assert!(rejection(Given { public_key: Some(&key), ..Given::default() }).contains("--public-key"));
    }
}

#[test]
fn names_follow_the_rules_of_aws_and_snowflake() {
    for bad in [
        "",
        "ab",
        "Abc",
        "a_b",
        "abc-",
        ".abc",
        "a..b",
        "192.168.5.4",
        "xn--abc",
        "abc-s3alias",
        &"a".repeat(64),
    ] {
        assert!(rejection(Given { bucket: Some(bad), ..Given::default() }).contains("--bucket"), "{bad}");
    }
    for good in ["abc", "a.b-c.9", "1ab", "a--b", &"a".repeat(63)] {
        assert!(Values::of(&Given { bucket: Some(good), ..Given::default() }).is_ok(), "{good}");
    }
    for bad in ["/home", "home/", "a//b", "..", "a/../b", ".", "s3://x", "ä", &"a".repeat(201)] {
        assert!(rejection(Given { prefix: Some(bad), ..Given::default() }).contains("--prefix"), "{bad}");
    }
    for good in ["", "home", "a/b=c/d.e_f-G"] {
        assert!(Values::of(&Given { prefix: Some(good), ..Given::default() }).is_ok(), "{good}");
    }
    for bad in [
        "",
        "findata",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/",
        "arn:aws-cn:iam::123456789012:role/x",
        "arn:aws:iam::12345678901a:role/x",
        "arn:aws:iam::123456789012:role//x",
    ] {
        assert!(
            rejection(Given { role_arn: Some(bad), ..Given::default() }).contains("--role-arn"),
            "{bad}"
        );
    }
    for bad in ["", "0", "-1", "+1", "1.5", "1e3", "100001", "4294967297"] {
        assert!(rejection(Given { credits: Some(bad), ..Given::default() }).contains("--credits"), "{bad}");
    }
    for bad in ["", "Findata", "1a", "_a", "a-b", "a.b", "snowflake", "select", "table", &"a".repeat(61)] {
        assert!(rejection(Given { name: Some(bad), ..Given::default() }).contains("--name"), "{bad}");
    }
}

#[test]
fn only_a_complete_rsa_public_key_is_accepted_and_a_private_key_is_not_echoed() {
    let body = KEY
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line))
        .collect::<Vec<_>>()
        .join("\r\n");
    assert!(
        Values::of(&Given { public_key: Some(&pem(&body)), ..Given::default() }).is_ok(),
        "a key in several lines"
    );
    let private = "-----BEGIN PRIVATE KEY-----\nMIIEvSECRET\n-----END PRIVATE KEY-----\n";
    let short = pem(&KEY[..KEY.len() - 64]);
    let small = pem("MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7");
    let elliptic = pem(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1qLdUZFuVuzrSCbV6xJ5c0mPRdVZxbKXVn2M8bbVUPq0Rq3mYJvHnh2lJjxYnb0Dq4V2Cz5aY0bq0JxA4Wn1Jg==",
    );
    for bad in [
        "",
        KEY,
        private,
        &short,
        &small,
        &elliptic,
        "-----BEGIN PUBLIC KEY-----",
        &pem(""),
        &pem("é"),
    ] {
        let message = rejection(Given { public_key: Some(bad), ..Given::default() });
        assert!(message.contains("--public-key") && !message.contains("SECRET"), "{message}");
    }
}

#[test]
fn all_invalid_values_are_named_in_one_message() {
    let home = Home::new();
    let key = home.path().join("key.pem");
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nMIIEvSECRET\n-----END PRIVATE KEY-----\n").unwrap();
    let bad = ["--bucket", "A", "--prefix", "/x", "--role-arn", "x", "--credits", "none", "--name", "a'b"];
    let command =
        |key: &str| findata(&[&["setup-sql"][..], &bad, &["--public-key", key]].concat()).no_key().run();
    let output = command(key.to_str().unwrap());
    let line = output.failed(2);
    for option in ["--bucket", "--prefix", "--role-arn", "--credits", "--name", "--public-key"] {
        assert!(line.contains(option), "{option} is missing in {line}");
    }
    assert!(output.stdout.is_empty() && !line.contains("SECRET"), "{output:#?}");
    let output = command("/no/such/file");
    let line = output.failed(2);
    assert!(
        line.contains("--public-key: cannot read /no/such/file") && line.contains("--bucket"),
        "{line}"
    );
}
