//! Finds the name that a user may have meant.

/// Smallest similarity of a name that is suggested, from 0 to 1.
const LEAST: f64 = 0.6;

/// Returns the name with the fewest typing errors, if it has few enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let similarity = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    let best = known.map(|other| (similarity(other), other)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LEAST).then_some(best.1)
}
