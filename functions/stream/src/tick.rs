//! Parses and checks the records of a stream. README.md describes their fields.

use std::borrow::Cow;

use chrono::{DateTime, Days, NaiveDate, SubsecRound, TimeDelta, Timelike, Utc};
use findata_domain::{Symbol, clock, decimal, nyse_calendar};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// Largest record in bytes. A tick has about 150, and a larger limit would let a few records fill
/// the memory.
pub const MAX_RECORD: usize = 64 << 10;
/// Most characters of an id or a source.
const MAX_NAME: usize = 128;
/// Most digits before the decimal point of a price or a size. The products of a minute then fit
/// into DECIMAL(38, 12).
const MAX_DIGITS: usize = 9;
/// A tick that arrives later than this after its exchange time counts as late: its bar may have
/// been loaded before. Twice the window of a batch, plus one minute of transit.
const LATE: TimeDelta = TimeDelta::minutes(2);
/// First accepted exchange time: 1990. Earlier ones are seconds that were sent as milliseconds.
const FIRST_SECOND: i64 = 631_152_000;

/// A checked tick. Numbers are canonical decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick<'a> {
    /// Symbol in FMP's spelling.
    pub symbol: Symbol,
    /// The producer's id of the trade.
    pub id: Option<Cow<'a, str>>,
    /// Price, above zero.
    pub price: String,
    /// Number of shares; `None` for a price without a trade.
    pub size: Option<String>,
    /// When the exchange reported it, in microseconds.
    pub exchange_time: DateTime<Utc>,
    /// Day of the exchange time in New York.
    pub price_date: NaiveDate,
    /// Name of the feed.
    pub source: Option<Cow<'a, str>>,
}

/// A time for which prices may be missing, such as a lost connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap<'a> {
    /// Last time at which prices were received.
    pub start: DateTime<Utc>,
    /// When prices were received again.
    pub end: DateTime<Utc>,
    /// Name of the feed.
    pub source: Cow<'a, str>,
    /// Why prices may be missing.
    pub reason: Option<Cow<'a, str>>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A price.
    Tick(Tick<'a>),
    /// A gap between prices.
    Gap(Gap<'a>),
}

impl Tick<'_> {
    /// Returns whether the tick arrived long after its exchange time.
    pub fn is_late(&self, arrived_at: DateTime<Utc>) -> bool {
        arrived_at - self.exchange_time > LATE
    }
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
    #[serde(borrow)]
    exchange_time: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    gap_start: Option<&'a RawValue>,
    #[serde(borrow)]
    gap_reason: Option<&'a RawValue>,
}

/// Parses a record. `arrived_at` is the time of arrival, with which exchange times are compared, so
/// that a repeated delivery has the same result.
///
/// # Errors
/// The reason for quarantine, beginning with a code.
pub fn parse(data: &[u8], arrived_at: DateTime<Utc>) -> Result<Parsed<'_>, String> {
    if data.len() > MAX_RECORD {
        return Err(too_large(data.len()));
    }
    let text = std::str::from_utf8(data).map_err(|_| "not_json: the record is not UTF-8 text".to_owned())?;
    let faulty = |e: serde_json::Error| {
        let code = if e.is_data() { "not_a_tick" } else { "not_json" };
        format!("{code}: {e}")
    };
    // Otherwise serde would read the elements of an array as the fields, in order.
    if !text.trim_start().starts_with('{') {
        serde_json::from_str::<IgnoredAny>(text).map_err(faulty)?;
        return Err("not_a_tick: the record is not a JSON object".into());
    }
    let record: Record<'_> = serde_json::from_str(text).map_err(faulty)?;
    let exchange_time = time("exchange_time", record.exchange_time, arrived_at)?;
    if record.gap_start.is_some() {
        return gap(&record, exchange_time, arrived_at).map(Parsed::Gap);
    }
    Ok(Parsed::Tick(Tick {
        symbol: symbol(record.symbol)?,
        id: name("id", record.id)?,
        price: price(record.price)?,
        size: record.size.map(size).transpose()?,
        exchange_time,
        price_date: price_date(exchange_time),
        source: name("source", record.source)?,
    }))
}

fn gap<'a>(record: &Record<'a>, end: DateTime<Utc>, arrived_at: DateTime<Utc>) -> Result<Gap<'a>, String> {
    let start = time("gap_start", record.gap_start, arrived_at)?;
    if start > end {
        return Err("out_of_range: gap_start is after exchange_time, the end of the gap".into());
    }
    let source = name("source", record.source)?.ok_or("missing_field: source")?;
    Ok(Gap {
        start,
        end,
        source,
        reason: name("gap_reason", record.gap_reason)?,
    })
}

/// The day in New York, which is four or five hours behind UTC. Asks the time zone only in the hour in which that
/// matters, because it is slow.
fn price_date(at: DateTime<Utc>) -> NaiveDate {
    match at.hour() {
        5.. => at.date_naive(),
        4 => nyse_calendar::new_york_date(at),
        _ => at.date_naive() - Days::new(1),
    }
}

/// The reason for a record that is too large to parse.
pub fn too_large(bytes: usize) -> String {
    format!("record_too_large: {bytes} bytes; a record has at most {MAX_RECORD}")
}

/// The start of a value, for reasons.
fn shown(raw: &RawValue) -> Cow<'_, str> {
    match raw.get().char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{} ...", &raw.get()[..end])),
        None => Cow::Borrowed(raw.get()),
    }
}

/// The text of a string, or the digits of a number.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    match json.as_bytes().first()? {
        b'"' if !json.contains('\\') => Some(Cow::Borrowed(&json[1..json.len() - 1])),
        b'"' => serde_json::from_str(json).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

fn symbol(raw: Option<&RawValue>) -> Result<Symbol, String> {
    let raw = raw.ok_or("missing_field: symbol")?;
    let wrong = || format!("not_a_symbol: {}", shown(raw));
    let symbol: Symbol = text(raw).ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
    Ok(symbol.with_hyphen().unwrap_or(symbol))
}

fn name<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let wrong =
        || format!("unreadable_field: {field}: {} is not a text of 1 to {MAX_NAME} characters", shown(raw));
    let text = text(raw).ok_or_else(wrong)?;
    let is_name = !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
    if is_name { Ok(Some(text)) } else { Err(wrong()) }
}

/// A canonical decimal of at most [`MAX_DIGITS`] digits before the point.
fn number(field: &str, raw: &RawValue) -> Result<String, String> {
    let number = text(raw).and_then(|text| decimal::canonical(&text));
    let number =
        number.ok_or_else(|| format!("unreadable_field: {field}: {} is not a number", shown(raw)))?;
    let digits = number.trim_start_matches('-').split('.').next().unwrap_or_default();
    if digits.len() > MAX_DIGITS {
        return Err(format!("out_of_range: {field} {}", shown(raw)));
    }
    Ok(number)
}

fn price(raw: Option<&RawValue>) -> Result<String, String> {
    let raw = raw.ok_or("missing_field: price")?;
    let price = number("price", raw)?;
    match decimal::is_positive(&price) {
        true => Ok(price),
        false => Err(format!("price_not_positive: {}", shown(raw))),
    }
}

fn size(raw: &RawValue) -> Result<String, String> {
    let size = number("size", raw)?;
    match size.starts_with('-') {
        true => Err(format!("negative_volume: size {}", shown(raw))),
        false => Ok(size),
    }
}

/// A time: RFC 3339 text with an offset, or milliseconds since 1970.
fn time(field: &str, raw: Option<&RawValue>, arrived_at: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let raw = raw.ok_or_else(|| format!("missing_field: {field}"))?;
    let parsed = match text(raw) {
        Some(text) if raw.get().starts_with('"') => {
            DateTime::parse_from_rfc3339(&text).ok().map(|time| time.with_timezone(&Utc))
        }
        Some(text) => text.parse().ok().and_then(DateTime::from_timestamp_millis),
        None => None,
    };
    let time = parsed.ok_or_else(|| {
        format!(
            "unreadable_field: {field}: {} is neither a time such as \"2026-11-20T14:30:00.125Z\" nor milliseconds \
             since 1970",
            shown(raw)
        )
    })?;
    if time.timestamp() < FIRST_SECOND {
        return Err(format!("out_of_range: {field} {} is before 1990", shown(raw)));
    }
    if clock::is_ahead(time, arrived_at) {
        return Err(format!("future_time: {field} {} is after the arrival", shown(raw)));
    }
    Ok(time.trunc_subsecs(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival() -> DateTime<Utc> {
        "2026-11-20T14:30:05Z".parse().unwrap()
    }

    fn parsed(json: &str) -> Result<Tick<'_>, String> {
        match parse(json.as_bytes(), arrival())? {
            Parsed::Tick(tick) => Ok(tick),
            Parsed::Gap(gap) => panic!("{gap:?}"),
        }
    }

    #[test]
    fn a_gap_has_a_start_an_end_and_a_source() {
        let with = |start: &str, source: &str| {
            let end = "\"2026-11-20T14:30:00Z\"";
            let json = format!(
                r#"{{"gap_start": {start}, "exchange_time": {end}, "source": {source}, "gap_reason": "lost"}}"#
            );
            match parse(json.as_bytes(), arrival()) {
                Ok(Parsed::Gap(gap)) => {
                    Ok(format!("{} {} {:?}", gap.end - gap.start, gap.source, gap.reason))
                }
                Ok(other) => panic!("{other:?}"),
                Err(reason) => Err(reason.split(' ').next().unwrap().to_owned()),
            }
        };
        let start = "\"2026-11-20T14:28:30Z\"";
        assert_eq!(with(start, "\"sip\"").unwrap(), "PT90S sip Some(\"lost\")");
        assert_eq!(with(start, "null").unwrap_err(), "missing_field:");
        assert_eq!(with("\"2026-11-20T14:30:01Z\"", "\"sip\"").unwrap_err(), "out_of_range:");
        assert_eq!(with("\"yesterday\"", "\"sip\"").unwrap_err(), "unreadable_field:");
    }

    #[test]
    fn a_tick_is_read_with_exact_numbers() {
        let json = r#"{"id": 7, "symbol": "brk.b", "price": 512.10, "size": "0.5", "venue": [1],
            "exchange_time": "2026-11-20T09:30:00.1234567-05:00", "source": "sip"}"#;
        let tick = parsed(json).unwrap();
        assert_eq!((tick.symbol.as_str(), tick.price.as_str()), ("BRK-B", "512.1"));
        assert_eq!((tick.id.as_deref(), tick.size.as_deref()), (Some("7"), Some("0.5")));
        assert_eq!(tick.exchange_time.to_rfc3339(), "2026-11-20T14:30:00.123456+00:00");
        assert!(!tick.is_late(arrival()));
        let evening = r#"{"symbol": "AAPL", "price": "3", "exchange_time": 1763686800000}"#;
        let tick = parsed(evening).unwrap();
        assert_eq!(tick.price_date.to_string(), "2025-11-20", "01:00 UTC is the evening in New York");
        assert!(tick.size.is_none() && tick.id.is_none() && tick.is_late(arrival()));
    }

    #[test]
    fn the_day_is_that_of_new_york() {
        for hour in 0..24 * 366 {
            let at = arrival() + TimeDelta::hours(hour);
            assert_eq!(price_date(at), nyse_calendar::new_york_date(at), "{at}");
        }
    }

    #[test]
    fn a_bad_record_has_a_reason() {
        let with = |symbol: &str, price: &str, size: &str, time: &str| {
            format!(
                r#"{{"symbol": {symbol}, "price": {price}, "size": {size}, "exchange_time": {time}, "id": "a"}}"#
            )
        };
        let now = "\"2026-11-20T14:30:00Z\"";
        for (record, code) in [
            ("hello".to_owned(), "not_json"),
            (String::new(), "not_json"),
            ("[1]".to_owned(), "not_a_tick"),
            (r#"[1, "AAPL", 1, 1, "2026-11-20T14:30:00Z", "s"]"#.to_owned(), "not_a_tick"),
            (r#"{"symbol": "A", "symbol": "B"}"#.to_owned(), "not_a_tick"),
            (with("\"AAPL\"", "NaN", "1", now), "not_json"),
            (with("\"AAPL\"", "\"NaN\"", "1", now), "unreadable_field: price"),
            (with("\"AAPL\"", "1e99", "1", now), "unreadable_field: price"),
            (with("\"AAPL\"", "1000000000", "1", now), "out_of_range: price"),
            (with("\"AAPL\"", "null", "1", now), "missing_field: price"),
            (with("\"AAPL\"", "-1", "1", now), "price_not_positive"),
            (with("\"AAPL\"", "0.0000001", "1", now), "price_not_positive"),
            (with("\"AAPL\"", "1", "-1", now), "negative_volume"),
            (with("\"A'; drop\"", "1", "1", now), "not_a_symbol"),
            (with("null", "1", "1", now), "missing_field: symbol"),
            (with("\"AAPL\"", "1", "1", "\"2026-11-20 14:30\""), "unreadable_field: exchange_time"),
            (with("\"AAPL\"", "1", "1", "\"2026-11-20T14:36:00Z\""), "future_time"),
            (with("\"AAPL\"", "1", "1", "1763692200"), "out_of_range: exchange_time"),
            (with("\"AAPL\"", "1", "1", "1763692200000000000"), "unreadable_field: exchange_time"),
            (with("\"AAPL\"", "1", "1", "1763692200000000"), "future_time"),
            ("x".repeat(MAX_RECORD + 1), "record_too_large"),
        ] {
            let reason = parsed(&record).unwrap_err();
            assert!(reason.starts_with(code) && reason.len() < 250, "{code}: {reason}");
        }
        assert!(parse(b"{\"symbol\": \"\xff\"}", arrival()).unwrap_err().starts_with("not_json"));
    }
}
