//! Tests of keys, paths, limits and faults over HTTP.

use super::{Fault, FmpServer, Options, start};
use serde_json::Value;
use std::io::{Read, Write};
use std::time::Duration;

/// Sends a request over a new connection. Returns the status, the headers and the body.
async fn get(server: &FmpServer, path: &str, headers: &'static str) -> (u16, String, Vec<u8>) {
    let (address, path) = (server.address, path.to_owned());
    let read = move || {
        let mut stream = std::net::TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
            .expect("write");
        let mut all = Vec::new();
        let _ = stream.take(3 << 20).read_to_end(&mut all);
        let split = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(all.len());
        let body = all.get(split + 4..).unwrap_or_default().to_vec();
        let head = String::from_utf8_lossy(&all[..split]).into_owned();
        (head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0), head, body)
    };
    tokio::task::spawn_blocking(read).await.expect("join")
}

async fn server(faults: &[&str], change: impl FnOnce(&mut Options)) -> FmpServer {
    let faults: Vec<Fault> = faults.iter().map(|f| f.parse().expect("fault")).collect();
    let mut options = Options { symbols: 60, faults, ..Options::default() };
    change(&mut options);
    start(options).await.expect("start")
}

const KEY: &str = "apikey: k\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_checks_keys_paths_and_limits() {
    let server = server(&[], |o| (o.key, o.calls_per_minute) = (Some("k".to_owned()), Some(3))).await;
    assert_eq!(get(&server, "/stable/profile?symbol=AAPL", "").await.0, 401);
    assert_eq!(get(&server, "/stable/profile?symbol=AAPL&apikey=wrong", "").await.0, 401);
    assert_eq!(get(&server, "/stable/profile?symbol=AAPL&apikey=k", "").await.0, 200);
    let (status, head, body) = get(&server, "/stable/nothing", KEY).await;
    assert_eq!((status, body.as_slice()), (404, b"[]".as_slice()));
    assert!(head.contains("content-type: application/json"));
    let (_, head, body) =
        get(&server, "/stable/income-statement?symbol=MSFT", "apikey: k\r\naccept-encoding: gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(body.windows(2).any(|w| w == [0x1f, 0x8b]));
    let (status, _, body) = get(&server, "/stable/profile?symbol=AAPL", KEY).await;
    assert!(status == 429 && String::from_utf8_lossy(&body).contains("Limit Reach ."));
    assert_eq!((server.calls(), server.calls_by_endpoint()["profile"]), (6, 4));
    assert!(server.peak_connections() >= 1 && server.url().ends_with("/stable"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_changes_the_response_as_documented() {
    let faults = [
        "server-error=x1,KO",
        "truncated=AAPL",
        "reset=MSFT",
        "endless=AMZN",
        "gzip-bomb=WMT",
        "stall=1s,XOM",
        "missing-field=NVDA",
        "slow=0.2s,META",
        "limit-on-200=JNJ",
    ];
    let server = server(&faults, |_| {}).await;
    let path = |symbol: &str| format!("/stable/profile?symbol={symbol}");
    assert_eq!(get(&server, &path("KO"), KEY).await.0, 500);
    assert_eq!(get(&server, &path("KO"), KEY).await.0, 200);
    let (status, head, body) = get(&server, &path("AAPL"), KEY).await;
    assert!(status == 200 && head.contains(&format!("content-length: {}", body.len())));
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    let (_, _, body) = get(&server, &path("MSFT"), KEY).await;
    assert!(!body.is_empty() && !body.ends_with(b"0\r\n\r\n"));
    assert!(get(&server, &path("AMZN"), KEY).await.2.len() > 2 << 20);
    let (_, head, body) = get(&server, &path("WMT"), KEY).await;
    assert!(head.contains("content-encoding: gzip") && body.len() > 10_000);
    let started = std::time::Instant::now();
    assert_eq!(get(&server, &path("XOM"), KEY).await.0, 200);
    assert!(started.elapsed() >= Duration::from_secs(1));
    let body = get(&server, &path("NVDA"), KEY).await.2;
    let rows: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
    assert!(rows[0].get("price").is_none() && rows[0].get("marketCap").is_some());
    assert_eq!(get(&server, &path("META"), KEY).await.0, 200);
    assert_eq!(get(&server, &path("JNJ"), KEY).await.0, 200);
    assert_eq!(server.faults().values().sum::<u64>(), 9);
    server.shutdown().await;
}

#[test]
fn the_delay_of_a_call_varies_by_the_jitter() {
    let milliseconds = |latency, jitter| {
        let options = Options {
            latency: Duration::from_millis(latency),
            jitter: Duration::from_millis(jitter),
            ..Options::default()
        };
        let delays: Vec<f64> = (1..=1_000).map(|call| options.delay(call).as_secs_f64() * 1e3).collect();
        let mean = delays.iter().sum::<f64>() / 1e3;
        let shortest = delays.iter().copied().fold(f64::MAX, f64::min);
        (shortest, mean, delays.iter().copied().fold(0.0, f64::max))
    };
    let (shortest, mean, longest) = milliseconds(120, 40);
    assert!(
        (80.0..81.0).contains(&shortest) && (159.0..=160.0).contains(&longest),
        "{shortest} {longest}"
    );
    assert!((118.0..122.0).contains(&mean), "{mean}");
    assert_eq!(milliseconds(120, 0), (120.0, 120.0, 120.0));
    let (shortest, _, longest) = milliseconds(10, 40);
    assert!(shortest < 1.0 && (49.0..=50.0).contains(&longest), "{shortest} {longest}");
}
