//! What people read: the summary of a run, the table of a plan, the tree of an explanation, the dictionary.

mod dictionary;
mod explanation;
mod plan;
mod summary;

pub use dictionary::dictionary;
pub use explanation::explanation;
pub use plan::plan;
pub use summary::summary;

/// A count with thousands apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of things, in the singular or the plural.
pub(crate) fn of(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Bytes in the unit that fits.
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
