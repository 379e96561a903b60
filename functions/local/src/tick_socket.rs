//! Receives trades from FMP's WebSocket, as input of a tick stream.
//!
//! The message format comes from public clients and has not been compared with the real service. The client sends
//! `{"event": "login", "data": {"apiKey": ...}}` and, after an answer with status 200, `{"event": "subscribe", "data":
//! {"ticker": [...]}}` with symbols in lower case. A trade is `{"s": "aapl", "t": ..., "type": "T", "lp": price, "ls":
//! shares}`. Quotes (`Q`) and cancelled trades (`B`) are ignored. Trades have no ids.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, Symbol, clock::Clock};
use findata_stream::session::{Feed, gap_record};
use futures::{FutureExt, SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::{
    net::TcpStream,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, http::Uri},
};
use tokio_util::{either::Either, sync::CancellationToken};

use crate::tick_input::{Lines, TickRecord};

/// The feed of FMP's WebSocket.
pub const FEED: Feed = Feed { source: "fmp-websocket", is_continuous: true };
/// FMP's address for stocks.
pub const DEFAULT_URL: &str = "wss://websockets.financialmodelingprep.com";
/// Limit of each step of a connection: connecting, and the answer to the login.
const STEP: Duration = Duration::from_secs(10);
/// The client sends a ping after this time without a message, and gives the connection up after as much time again.
const SILENCE: Duration = Duration::from_secs(20);
/// The first pause before another connection. It doubles up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Most messages that are passed on at once.
const AT_ONCE: usize = 1_000;
/// Pieces of input that wait for the receiver. The client then stops reading, so that the server waits.
const WAITING: usize = 16;

type Connection = WebSocketStream<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>>;

/// What to receive.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Address of the server.
    pub url: String,
    /// The API key.
    pub key: SecretString,
    /// The symbols.
    pub symbols: Vec<Symbol>,
}

/// Why a connection ended.
enum End {
    /// It can be opened again.
    Lost(String),
    /// Another connection would end in the same way.
    Refused(Error),
    /// Nobody needs it any more.
    Stopped,
}

impl<E: std::error::Error> From<E> for End {
    fn from(error: E) -> Self {
        End::Lost(error.to_string())
    }
}

/// Checks an address. The key is only sent through TLS or to this machine.
///
/// # Errors
/// `Config` for another address.
pub fn check_url(url: &str) -> Result<()> {
    let wrong =
        || Error::Config(format!("--websocket {url}: use wss://HOST, or ws:// for a server on this machine"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match uri.scheme_str() {
        Some("wss") if uri.host().is_some() => Ok(()),
        Some("ws") if is_local => Ok(()),
        _ => Err(wrong()),
    }
}

/// Receives trades until `stop` is cancelled. A lost connection is opened again, and leaves the record of a gap, which
/// `note` tells.
pub fn receive(
    subscription: Subscription,
    clock: impl Clock + 'static,
    stop: CancellationToken,
    note: fn(&str),
) -> Receiver<Result<Lines>> {
    let (sender, receiver) = channel(WAITING);
    let mut client = Client {
        subscription,
        clock,
        sender,
        lost: None,
        last_message: DateTime::default(),
        is_ready: false,
    };
    client.last_message = client.clock.latest();
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        loop {
            client.is_ready = false;
            let end = tokio::select! {
                end = client.connection() => end,
                () = stop.cancelled() => return,
            };
            let reason = match end {
                Ok(()) | Err(End::Stopped) => return,
                Err(End::Refused(error)) => return drop(client.sender.send(Err(error)).await),
                Err(End::Lost(reason)) => reason,
            };
            if client.is_ready {
                pause = FIRST_PAUSE;
            }
            note(&format!("the connection to {} is lost: {reason}", client.subscription.url));
            client.lost.get_or_insert((client.last_message, reason));
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
    receiver
}

struct Client<C> {
    subscription: Subscription,
    clock: C,
    sender: Sender<Result<Lines>>,
    /// When the last message before the present gap arrived, and why the connection ended.
    lost: Option<(DateTime<Utc>, String)>,
    last_message: DateTime<Utc>,
    /// Whether the present connection has been subscribed.
    is_ready: bool,
}

impl<C: Clock> Client<C> {
    async fn connection(&mut self) -> Result<(), End> {
        let mut connection = timeout(STEP, connect(&self.subscription.url)).await??;
        let key = self.subscription.key.expose_secret().trim();
        send(&mut connection, &json!({"event": "login", "data": {"apiKey": key}})).await?;
        timeout(STEP, logged_in(&mut connection)).await??;
        let symbols: Vec<String> =
            self.subscription.symbols.iter().map(|symbol| symbol.as_str().to_lowercase()).collect();
        send(&mut connection, &json!({"event": "subscribe", "data": {"ticker": symbols}})).await?;
        let now = self.clock.latest();
        self.is_ready = true;
        if let Some((start, reason)) = self.lost.take() {
            let reason: String =
                reason.chars().filter(|c| c.is_ascii() && !c.is_control()).take(120).collect();
            let gap = gap_record(FEED.source, start.min(now), now, &reason);
            self.pass_on(&[gap], now).await?;
        }
        self.last_message = now;
        loop {
            let deadline = Instant::now() + SILENCE;
            let message = match tokio::time::timeout_at(deadline, connection.next()).await {
                Ok(message) => message,
                Err(_) => {
                    connection.send(Message::Ping(Vec::new().into())).await?;
                    timeout(SILENCE, connection.next()).await?
                }
            };
            let mut records = Vec::new();
            let mut next = Some(message);
            let mut end = None;
            while let Some(message) = next.take() {
                match message {
                    Some(Ok(Message::Text(text))) => records.extend(record(&text)),
                    Some(Ok(Message::Binary(data))) => {
                        records.extend(record(&String::from_utf8_lossy(&data)))
                    }
                    Some(Ok(Message::Close(_))) | None => {
                        end = Some("the server closed the connection".to_owned())
                    }
                    Some(Err(error)) => end = Some(error.to_string()),
                    Some(Ok(_)) => {}
                }
                if end.is_none() && records.len() < AT_ONCE {
                    next = connection.next().now_or_never();
                }
            }
            let now = self.clock.latest();
            if !records.is_empty() {
                self.pass_on(&records, now).await?;
            }
            match end {
                Some(reason) => return Err(End::Lost(reason)),
                None => self.last_message = now,
            }
        }
    }

    async fn pass_on(&self, records: &[String], now: DateTime<Utc>) -> Result<(), End> {
        self.sender.send(Ok(Lines::of(records, now))).await.map_err(|_| End::Stopped)
    }
}

async fn connect(url: &str) -> Result<Connection, End> {
    let uri: Uri = url.parse()?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_secure = uri.scheme_str() == Some("wss");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host.as_str(), port)).await?;
    tcp.set_nodelay(true)?;
    let stream = match is_secure {
        false => Either::Left(tcp),
        true => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(host)?;
            Either::Right(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
        }
    };
    Ok(client_async(url, stream).await?.0)
}

async fn send(connection: &mut Connection, message: &serde_json::Value) -> Result<(), End> {
    Ok(connection.send(Message::text(message.to_string())).await?)
}

#[derive(Deserialize)]
struct Event {
    event: String,
    status: Option<u16>,
    message: Option<String>,
}

/// Waits for the answer to the login.
async fn logged_in(connection: &mut Connection) -> Result<(), End> {
    while let Some(message) = connection.next().await {
        let Message::Text(text) = message? else { continue };
        let Ok(event) = serde_json::from_str::<Event>(&text) else {
            continue;
        };
        if event.event != "login" {
            continue;
        }
        let message = event.message.unwrap_or_default();
        return match event.status {
            None | Some(200..=299) => Ok(()),
            Some(status @ 401..=403) => Err(End::Refused(Error::Stop(format!(
                "FMP's WebSocket refused the key ({status} {message}): check FMP_API_KEY, and whether the plan includes it"
            )))),
            Some(status) => Err(End::Lost(format!("the login failed: {status} {message}"))),
        };
    }
    Err(End::Lost("the server closed the connection during the login".into()))
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    s: Option<String>,
    t: Option<i64>,
    #[serde(borrow)]
    lp: Option<&'a RawValue>,
    #[serde(borrow)]
    ls: Option<&'a RawValue>,
}

/// The record of a message; `None` if the message is not a trade. An unreadable message is passed on, so that it is
/// quarantined.
fn record(text: &str) -> Option<String> {
    let unreadable = || Some(text.replace(['\n', '\r'], " "));
    let Ok(message) = serde_json::from_str::<Received<'_>>(text) else {
        return unreadable();
    };
    if message.kind.as_deref() != Some("T") {
        return None;
    }
    let symbol = message.s.unwrap_or_default().to_uppercase();
    let record = TickRecord {
        id: None,
        symbol: &symbol,
        price: message.lp,
        size: message.ls,
        exchange_time: message.t.and_then(time),
        source: FEED.source,
    };
    serde_json::to_string(&record).ok().or_else(unreadable)
}

/// A time in seconds, milliseconds, microseconds or nanoseconds since 1970. Public clients disagree about the unit.
fn time(t: i64) -> Option<DateTime<Utc>> {
    match t.unsigned_abs() {
        0..100_000_000_000 => DateTime::from_timestamp(t, 0),
        100_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(t),
        100_000_000_000_000..100_000_000_000_000_000 => DateTime::from_timestamp_micros(t),
        _ => Some(DateTime::from_timestamp_nanos(t)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_become_records_and_other_messages_are_ignored() {
        for t in ["1795187000", "1795187000000", "1795187000000000", "1795187000000000000"] {
            let message =
                format!(r#"{{"s": "brk-b", "t": {t}, "type": "T", "lp": 512.10, "ls": 100, "ap": null}}"#);
            assert_eq!(
                record(&message).unwrap(),
                r#"{"symbol":"BRK-B","price":512.10,"size":100,"exchange_time":"2026-11-20T15:03:20Z","source":"fmp-websocket"}"#
            );
        }
        for ignored in [
            r#"{"s": "aapl", "t": 1795187000000, "type": "Q", "ap": 1.1, "as": 3, "bp": 1, "bs": 2}"#,
            r#"{"event": "subscribe", "status": 200, "message": "Subscribed to aapl"}"#,
            r#"{"event": "heartbeat", "timestamp": 1795187000000}"#,
        ] {
            assert_eq!(record(ignored), None);
        }
        assert_eq!(record("no\nJSON").unwrap(), "no JSON");
        assert!(record(r#"{"type": "T"}"#).unwrap().contains(r#""price":null,"#));
    }

    #[test]
    fn the_key_is_only_sent_through_tls_or_to_this_machine() {
        for url in [DEFAULT_URL, "ws://127.0.0.1:9", "ws://localhost:9/x"] {
            check_url(url).unwrap();
        }
        for url in ["ws://example.com", "http://127.0.0.1", "wss", "", "ws://127.0.0.1.example.com"] {
            assert!(matches!(check_url(url), Err(Error::Config(_))), "{url}");
        }
    }
}
