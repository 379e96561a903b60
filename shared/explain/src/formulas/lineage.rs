//! The origin of a column, traced through the selects of a model and from model to model to a
//! stored table or an expression.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{
    expr::Expr,
    lines::operand,
    parse::{Item, Query, Select, Table, query},
};
use findata_models::Models;

/// Tables where tracing ends: published tables, and intermediate tables that are queried by row.
const ENDS: [&str; 9] = [
    "companies",
    "growth_rates",
    "period_inputs",
    "price_bars",
    "split_adjusted_shares",
    "split_factors",
    "valuation_days",
    "valuation_operands",
    "valuation_inputs",
];

/// The parsed models.
pub struct Lineage {
    queries: BTreeMap<&'static str, Query>,
}

/// A select of a model: a common table expression, or the final select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The table that the model builds.
    pub table: &'static str,
    /// The index of the common table expression; `None` for the final select.
    pub named: Option<usize>,
    /// Which part of a union to trace, if the parts differ.
    pub branch: usize,
}

/// The origin of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A column of a table.
    Stored {
        /// The table.
        table: String,
        /// Its column.
        column: String,
    },
    /// An expression over the tables of a select.
    Computed(Expr, Place),
}

/// The origin of a column, and the path from the column to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The origin.
    pub origin: Origin,
    /// The table aliases along the path; they determine which rows are meant.
    pub through: Vec<String>,
    /// How many rows earlier: the sum of the `lag` offsets along the path.
    pub rows_before: u32,
}

/// A figure's expression over named inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    /// The expression; its columns are the names of the inputs.
    pub expr: Expr,
    /// Conditions without which the figure is NULL.
    pub guards: Vec<Expr>,
    /// The inputs by name, in order of appearance: those of the expression, then those of the
    /// guards.
    pub inputs: Vec<(String, Trace)>,
}

impl Lineage {
    /// The lineage of all models, parsed once.
    pub fn get() -> &'static Lineage {
        static LINEAGE: OnceLock<Lineage> = OnceLock::new();
        LINEAGE.get_or_init(|| {
            let read = |sql: &str| query(sql).unwrap_or_default();
            Lineage {
                queries: Models::built_in()
                    .map(|all| all.models.iter().map(|m| (m.builds(), read(&m.sql))).collect())
                    .unwrap_or_default(),
            }
        })
    }

    /// The query that builds a table.
    pub fn query(&self, table: &str) -> Option<&Query> {
        self.queries.get(table)
    }

    fn place(&self, table: &str, named: Option<usize>, branch: usize) -> Option<Place> {
        // A fact is named after the view of its current rows; its model builds the `_history` table
        // with all versions.
        let versions = format!("{table}_history");
        let (table, _) = self
            .queries
            .get_key_value(table)
            .or_else(|| self.queries.get_key_value(versions.as_str()))?;
        Some(Place { table, named, branch })
    }

    fn selects(&self, place: &Place) -> Option<&[Select]> {
        let query = self.queries.get(place.table)?;
        Some(match place.named {
            Some(n) => &query.named.get(n)?.1,
            None => &query.last,
        })
    }

    fn select(&self, place: &Place) -> Option<&Select> {
        let selects = self.selects(place)?;
        selects.get(place.branch.min(selects.len().checked_sub(1)?))
    }

    /// Traces a column of a model's table; `branch` chooses the part of each union along the path.
    pub fn column(&self, table: &str, name: &str, branch: usize) -> Option<Trace> {
        self.item(&self.place(table, None, branch)?, name)
    }

    /// Traces a name in the scope of a select.
    pub fn within(&self, place: &Place, alias: Option<&str>, name: &str) -> Option<Trace> {
        let from = &self.select(place)?.from;
        let mut tables = from.iter().filter(|t| alias.is_none_or(|alias| t.alias == alias));
        let mut trace = tables.find_map(|table| Some((self.trace_in(place, table, name)?, &table.alias)));
        if let Some((trace, alias)) = &mut trace {
            trace.through.insert(0, alias.to_string());
        }
        trace.map(|(trace, _)| trace)
    }

    fn trace_in(&self, place: &Place, table: &Table, name: &str) -> Option<Trace> {
        if let Some(inner) = &table.inner {
            return self.trace_in(place, inner.last.first()?.from.first()?, name);
        }
        let named = &self.queries.get(place.table)?.named;
        let before = place.named.unwrap_or(named.len());
        if let Some(n) = named[..before].iter().rposition(|(known, _)| *known == table.name) {
            return self.item(&Place { named: Some(n), ..place.clone() }, name);
        }
        let ends = ENDS.contains(&table.name.as_str()) || table.name.starts_with("new_");
        match self.place(&table.name, None, place.branch) {
            Some(model) if !ends => self.item(&model, name),
            Some(model) => {
                self.item(&model, name)?;
                Some(stored(&table.name, name))
            }
            None => Some(stored(&table.name, name)),
        }
    }

    /// Traces the item of this name in a select list. The first part of a union names the items of
    /// all parts.
    fn item(&self, place: &Place, name: &str) -> Option<Trace> {
        let names = &self.selects(place)?.first()?.items;
        let position =
            names.iter().position(|item| matches!(item, Item::One(Some(known), _) if known == name));
        let Some(position) = position else {
            return names.iter().find_map(|item| match item {
                Item::All(alias) => self.within(place, alias.as_deref(), name),
                Item::One(..) => None,
            });
        };
        let Item::One(_, expr) = self.select(place)?.items.get(position)? else {
            return None;
        };
        match expr {
            Expr::Column(alias, column) => self.within(place, alias.as_deref(), column),
            Expr::Call(function, arguments, true) if function == "lag" => {
                let Expr::Column(alias, column) = arguments.first()? else {
                    return None;
                };
                let rows = arguments.get(1).map_or(Some(1.0), Expr::number)?;
                let mut trace = self.within(place, alias.as_deref(), column)?;
                trace.rows_before += rows as u32;
                Some(trace)
            }
            _ => Some(Trace {
                origin: Origin::Computed(expr.clone(), place.clone()),
                through: Vec::new(),
                rows_before: 0,
            }),
        }
    }

    /// The formula of an expression in a select, with its inputs traced.
    ///
    /// # Errors
    /// The name of a column that cannot be traced.
    pub fn formula(&self, expr: &Expr, place: &Place) -> Result<Formula, String> {
        let (expr, guards) = expr.guarded();
        let mut inputs: Vec<(String, Trace)> = Vec::new();
        let mut names: BTreeMap<(Option<String>, String), Expr> = BTreeMap::new();
        for part in std::iter::once(&expr).chain(&guards) {
            for (alias, name) in part.columns() {
                let trace = self.within(place, alias, name).ok_or_else(|| name.to_owned())?;
                let key = (alias.map(str::to_owned), name.to_owned());
                // The intermediate column in `valuation_operands` is replaced by the operand in the
                // market line.
                let replaced = match &trace.origin {
                    Origin::Stored { table, column } if table == "valuation_operands" => {
                        let operand = operand(column).ok_or_else(|| column.clone())?;
                        for (_, name) in operand.columns() {
                            let trace = stored("valuation_inputs", name);
                            self.column("valuation_inputs", name, 0).ok_or_else(|| name.to_owned())?;
                            add(&mut inputs, name.to_owned(), trace);
                        }
                        operand
                    }
                    _ => Expr::Column(None, add(&mut inputs, named(alias, name, place), trace)),
                };
                names.insert(key, replaced);
            }
        }
        let rename = |e: &Expr| match e {
            Expr::Column(alias, name) => names.get(&(alias.clone(), name.clone())).cloned(),
            _ => None,
        };
        let guards = guards.iter().map(|g| g.replace(&rename)).collect();
        Ok(Formula { expr: expr.replace(&rename).without_nullif(), guards, inputs })
    }

    /// The formula of a column of a model's table; `None` if the column is only carried over from
    /// another one.
    ///
    /// # Errors
    /// As for [`Lineage::formula`]; the column's own name if the table does not have it.
    pub fn formula_of(&self, table: &str, column: &str, branch: usize) -> Result<Option<Formula>, String> {
        let trace = self.column(table, column, branch).ok_or_else(|| column.to_owned())?;
        match &trace.origin {
            Origin::Computed(expr, place) => self.formula(expr, place).map(Some),
            Origin::Stored { table, column } if table == "valuation_operands" => {
                self.over("valuation_inputs", &operand(column).ok_or_else(|| column.clone())?).map(Some)
            }
            Origin::Stored { .. } => Ok(None),
        }
    }

    /// A formula over the columns of one table.
    ///
    /// # Errors
    /// As for [`Lineage::formula`].
    pub fn over(&self, table: &'static str, expr: &Expr) -> Result<Formula, String> {
        let (expr, guards) = expr.guarded();
        let mut inputs = Vec::new();
        for part in std::iter::once(&expr).chain(&guards) {
            for (_, name) in part.columns() {
                self.column(table, name, 0).ok_or_else(|| name.to_owned())?;
                add(&mut inputs, name.to_owned(), stored(table, name));
            }
        }
        Ok(Formula { expr, guards, inputs })
    }
}

fn stored(table: &str, column: &str) -> Trace {
    let table = table.strip_suffix("_history").unwrap_or(table);
    let origin = Origin::Stored { table: table.to_owned(), column: column.to_owned() };
    Trace { origin, through: Vec::new(), rows_before: 0 }
}

/// Adds an input unless one of that name exists. Returns the name.
fn add(inputs: &mut Vec<(String, Trace)>, name: String, trace: Trace) -> String {
    if !inputs.iter().any(|(known, _)| *known == name) {
        inputs.push((name.clone(), trace));
    }
    name
}

/// The name of an input. For an earlier row beside a TTM row, a suffix tells how much earlier.
fn named(alias: Option<&str>, name: &str, place: &Place) -> String {
    match alias {
        Some("p") if place.table.starts_with("new_fact_financials_ttm") => format!("{name}_quarter_before"),
        Some("b") if place.table.starts_with("new_fact_financials_ttm") => format!("{name}_year_before"),
        _ => name.to_owned(),
    }
}
