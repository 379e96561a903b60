//! The names of a condition, and the columns of its result.

use findata_explain::{
    ask::{Basis, FACTS, Fact, figures, find},
    definition::definition,
};
use findata_models::{
    Models,
    metrics::{Condition, Names},
};
use findata_report::Format;

use crate::cli::Failure;

/// The text columns of companies.
const TEXTS: [&str; 7] = ["symbol", "company_name", "sector", "industry", "exchange", "country", "currency"];
/// The tables of newest figures, with the prefix that selects them.
pub(super) const TABLES: [(Fact, &str); 4] = [
    (Fact::Market, "market"),
    (Fact::Ratios, "ratios"),
    (Fact::Growth, "growth"),
    (Fact::Ttm, "ttm"),
];

/// The figures and texts that a condition can use.
pub(super) struct Known {
    pub models: &'static Models,
}

impl Known {
    /// Finds the table and column of a figure.
    fn find(&self, name: &str) -> Result<(Fact, &'static str), String> {
        if let Some((prefix, column)) = name.split_once('.')
            && let Some((fact, _)) = TABLES.iter().find(|(_, table)| table.eq_ignore_ascii_case(prefix))
        {
            let basis = match fact {
                Fact::Market => Basis::Market,
                _ => Basis::Ttm,
            };
            let found = find(column, Some(basis), self.models).map_err(|e| e.to_string())?;
            let own = figures(self.models).into_iter().find(|(f, c)| f == fact && *c == found.1);
            return own.ok_or_else(|| format!("{prefix} has no figure {column}"));
        }
        let failed = |e: findata_domain::Error| e.to_string();
        match find(name, None, self.models).map_err(failed)? {
            (Fact::Prices, _) => find(name, Some(Basis::Market), self.models).map_err(failed),
            (Fact::Financials, _) => find(name, Some(Basis::Ttm), self.models).map_err(failed),
            found => Ok(found),
        }
    }
}

/// Finds a text column of companies.
fn text_column(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let name = if name == "name" { "company_name" } else { &name };
    TEXTS.into_iter().find(|known| *known == name)
}

impl Names for Known {
    fn text(&self, name: &str) -> Option<String> {
        text_column(name).map(|column| format!("company.{column}"))
    }

    fn figure(&self, name: &str) -> Result<(String, String), String> {
        let (fact, column) = self.find(name)?;
        let table = TABLES.iter().find(|(known, _)| *known == fact).map(|(_, table)| *table);
        let table = table.ok_or_else(|| format!("{name} is not among the newest figures of companies"))?;
        Ok((table.to_owned(), column.to_owned()))
    }
}

/// A figure in the result.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub fact: Fact,
    /// `table.column`, as in the condition.
    pub name: String,
    pub column: String,
    pub format: Format,
    /// Whether contradictions in statements do not affect it.
    pub is_price: bool,
}

/// A column of the result.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    /// A text column of the company.
    Text(String),
    /// A position in [`Columns::figures`].
    Figure(usize),
}

/// What the query reads and the result shows.
pub(super) struct Columns {
    /// The figures of the condition, then those of the columns and of the order.
    pub figures: Vec<Figure>,
    /// Number of figures of the condition.
    pub tested: usize,
    pub shown: Vec<Shown>,
    pub order: Shown,
    pub highest_first: bool,
}

impl Columns {
    pub(super) fn choose(
        known: &Known,
        condition: &Condition,
        columns: &[String],
        sort: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut figures: Vec<Figure> = Vec::new();
        for name in condition.figures() {
            let (table, column) = name.split_once('.').unwrap_or(("", &name));
            if let Some((fact, _)) = TABLES.iter().find(|(_, known)| *known == table) {
                figures.push(figure(known, *fact, column, name.clone()));
            }
        }
        let tested = figures.len();
        let mut add = |name: &str| -> Result<Shown, Failure> {
            if let Some(text) = text_column(name) {
                return Ok(Shown::Text(text.to_owned()));
            }
            let (table, column) = known.figure(name.trim()).map_err(Failure::Usage)?;
            let full = format!("{table}.{column}");
            if let Some(at) = figures.iter().position(|figure| figure.name == full) {
                return Ok(Shown::Figure(at));
            }
            let fact = TABLES.iter().find(|(_, known)| *known == table).map_or(Fact::Ttm, |(fact, _)| *fact);
            figures.push(figure(known, fact, &column, full));
            Ok(Shown::Figure(figures.len() - 1))
        };
        let (highest_first, name) = match sort {
            None => (true, "market_cap"),
            Some(name) => name.strip_prefix('-').map_or((false, name), |name| (true, name)),
        };
        let order = add(name)?;
        let mut shown = vec![Shown::Text("symbol".into())];
        if columns.is_empty() {
            shown.extend(["company_name", "sector"].map(|name| Shown::Text(name.into())));
            shown.extend((0..tested).map(Shown::Figure));
            if let (Shown::Figure(at), true) = (&order, sort.is_some())
                && *at >= tested
            {
                shown.push(Shown::Figure(*at));
            }
        } else {
            for name in columns.iter().filter(|name| !name.trim().is_empty()) {
                shown.push(add(name)?);
            }
        }
        Ok(Columns { figures, tested, shown, order, highest_first })
    }

    /// Returns the name of a column of the result.
    pub(super) fn name<'a>(&'a self, shown: &'a Shown) -> &'a str {
        match shown {
            Shown::Text(name) => name,
            Shown::Figure(at) => self.figures.get(*at).map_or("", |figure| &figure.column),
        }
    }
}

fn figure(known: &Known, fact: Fact, column: &str, name: String) -> Figure {
    let definition = definition(known.models, fact, column);
    Figure {
        fact,
        name,
        column: column.to_owned(),
        format: Format::of(&definition),
        is_price: fact == Fact::Market && (column == "close_price" || definition.sessions.is_some()),
    }
}

/// Returns the table of a kind of figures.
pub(super) fn table(fact: Fact) -> &'static str {
    FACTS.iter().find(|(known, _)| *known == fact).map_or("", |(_, table)| table)
}
