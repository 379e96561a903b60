//! FMP's WebSocket with synthetic trades. It speaks the messages of public clients, which have not been compared with
//! the real service: a login, then subscriptions of symbols in lower case, then trades.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use findata_domain::clock::{Clock, SystemClock};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Options;
use super::rng::Draw;

/// Exchange time between two trades.
const STEP: TimeDelta = TimeDelta::milliseconds(50);
/// Pause between two groups of trades.
const PAUSE: Duration = Duration::from_millis(20);

/// A trade that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// Symbol in FMP's spelling.
    pub symbol: String,
    /// Price in hundredths.
    pub price: i64,
    /// Number of shares.
    pub size: i64,
    /// Exchange time.
    pub at: DateTime<Utc>,
}

/// The trades of a server. All connections share their sequence.
#[derive(Debug)]
pub(super) struct Trades {
    options: Options,
    first: DateTime<Utc>,
    sent: Mutex<Vec<Trade>>,
    /// Counts the times at which all connections are cut.
    pub cut: watch::Sender<u64>,
}

#[derive(Deserialize)]
struct Request {
    event: String,
    data: Value,
}

type Connection = WebSocketStream<TcpStream>;

impl Trades {
    pub(super) fn new(options: Options) -> Self {
        // 13:30 UTC is the open in New York in summer. An exchange time must not be in the future.
        let open = options.today.and_hms_opt(13, 30, 0).unwrap_or_default().and_utc();
        Trades {
            first: open.min(SystemClock.now() - TimeDelta::hours(1)),
            options,
            sent: Mutex::default(),
            cut: watch::Sender::new(0),
        }
    }

    pub(super) fn sent(&self) -> Vec<Trade> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the next trade of one of these symbols; `None` after the last one.
    fn next(&self, symbols: &[String]) -> Option<Trade> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if symbols.is_empty() || self.options.trades.is_some_and(|most| sent.len() as u64 >= most) {
            return None;
        }
        let n = sent.len() as i64;
        let draw = Draw::new(self.options.seed, "trade");
        let below = |stream: i64, limit: usize| (draw.unit(3 * n + stream) * limit as f64) as usize;
        let trade = Trade {
            symbol: symbols[below(0, symbols.len())].clone(),
            price: 10_000 + below(1, 500) as i64,
            size: 1 + below(2, 300) as i64,
            at: self.first + STEP * n as i32,
        };
        sent.push(trade.clone());
        Some(trade)
    }
}

/// Accepts connections until the server stops.
pub(super) async fn serve(listener: TcpListener, trades: Arc<Trades>, stop: watch::Receiver<bool>) {
    let mut stopped = stop.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let (trades, mut stop) = (Arc::clone(&trades), stop.clone());
                tokio::spawn(async move {
                    let mut cut = trades.cut.subscribe();
                    // A cut connection ends without a message.
                    tokio::select! {
                        _ = converse(stream, &trades) => {}
                        _ = cut.changed() => {}
                        () = end(&mut stop) => {}
                    }
                });
            }
            () = end(&mut stopped) => return,
        }
    }
}

/// Waits until the server stops.
async fn end(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Serves one connection. An error is the end of the connection.
async fn converse(stream: TcpStream, trades: &Trades) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut connection = tokio_tungstenite::accept_async(stream).await?;
    let mut symbols: Vec<String> = Vec::new();
    let mut is_known = false;
    let mut timer = tokio::time::interval(PAUSE);
    let group = (f64::from(trades.options.trades_per_second) * PAUSE.as_secs_f64()).ceil() as u32;
    loop {
        tokio::select! {
            message = connection.next() => {
                let Some(message) = message else { return Ok(()) };
                let Message::Text(text) = message? else { continue };
                let Ok(request) = serde_json::from_str::<Request>(&text) else { continue };
                let answer = match request.event.as_str() {
                    "login" if is_valid(&request.data["apiKey"], &trades.options) => {
                        is_known = true;
                        json!({"event": "login", "status": 200, "message": "Authenticated"})
                    }
                    "login" => json!({"event": "login", "status": 401, "message": "Unauthorized"}),
                    "subscribe" if is_known => {
                        symbols = tickers(&request.data["ticker"]);
                        json!({"event": "subscribe", "status": 200, "message": format!("Subscribed to {symbols:?}")})
                    }
                    _ => json!({"event": request.event, "status": 401, "message": "Log in first"}),
                };
                connection.send(Message::text(answer.to_string())).await?;
            }
            _ = timer.tick(), if !symbols.is_empty() => send_trades(&mut connection, trades, &symbols, group).await?,
        }
    }
}

async fn send_trades(
    connection: &mut Connection,
    trades: &Trades,
    symbols: &[String],
    group: u32,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    for _ in 0..group {
        let Some(trade) = trades.next(symbols) else { break };
        let text = format!(
            r#"{{"s": "{}", "t": {}, "type": "T", "ap": null, "as": null, "bp": null, "bs": null, "lp": {}.{:02}, "ls": {}}}"#,
            trade.symbol.to_lowercase(),
            trade.at.timestamp_millis(),
            trade.price / 100,
            trade.price % 100,
            trade.size
        );
        connection.feed(Message::text(text)).await?;
    }
    connection.flush().await
}

fn is_valid(key: &Value, options: &Options) -> bool {
    let key = key.as_str().unwrap_or_default();
    options.key.as_ref().map_or(!key.is_empty(), |expected| expected == key)
}

/// The symbols of a subscription: one, or a list.
fn tickers(value: &Value) -> Vec<String> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    all.iter().filter_map(|ticker| Some(ticker.as_str()?.to_uppercase())).collect()
}
