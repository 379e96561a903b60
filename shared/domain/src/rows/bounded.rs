//! Parses JSON lists up to a maximum length. The limit protects memory: a few kilobytes of gzip can
//! contain millions of tiny rows, and a typed row takes a hundred times the memory of its JSON.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};

use crate::{Error, Result};

/// Maximum number of rows of one company; 50 years of daily prices are 12,600 rows.
pub const MAX_SERIES: usize = 20_000;
/// Maximum number of rows in a list of companies. FMP's longest list, of all symbols, has fewer
/// than 100,000 rows.
pub const MAX_LIST: usize = 200_000;

/// Parses a JSON array of at most `max` elements. Further elements are only counted, for the error
/// message.
///
/// # Errors
/// `Retry` if the body is not a JSON array of such elements; `Reject` if the array has more than
/// `max` elements.
pub fn list<'a, T: Deserialize<'a>>(body: &'a [u8], max: usize) -> Result<Vec<T>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let elements = Elements { max, element: PhantomData };
    let (list, surplus) = elements.deserialize(&mut json).map_err(broken)?;
    json.end().map_err(broken)?;
    match surplus {
        0 => Ok(list),
        _ => Err(Error::Reject(format!(
            "the answer has {} rows, but at most {max} are accepted: FMP sent other data than requested",
            max + surplus
        ))),
    }
}

/// Returns the error for a body that is not a list of rows.
pub(super) fn broken(error: serde_json::Error) -> Error {
    Error::retry(format!("the answer is not a JSON array of rows: {error}"))
}

struct Elements<T> {
    max: usize,
    element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Elements<T> {
    type Value = (Vec<T>, usize);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
    /// The list, and the number of elements beyond the maximum. If there are any, the list is
    /// empty.
    type Value = (Vec<T>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let (mut list, mut surplus) = (Vec::new(), 0);
        while list.len() < self.max {
            match from.next_element()? {
                Some(element) => list.push(element),
                None => return Ok((list, 0)),
            }
        }
        while from.next_element::<IgnoredAny>()?.is_some() {
            surplus += 1;
        }
        if surplus > 0 {
            list = Vec::new();
        }
        Ok((list, surplus))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_longer_than_allowed_is_rejected_with_its_length() {
        assert_eq!(list::<u8>(b" [1, 2, 3] ", 3), Ok(vec![1, 2, 3]));
        assert_eq!(list::<u8>(b"[]", 0), Ok(Vec::new()));
        let refused = list::<u8>(b"[1, 2, 3, {}]", 3);
        assert!(matches!(refused, Err(Error::Reject(why)) if why.contains("4 rows")));
        for broken in [&b"[1"[..], b"[1] x", b"{}", b"", b"[\"a\"]"] {
            assert!(matches!(list::<u8>(broken, 3), Err(Error::Retry { .. })), "{broken:?}");
        }
    }
}
