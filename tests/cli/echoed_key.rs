//! A server that echoes the API key in its responses, and runs behind a proxy.

use std::{ffi::OsString, net::Ipv4Addr, os::unix::ffi::OsStringExt, thread};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use findata_tests::{Home, Simulator, wait};
use tokio::net::TcpListener;

use super::{
    key::{KEY, forms, occurrences},
    outcome, run,
};

/// Starts a server that sends this response to every request. Returns its URL.
fn start(status: u16, headers: &'static [(&'static str, String)], body: String) -> String {
    let answer = move |_: Request| {
        let mut response: Response = (StatusCode::from_u16(status).unwrap(), body.clone()).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        async { response }
    };
    wait(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/stable", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        url
    })
}

#[test]
fn an_echoed_key_is_neither_stored_nor_printed() {
    let all = forms().join(" ");
    let row = format!(
        r#"[{{"symbol":"AAPL","companyName":"Apple {all}","price":1,"marketCap":2,"currency":"{KEY}","{KEY}":1}}]"#
    );
    let bad_row = format!(r#"[{{"symbol":"AAPL","companyName":{{"{KEY}":"{all}"}},"price":"{KEY}"}}]"#);
    let error = format!(r#"{{"Error Message":"Invalid {all}"}}"#);
    let location: &'static [_] = vec![("location", format!("/stable?apikey={KEY}"))].leak();
    let retry_after: &'static [_] = vec![("retry-after", KEY.to_owned())].leak();
    let answers = [
        (200, &[][..], row),
        (200, &[], bad_row),
        (200, &[], error.clone()),
        (200, &[], format!("<html>{all}</html>")),
        (200, &[], format!("[{{\"symbol\":\"{KEY}")),
        (302, location, format!("moved to {all}")),
        (400, &[], format!("Query Error: {all}")),
        (401, &[], error.clone()),
        (402, &[], error.clone()),
        (403, &[], error.clone()),
        (418, retry_after, all.clone()),
        (429, &[], r#"{"Error Message":"Bandwidth Limit Reach "}"#.replace("Reach", &all)),
        (500, retry_after, format!("<h1>{all}</h1>")),
    ];
    thread::scope(|scope| {
        for (status, headers, body) in answers {
            scope.spawn(move || {
                let (url, home) = (start(status, headers, body.clone()), Home::new());
                let output = run(&home, &url, "AAPL")
                    .key(KEY)
                    .arg("-vv")
                    .arg("--skip-analytics")
                    .option("--datasets", "profile")
                    .run();
                assert!(output.code.is_some_and(|code| code <= 4), "{output:#?}");
                assert_eq!(occurrences(&home, &output), Vec::<String>::new(), "{status} {body}");
                if body.contains("companyName\":\"Apple") {
                    assert_eq!(output.code, Some(0), "{output:#?}");
                    let name = home.text("select company_name from staging.profile");
                    assert_eq!(name, format!("Apple{}", " (FMP_API_KEY)".repeat(4)));
                }
            });
        }
    });
}

#[test]
fn a_server_on_this_machine_is_reached_without_the_proxy() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    // No process listens on this port.
    let proxy = "http://127.0.0.1:9";
    let output = run(&home, &server.url(), "AAPL")
        .variable("HTTP_PROXY", proxy)
        .variable("http_proxy", proxy)
        .variable("ALL_PROXY", proxy)
        .arg("--skip-analytics")
        .option("--datasets", "profile")
        .run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
}

#[test]
fn a_key_that_is_not_utf_8_gets_its_own_message() {
    let home = Home::new();
    let output = run(&home, "http://127.0.0.1:1/stable", "AAPL")
        .variable("FMP_API_KEY", OsString::from_vec(b"abc\xff\xfe12345".to_vec()))
        .run();
    let line = output.failed(5);
    assert!(line.contains("not UTF-8") && line.contains("FMP_API_KEY"), "{line}");
}
