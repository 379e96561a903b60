//! Tests of the client with a scripted server. The clock is paused, so waits of minutes take no
//! time.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use bytes::Bytes;
use chrono::DateTime;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use secrecy::SecretString;
use tokio::time::Instant;

use super::*;
use crate::{FmpPlan, transport::Exchanged};
use findata_domain::Error;

const BOUND: Duration = MAX_CALL_TIME;
const ENDPOINTS: [&str; 4] = ["profile", "prices", "splits", "dividends"];

/// A response of the scripted server.
enum Reply {
    Rows,
    Limited,
    LimitedFor(u64),
    Unavailable(Option<u64>),
    Rejected,
    Silence,
}

use Reply::{Limited, LimitedFor, Rejected, Rows, Silence, Unavailable};

/// A server that responds after 100 ms. The script receives the endpoint, the symbol and the number
/// of the request.
struct Script<F> {
    script: F,
    requests: Arc<AtomicU32>,
}

impl<F: Fn(&str, &str, u32) -> Reply + Send + Sync> Exchange for Script<F> {
    fn exchange<'a>(
        &'a self,
        endpoint: &'a str,
        parameters: &'a [(&'a str, String)],
        _: &'a HeaderValue,
    ) -> BoxFuture<'a, Exchanged> {
        Box::pin(async move {
            let number = self.requests.fetch_add(1, Relaxed) + 1;
            let symbol = parameters.first().map_or("", |(_, symbol)| symbol.as_str());
            let reply = (self.script)(endpoint, symbol, number);
            tokio::time::sleep(Duration::from_millis(100)).await;
            let limited = |seconds: Option<u64>| Failure::CallLimit {
                message: "FMP's call limit is reached".into(),
                retry_after: seconds.map(Duration::from_secs),
            };
            let outcome = match reply {
                Rows => Ok(Some(Bytes::from_static(b"[{}]"))),
                Limited => Err(limited(None)),
                LimitedFor(seconds) => Err(limited(Some(seconds))),
                Unavailable(seconds) => Err(Failure::Transient {
                    message: "503".into(),
                    retry_after: seconds.map(Duration::from_secs),
                }),
                Rejected => Err(Failure::Rejected("400".into())),
                Silence => std::future::pending().await,
            };
            (1, outcome)
        })
    }
}

/// A client and the number of requests that it has made.
fn client(script: impl Fn(&str, &str, u32) -> Reply + Send + Sync + 'static) -> (Fmp, Arc<AtomicU32>) {
    let settings = ClientSettings {
        url: "http://127.0.0.1:1/stable".into(),
        key: SecretString::from("a-key-of-the-tests"),
        plan: FmpPlan::Unlimited,
        bytes: None,
        burst: None,
        in_flight: 64,
        limit_pause: LIMIT_PAUSE,
        bulk_pause: Duration::ZERO,
        time_scale: Default::default(),
    };
    let requests = Arc::new(AtomicU32::new(0));
    let exchange = Box::new(Script { script, requests: Arc::clone(&requests) });
    let fmp = Fmp::with_exchange(&settings, settings.url.clone(), exchange, Arc::default()).unwrap();
    fmp.begin(&run(1));
    (fmp, requests)
}

fn run(number: u32) -> CallContext {
    CallContext {
        run: RunId::new(DateTime::default(), number),
        begun: DateTime::default(),
        max_calls: None,
    }
}

/// The outcome of one task, and the time until it was known.
struct Outcome {
    endpoint: &'static str,
    symbol: String,
    body: Result<Option<Bytes>>,
    after: Duration,
}

/// Calls each endpoint for each of `symbols` symbols, 64 calls at a time, like the extract
/// function.
async fn fetch(fmp: &Fmp, endpoints: &[&'static str], symbols: usize) -> Vec<Outcome> {
    let begun = Instant::now();
    let tasks = (0..symbols)
        .flat_map(|symbol| endpoints.iter().map(move |endpoint| (*endpoint, format!("S{symbol}"))));
    let calls = tasks.map(|(endpoint, symbol)| async move {
        let body = fmp.get(endpoint, &[("symbol", symbol.clone())]).await.body;
        Outcome { endpoint, symbol, body, after: begun.elapsed() }
    });
    stream::iter(calls).buffer_unordered(64).collect().await
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let output = work.await;
    (output, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_lasts_ends_all_tasks_as_budget_within_three_minutes() {
    for (endpoints, symbols) in [(&ENDPOINTS[..], 1_000), (&ENDPOINTS[..1], 1_000), (&ENDPOINTS[..], 5)] {
        let (fmp, requests) = client(|_, _, _| Limited);
        let (outcomes, time) = timed(fetch(&fmp, endpoints, symbols)).await;
        let number = outcomes.len();
        assert!(time <= BOUND, "{number} tasks took {time:?}");
        assert!(outcomes.iter().all(|o| matches!(o.body, Err(Error::Budget(_) | Error::CallLimit(_)))));
        let requests = requests.load(Relaxed);
        assert!(requests < 64 * 12, "{requests} requests for {number} tasks");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_limit_ends_the_calls_of_its_run_but_not_of_the_next_run() {
    let (fmp, requests) = client(|_, _, number| if number < 900 { Limited } else { Rows });
    let outcomes = fetch(&fmp, &ENDPOINTS, 100).await;
    assert!(
        outcomes
            .iter()
            .any(|o| matches!(&o.body, Err(Error::Budget(why)) if why.contains("3 minutes")))
    );
    let made = requests.swap(1_000, Relaxed);
    assert!(made < 900, "{made}");
    fmp.begin(&run(1));
    assert!(fetch(&fmp, &ENDPOINTS, 10).await.iter().all(|o| matches!(o.body, Err(Error::Budget(_)))));
    assert_eq!(requests.load(Relaxed), 1_000);
    fmp.begin(&run(2));
    assert!(fetch(&fmp, &ENDPOINTS, 10).await.iter().all(|o| o.body.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_limited_endpoint_fails_its_own_tasks_only() {
    // Calls to other endpoints continue for 400 s, longer than the three minutes that exhaust an
    // endpoint.
    let (fmp, requests) = client(|endpoint, _, _| if endpoint == "splits" { Limited } else { Rows });
    let (limited, others) = tokio::join!(fetch(&fmp, &["splits"], 1_000), async {
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let answers = timed(fetch(&fmp, &["profile", "prices"], 1)).await;
            assert!(answers.0.iter().all(|o| o.body.is_ok()) && answers.1 < Duration::from_secs(1));
        }
    });
    let () = others;
    for outcome in limited {
        assert!(matches!(outcome.body, Err(Error::CallLimit(_))), "{:?}", outcome.body);
        assert!(outcome.after <= BOUND, "{:?}", outcome.after);
    }
    let requests = requests.load(Relaxed) - 800;
    assert!(requests < 64 * 12, "{requests}");
}

#[tokio::test(start_paused = true)]
async fn a_limited_symbol_delays_no_other_symbol() {
    let (fmp, requests) =
        client(|endpoint, symbol, _| if (endpoint, symbol) == ("splits", "S3") { Limited } else { Rows });
    let outcomes = fetch(&fmp, &ENDPOINTS, 250).await;
    for outcome in outcomes {
        if (outcome.endpoint, outcome.symbol.as_str()) == ("splits", "S3") {
            assert!(matches!(outcome.body, Err(Error::CallLimit(_))), "{:?}", outcome.body);
            assert!(outcome.after <= BOUND, "{:?}", outcome.after);
        } else {
            assert!(outcome.body.is_ok() && outcome.after < Duration::from_secs(3), "{:?}", outcome.after);
        }
    }
    assert_eq!(requests.load(Relaxed), 999 + 9);
    assert_eq!((fmp.stats().limit_answers(), fmp.stats().limit_seconds() > 100.0), (9, true));
}

#[tokio::test(start_paused = true)]
async fn isolated_limit_answers_do_not_stop_other_calls() {
    // Every tenth response is a call-limit response.
    let (fmp, requests) = client(|_, _, number| if number.is_multiple_of(10) { Limited } else { Rows });
    let (outcomes, time) = timed(fetch(&fmp, &ENDPOINTS, 250)).await;
    assert!(outcomes.iter().all(|o| o.body.is_ok()));
    assert!((1_100..1_130).contains(&requests.load(Relaxed)));
    // 1,000 calls of 100 ms, 64 at a time, take 1.6 s. A repeated call pauses for one or two
    // seconds.
    assert!(time < Duration::from_secs(20), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn half_of_the_responses_may_be_call_limit_responses() {
    let (fmp, requests) = client(|_, _, _| if fastrand::bool() { Limited } else { Rows });
    let (outcomes, time) = timed(fetch(&fmp, &ENDPOINTS, 200)).await;
    let failed = outcomes.iter().filter(|o| o.body.is_err()).count();
    assert!(failed < 12, "{failed} of 800 failed, about one in 512 does");
    assert!(time < BOUND * 2 && requests.load(Relaxed) < 2_000, "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_ends_in_time_fails_no_task() {
    let opens = Instant::now() + Duration::from_secs(61);
    let (fmp, requests) = client(move |_, _, _| if Instant::now() < opens { Limited } else { Rows });
    let (outcomes, time) = timed(fetch(&fmp, &ENDPOINTS, 250)).await;
    assert!(outcomes.iter().all(|o| o.body.is_ok()));
    assert!(time < Duration::from_secs(130), "{time:?}");
    let surplus = requests.load(Relaxed) - 1_000;
    assert!(surplus < 64 * 8, "{surplus} calls in vain");
}

#[tokio::test(start_paused = true)]
async fn a_good_response_resets_the_count_of_the_key() {
    // One endpoint sends only call-limit responses. Another endpoint is called once a minute and
    // works.
    let (fmp, _) = client(|endpoint, _, _| if endpoint == "splits" { Limited } else { Rows });
    for _ in 0..6 {
        let call = tokio::time::timeout(Duration::from_secs(60), fmp.get("splits", &[]));
        assert!(call.await.is_err() || fmp.call_limits.is_exhausted("splits"));
        assert!(fmp.get("profile", &[]).await.body.is_ok());
    }
    assert!(fmp.halted().is_none());
}

#[tokio::test(start_paused = true)]
async fn all_waits_of_one_call_together_are_bounded() {
    let scripts: [fn(&str, &str, u32) -> Reply; 5] = [
        |_, _, _| LimitedFor(120),
        |_, _, _| Unavailable(Some(120)),
        |_, _, _| Unavailable(None),
        |_, _, _| Silence,
        |_, _, number| {
            if number.is_multiple_of(2) {
                LimitedFor(50)
            } else {
                Unavailable(Some(50))
            }
        },
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let (fmp, _) = client(script);
        let (answer, time) = timed(fmp.get("splits", &[])).await;
        assert!(answer.body.is_err() && time <= BOUND, "{number}: {time:?}");
        assert!(fmp.stats().longest_seconds() <= BOUND.as_secs_f64());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_end_as_soon_as_the_client_halts() {
    let (fmp, _) = client(|_, symbol, _| if symbol == "S0" { Rejected } else { LimitedFor(110) });
    let symbol = [("symbol", "S1".to_owned())];
    let waiting = fmp.get("splits", &symbol);
    let halting = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        fmp.halt_if_needed(&Failure::RefusedAccess("403".into())).await;
    };
    let ((answer, ()), time) = timed(async { tokio::join!(waiting, halting) }).await;
    assert!(matches!(answer.body, Err(Error::Stop(_))) && time < Duration::from_secs(6), "{time:?}");
    assert!(fmp.get("splits", &[("symbol", "S0".into())]).now_or_never().is_some());
}
