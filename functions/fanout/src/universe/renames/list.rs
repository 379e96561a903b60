//! FMP's list of symbol changes, and its answers about old symbols.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{Symbol, clock::is_recent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long the list counts as fresh, and FMP's answers about old symbols that may change.
pub(super) const LIST_TTL: Duration = Duration::days(1);
/// The list of symbol changes, stored at `state/universe/symbol-changes.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SymbolChanges {
    pub(super) fetched_at: DateTime<Utc>,
    /// The changes, oldest first.
    pub(super) changes: Vec<Change>,
    /// FMP's answers about old symbols.
    #[serde(default)]
    pub(super) answers: BTreeMap<Symbol, Answered>,
}

/// A symbol change: day, old and new symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Change(pub NaiveDate, pub Symbol, pub Symbol);

/// FMP's answer about the old symbol of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) change: Change,
    pub(super) at: DateTime<Utc>,
    pub(super) use_now: Use,
}

/// Who uses an old symbol now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Use {
    /// Nobody: FMP does not know it, or answers with the renamed security.
    Nobody,
    /// Still the same security, as far as FMP's answers tell.
    Same,
    /// Another security.
    Other,
}

impl SymbolChanges {
    /// The change of a symbol that an earlier run may have missed: the first one on or after `since`, the
    /// day of its newest data. A symbol without data has its latest change.
    pub(super) fn of(&self, old: &Symbol, since: Option<NaiveDate>, today: NaiveDate) -> Option<&Change> {
        let mut changes = self.changes.iter().filter(|change| change.1 == *old && change.0 <= today);
        match since {
            Some(since) => {
                let latest = changes.clone().next_back();
                changes.find(|change| change.0 >= since).or(latest)
            }
            None => changes.next_back(),
        }
    }

    /// The present symbol of a security after a change, which may be followed by others.
    pub(super) fn present(&self, change: &Change, today: NaiveDate) -> Symbol {
        let (mut day, mut symbol) = (change.0, &change.2);
        let mut passed = BTreeSet::from([&change.1]);
        while passed.insert(symbol) {
            let next = |next: &&Change| next.1 == *symbol && next.0 >= day && next.0 <= today;
            let Some(next) = self.changes.iter().find(next) else { break };
            (day, symbol) = (next.0, &next.2);
        }
        symbol.clone()
    }

    /// Whether a later change of the list gave the old symbol of `change` to another security.
    pub(super) fn is_taken(&self, change: &Change, today: NaiveDate) -> bool {
        let took = |other: &&Change| other.2 == change.1 && other.0 >= change.0 && other.0 <= today;
        self.changes.iter().any(|other| took(&other) && other.1 != change.1)
    }

    pub(super) fn answer(&self, change: &Change, now: DateTime<Utc>) -> Option<Use> {
        let known = self.answers.get(&change.1).filter(|known| known.change == *change)?;
        let limit = match known.use_now {
            Use::Other => Duration::MAX,
            Use::Nobody | Use::Same => LIST_TTL,
        };
        is_recent(known.at, limit, now).then_some(known.use_now)
    }
}

/// The changes in FMP's answer, oldest first. Rows without a day and two different symbols are ignored.
pub(super) fn changes(rows: &[Value]) -> Vec<Change> {
    let symbol = |row: &Value, field: &str| row.get(field)?.as_str()?.parse::<Symbol>().ok();
    let read = |row: &Value| {
        let day = row.get("date")?.as_str()?.get(..10)?.parse().ok()?;
        Some(Change(day, symbol(row, "oldSymbol")?, symbol(row, "newSymbol")?))
    };
    let mut changes: Vec<Change> =
        rows.iter().filter_map(read).filter(|change| change.1 != change.2).collect();
    changes.sort();
    changes.dedup();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_may_have_malformed_rows() {
        let rows: Vec<Value> = serde_json::from_str(
            r#"[{"date": "2022-06-09", "oldSymbol": "FB", "newSymbol": "META"}, {"date": null, "oldSymbol": "A", "newSymbol": "B"},
                {"date": "2022-01-31", "oldSymbol": "META", "newSymbol": "METV"}, {"date": "2022-01-31", "oldSymbol": "A", "newSymbol": "A"},
                {"date": "2022-01-31", "oldSymbol": "A'; drop", "newSymbol": "B"}, {"oldSymbol": 7}, 3]"#,
        )
        .unwrap();
        let changes = changes(&rows);
        let symbol = |text: &str| text.parse::<Symbol>().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(changes.len(), 2);
        let known = SymbolChanges { changes, ..SymbolChanges::default() };
        let today = day("2026-11-20");
        // FB became META. It did not become METV, which META became before.
        let fb = known.of(&symbol("FB"), None, today).unwrap();
        assert_eq!(known.present(fb, today), symbol("META"));
        let meta = known.of(&symbol("META"), None, today).unwrap();
        assert!(known.is_taken(meta, today) && !known.is_taken(fb, today));
        assert!(known.of(&symbol("FB"), None, day("2022-06-08")).is_none(), "not before its day");
    }
}
