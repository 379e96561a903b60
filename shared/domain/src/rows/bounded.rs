//! JSON lists with a limit on their length. A few kilobytes of gzip can hold millions of tiny rows, each of which takes a
//! hundred times its size once it is typed.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};

use crate::{Error, Result};

/// Most rows of one company: 50 years of daily prices are 12,600.
pub const MAX_SERIES: usize = 20_000;
/// Most rows of a list of companies. The longest of FMP, its list of all symbols, has under 100,000.
pub const MAX_LIST: usize = 200_000;

/// The elements of a JSON array, if there are at most `max`. The rest of a longer one is only counted.
///
/// # Errors
/// `Retry` if the body is not a JSON array of such elements; `Reject` if it has more than `max`.
pub fn list<'a, T: Deserialize<'a>>(body: &'a [u8], max: usize) -> Result<Vec<T>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let elements = Elements { max, element: PhantomData };
    let (list, surplus) = elements.deserialize(&mut json).map_err(broken)?;
    json.end().map_err(broken)?;
    match surplus {
        0 => Ok(list),
        _ => Err(Error::Reject(format!(
            "the answer has {} rows, and at most {max} are accepted: it is not what was requested",
            max + surplus
        ))),
    }
}

/// The error for a body that is not a list of rows.
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
    /// The first elements, and the number of further ones.
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
