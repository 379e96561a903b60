//! The fields of a JSON object, and the columns that they fill.

use std::{borrow::Cow, collections::HashMap, fmt, sync::OnceLock};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::catalog::{CATALOG, Dataset};

/// Returns the position of each FMP field in the dataset's columns.
pub(super) fn positions(dataset: &'static Dataset) -> &'static HashMap<&'static str, usize> {
    static ALL: OnceLock<HashMap<&'static str, HashMap<&'static str, usize>>> = OnceLock::new();
    static NONE: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    let of = |d: &'static Dataset| {
        d.columns
            .iter()
            .enumerate()
            .filter(|(_, c)| !c.field.is_empty())
            .map(|(i, c)| (c.field, i))
            .collect()
    };
    ALL.get_or_init(|| CATALOG.iter().map(|d| (d.name, of(d))).collect())
        .get(dataset.name)
        .unwrap_or_else(|| NONE.get_or_init(HashMap::new))
}

/// The fields of a JSON object in order. Values are unparsed JSON, so a number keeps all its
/// digits.
pub(super) struct Fields<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(64);
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    fields.push((name.0, map.next_value::<&RawValue>()?));
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
