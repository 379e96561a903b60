//! Formats results for people: the summary of a run, a plan, an explanation, the data dictionary,
//! a benchmark, the difference of two runs.

mod bench;
mod dictionary;
mod difference;
pub mod escape;
mod explanation;
mod plan;
mod snapshot;
mod status;
mod summary;
pub mod table;
mod upgrade;

use findata_report::Format;
use indicatif::HumanCount;

pub use bench::bench;
pub use dictionary::dictionary;
pub use difference::difference;
pub use explanation::explanation;
pub use plan::plan;
pub use snapshot::snapshot;
pub use status::status;
pub use summary::summary;
pub use upgrade::{UpgradeState, upgrade};

/// Formats a count with commas between groups of three digits.
pub(crate) fn count(n: u64) -> String {
    HumanCount(n).to_string()
}

/// Formats a count with its noun in the singular or plural, such as `1 call` or `2 calls`.
pub(crate) fn counted(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Formats an amount of money in trillions, billions or millions.
pub(crate) fn amount(amount: f64) -> String {
    match amount.abs() {
        x if x >= 1e12 => format!("{:.2} tn", amount / 1e12),
        x if x >= 1e9 => format!("{:.1} bn", amount / 1e9),
        x if x >= 1e7 || x == 0.0 => format!("{:.0} mn", amount / 1e6),
        x if x >= 1e5 => format!("{:.2} mn", amount / 1e6),
        _ => format!("{amount:.0}"),
    }
}

/// Formats a figure with its unit.
pub(crate) fn figure(format: Format, value: f64) -> String {
    let plain = |value: f64| match value.abs() {
        x if x >= 1e5 => format!("{value:.3e}"),
        x if x >= 1e3 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    };
    match format {
        Format::Percent => match value * 100.0 {
            percent if percent.abs() >= 1e4 => format!("{} %", plain(percent)),
            percent => format!("{percent:.1} %"),
        },
        Format::Money | Format::Shares => amount(value),
        Format::Count => format!("{value:.0}"),
        Format::Days => format!("{value:.0} days"),
        Format::PerShare if value.abs() < 1.0 => format!("{value:.4}"),
        Format::PerShare if value.abs() < 1e6 => format!("{value:.2}"),
        Format::PerShare | Format::Multiple | Format::Number => plain(value),
    }
}

/// Formats a number of bytes in B, kB, MB or GB (powers of 1,000).
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn figures_are_readable() {
        assert_eq!(
            (super::count(0), super::count(999), super::count(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!(
            (super::bytes(12), super::bytes(1_500), super::bytes(3_400_000)),
            ("12 B".into(), "1.5 kB".into(), "3.4 MB".into())
        );
    }
}
