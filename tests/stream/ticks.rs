//! Ticks, and their bars in exact integer arithmetic.

use std::collections::BTreeMap;

use chrono::DateTime;
use findata_tests::today;

/// A generator of reproducible numbers (xorshift).
pub(crate) struct Rng(pub u64);

impl Rng {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) id: u64,
    pub(crate) symbol: &'static str,
    /// In hundredths.
    pub(crate) price: i128,
    pub(crate) size: Option<i128>,
    /// In microseconds since 1970.
    pub(crate) time: i64,
}

impl Tick {
    pub(crate) fn json(&self) -> String {
        let Tick { id, symbol, price, size, time } = self;
        let size = size.map(|size| format!(r#""size": {size}, "#)).unwrap_or_default();
        let time = DateTime::from_timestamp_micros(*time).unwrap().to_rfc3339();
        format!(
            r#"{{"id": "{id}", "symbol": "{symbol}", "price": {}.{:02}, {size}"exchange_time": "{time}", "source": "test"}}"#,
            price / 100,
            price % 100
        )
    }
}

pub(crate) fn input(ticks: &[Tick]) -> String {
    ticks.iter().map(|tick| tick.json() + "\n").collect()
}

/// Ticks of two hours. Some have no size, some equal times, and some minutes no volume.
pub(crate) fn ticks(number: u64, symbols: &[&'static str]) -> Vec<Tick> {
    let mut rng = Rng(42);
    let open = today().and_hms_opt(13, 30, 0).unwrap().and_utc().timestamp_micros();
    let step = 7_200_000_000 / number as i64;
    let one = |id: u64| {
        let minute = id * 120 / number;
        Tick {
            id: id + 1,
            symbol: symbols[rng.below(symbols.len() as u64) as usize],
            price: 10_000 + i128::from(rng.below(500)),
            size: (!minute.is_multiple_of(9) && rng.below(10) > 0).then(|| i128::from(rng.below(300) + 1)),
            time: open + (id as i64 / 3 * 3) * step,
        }
    };
    (0..number).map(one).collect()
}

/// The bars of ticks as lines: symbol, minute, open, high, low, close, volume, VWAP, number.
pub(crate) fn bars(ticks: &[Tick]) -> Vec<String> {
    let mut minutes: BTreeMap<(&str, i64), Vec<&Tick>> = BTreeMap::new();
    for tick in ticks {
        minutes.entry((tick.symbol, tick.time.div_euclid(60_000_000))).or_default().push(tick);
    }
    let price = |hundredths: i128| format!("{}.{:02}0000", hundredths / 100, hundredths % 100);
    let line = |((symbol, minute), mut ticks): ((&str, i64), Vec<&Tick>)| {
        ticks.sort_by_key(|tick| (tick.time, tick.id));
        let prices = || ticks.iter().map(|tick| tick.price);
        let volume: i128 = ticks.iter().filter_map(|tick| tick.size).sum();
        let amount: i128 = ticks.iter().map(|tick| tick.price * tick.size.unwrap_or_default()).sum();
        // Rounded to nine digits, half up.
        let vwap = match volume {
            0 => "NULL".to_owned(),
            _ => {
                let scaled = (amount * 20_000_000 / volume + 1) / 2;
                format!("{}.{:09}", scaled / 1_000_000_000, scaled % 1_000_000_000)
            }
        };
        let start = DateTime::from_timestamp(minute * 60, 0).unwrap().format("%Y-%m-%d %H:%M:%S");
        format!(
            "{symbol}|{start}|{}|{}|{}|{}|{volume}.000000|{vwap}|{}",
            price(ticks[0].price),
            price(prices().max().unwrap()),
            price(prices().min().unwrap()),
            price(ticks[ticks.len() - 1].price),
            ticks.len()
        )
    };
    minutes.into_iter().map(line).collect()
}
