//! `findata fmp-server`: the server has the key, plan, limits and data that its options choose.

use findata_tests::{Running, findata, wait, wait_until};

const KEY: &str = "secret-of-the-server";

/// A server with these options, and its URL.
fn server(options: &[&str]) -> (Running, String) {
    let start = &["fmp-server", "--symbols", "40", "--today", "2026-09-18"];
    let server = findata(&[&start[..], options].concat()).no_key().start();
    wait_until("the server prints its address", || server.stdout().contains("/stable"));
    let url = server.stdout().trim().to_owned();
    (server, url)
}

/// The status and the text of an answer.
fn get(url: &str, call: &str, key: &str) -> (u16, String) {
    wait(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{url}/{call}")).header("apikey", key).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}

#[test]
fn key_plan_limits_and_data_are_those_of_the_options() {
    let (usual, open) = server(&["--bulk-pause", "600"]);
    wait_until("the server says which key works", || usual.stderr().contains("any key works"));
    let (status, apple) = get(&open, "profile?symbol=AAPL", "anything");
    assert!(status == 200 && apple.contains("Apple"), "{status} {apple}");
    let bulk = || get(&open, "profile-bulk?part=0", "anything");
    let (first, second) = (bulk(), bulk());
    assert!(first.0 == 200 && first.1.contains("AAPL"), "{first:?}");
    assert!(second.0 == 200 && !second.1.contains("AAPL"), "a bulk call during the pause: {second:?}");

    let restricted = ["--key", KEY, "--plan", "starter", "--calls-per-minute", "5", "--seed", "7"];
    let (chosen, closed) = server(&restricted);
    wait_until("the server says which key works", || chosen.stderr().contains("--key works"));
    assert!(!chosen.stderr().contains(KEY), "{}", chosen.stderr());
    assert_eq!(get(&closed, "profile?symbol=AAPL", "anything").0, 401);
    let (status, other) = get(&closed, "profile?symbol=AAPL", KEY);
    assert!(status == 200 && other != apple, "another seed: {status} {other}");
    assert_eq!(get(&closed, "income-statement?symbol=AAPL&period=quarter", KEY).0, 402);
    let answers: Vec<u16> = (0..5).map(|_| get(&closed, "profile?symbol=KO", KEY).0).collect();
    assert_eq!((answers.first(), answers.last()), (Some(&200), Some(&429)), "{answers:?}");
    assert!(usual.kill() && chosen.kill());
}
