//! Reads the fields of one entry.

use std::collections::BTreeMap;

use findata_domain::file_faults::{Fault, line_of};
use serde::de::DeserializeOwned;
use toml::de::{DeTable, ValueDeserializer};

use crate::metrics::{
    entries::{Input, Ratio},
    market::{FmpNeeds, MarketMetric},
};

/// Fields of built-in entries that entries of the user do not have.
const BUILT_IN_ONLY: [&str; 8] =
    ["heading", "fmp", "fmp_needs", "unit", "average_of", "over", "period", "ttm"];

/// An entry with the lines of its fields.
pub(super) struct Declared<T> {
    pub name: String,
    pub value: T,
    line: u64,
    lines: BTreeMap<String, u64>,
}

impl<T> Declared<T> {
    /// Returns the line of a field, or of the entry if it does not have the field.
    pub fn line(&self, field: &str) -> u64 {
        self.lines.get(field).copied().unwrap_or(self.line)
    }
}

/// An entry of the file, and the faults found so far.
pub(super) struct Entry<'a, 'b> {
    text: &'a str,
    line: u64,
    table: &'a DeTable<'a>,
    /// The fields that entries of its kind have.
    known: Vec<&'static str>,
    /// Whether a field could not be read, so that the checks of the whole entry would mislead.
    is_unread: bool,
    faults: &'b mut Vec<Fault>,
}

impl<'a, 'b> Entry<'a, 'b> {
    pub fn new(text: &'a str, line: u64, table: &'a DeTable<'a>, faults: &'b mut Vec<Fault>) -> Self {
        Entry {
            text,
            line,
            table,
            known: Vec::new(),
            is_unread: false,
            faults,
        }
    }

    /// Reads a ratio; `None` if a field cannot be read.
    pub fn ratio(&mut self) -> Option<Declared<Ratio>> {
        let (name, about, formula) = (self.required("name"), self.about(), self.required("formula"));
        let rest = (self.optional("denominator"), self.optional("banks"), self.optional("bases"));
        let more = (self.optional("requires"), self.optional("missing"), self.optional("percent"));
        let aliases = self.optional("aliases");
        self.report_unknown_keys();
        self.declared(
            Ratio {
                name: name?,
                about: about.unwrap_or_default(),
                formula: formula?,
                denominator: rest.0,
                banks: rest.1.unwrap_or(true),
                bases: rest.2,
                requires: more.0.unwrap_or_default(),
                missing: more.1,
                percent: more.2.unwrap_or_default(),
                heading: None,
                aliases: aliases.unwrap_or_default(),
                fmp: None,
            },
            |ratio| &ratio.name,
        )
    }

    /// Reads a market metric; `None` if a field cannot be read.
    pub fn market_metric(&mut self) -> Option<Declared<MarketMetric>> {
        let (name, about, formula) = (self.required("name"), self.about(), self.required("formula"));
        let rest = (self.optional("checked"), self.optional("denominator"), self.optional("banks"));
        let more = (self.optional("requires"), self.optional("stale_ok"), self.optional("zero_is_zero"));
        let last = (self.optional("percent"), self.optional("aliases"));
        self.report_unknown_keys();
        self.declared(
            MarketMetric {
                name: name?,
                about: about.unwrap_or_default(),
                formula: formula?,
                checked: rest.0,
                denominator: rest.1,
                banks: rest.2.unwrap_or(true),
                requires: more.0.unwrap_or_default(),
                stale_ok: more.1.unwrap_or_default(),
                zero_is_zero: more.2.unwrap_or_default(),
                percent: last.0.unwrap_or_default(),
                heading: None,
                aliases: last.1.unwrap_or_default(),
                fmp: None,
                fmp_needs: FmpNeeds::default(),
            },
            |metric| &metric.name,
        )
    }

    /// Reads an input; `None` if a field cannot be read.
    pub fn input(&mut self) -> Option<Declared<Input>> {
        let (name, about, formula) = (self.required("name"), self.about(), self.required("formula"));
        self.report_unknown_keys();
        self.declared(
            Input {
                name: name?,
                about: about.unwrap_or_default(),
                unit: None,
                formula: Some(formula?),
                average_of: None,
                over: None,
                period: None,
                ttm: None,
            },
            |input| &input.name,
        )
    }

    fn declared<T>(&self, value: T, name: impl Fn(&T) -> &String) -> Option<Declared<T>> {
        let line = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), line_of(self.text, value.span().start))
        };
        (!self.is_unread).then(|| Declared {
            name: name(&value).clone(),
            value,
            line: self.line,
            lines: self.table.iter().map(line).collect(),
        })
    }

    fn about(&mut self) -> Option<String> {
        let about: String = self.required("about")?;
        if about.trim().is_empty() {
            self.faults.push((self.line, "`about` is empty: describe the entry in a sentence".into()));
        }
        Some(about)
    }

    fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        if self.table.get(key).is_none() {
            self.faults.push((self.line, format!("add `{key}`: every entry needs it")));
        }
        self.optional(key)
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.table.get(key)?;
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(read) => Some(read),
            Err(error) => {
                let start = error.span().map_or(value.span().start, |span| span.start);
                let line = line_of(self.text, start);
                self.faults.push((line, format!("`{key}`: {}", error.message())));
                self.is_unread = true;
                None
            }
        }
    }

    fn report_unknown_keys(&mut self) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.known.contains(&key.get_ref().as_ref())) {
            let (line, name) = (line_of(self.text, key.span().start), key.get_ref().as_ref());
            let why = match BUILT_IN_ONLY.contains(&name) {
                true => "only built-in entries can have it".to_owned(),
                false => format!("an entry of this kind can have {}", self.known.join(", ")),
            };
            self.faults.push((line, format!("remove `{name}`: {why}")));
        }
    }
}
