//! The indices whose members FMP lists.

use findata_domain::{
    Symbol,
    catalog::{self, Dataset},
};
use findata_pipeline::{named_universe::UniverseName, run::Universe};

/// An index.
pub(super) struct Index {
    /// Its name for people.
    pub(super) name: &'static str,
    /// Its present members.
    pub(super) list: &'static Dataset,
    /// When companies joined and left it.
    pub(super) changes: &'static Dataset,
    /// Stage key of the last accepted list.
    pub(super) key: &'static str,
    /// The list to use if FMP has never sent one.
    pub(super) bundled: Option<&'static str>,
}

pub(super) static SP500: Index = Index {
    name: "S&P 500",
    list: catalog::SP500_CONSTITUENTS,
    changes: catalog::SP500_CHANGES,
    key: "state/universe/sp500.json",
    bundled: Some(include_str!("../../data/sp500.txt")),
};
static NASDAQ: Index = Index {
    name: "Nasdaq-100",
    list: catalog::NASDAQ_CONSTITUENTS,
    changes: catalog::NASDAQ_CHANGES,
    key: "state/universe/nasdaq.json",
    bundled: None,
};
static DOWJONES: Index = Index {
    name: "Dow Jones",
    list: catalog::DOWJONES_CONSTITUENTS,
    changes: catalog::DOWJONES_CHANGES,
    key: "state/universe/dowjones.json",
    bundled: None,
};
pub(super) static INDEXES: [&Index; 3] = [&SP500, &NASDAQ, &DOWJONES];

/// Where the symbols of a universe come from.
pub(super) enum Source<'a> {
    Listed(&'a [Symbol]),
    Named(&'a UniverseName),
    Index(&'static Index),
}

impl<'a> Source<'a> {
    pub(super) fn of(universe: &'a Universe) -> Self {
        match universe {
            Universe::Symbols(symbols) => Source::Listed(symbols),
            Universe::Named(name) => Source::Named(name),
            Universe::Sp500 => Source::Index(&SP500),
            Universe::Nasdaq => Source::Index(&NASDAQ),
            Universe::Dowjones => Source::Index(&DOWJONES),
        }
    }
}
