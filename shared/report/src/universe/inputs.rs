//! The inputs of the formulas of the screener's figures: which there are, and their values for a
//! company.

use std::collections::{BTreeMap, BTreeSet};

use findata_explain::{
    ask::Fact,
    definition::{Place, place},
    label,
    rows::{Row, figure},
};
use findata_models::{
    Models,
    metrics::{Expr, MONEY, MONEY_PER_SHARE, SHARES, Source},
};
use serde::Serialize;

use crate::figures::{Chosen, Format};

/// An input of a formula.
#[derive(Debug, Clone, PartialEq)]
struct Input {
    fact: Fact,
    name: String,
    at: At,
}

/// Where the value of an input is.
#[derive(Debug, Clone, PartialEq)]
enum At {
    /// In the rows of the company's newest figures.
    Newest(Place),
    /// In this column of the twelve months that the growth over the horizon is compared with.
    Base { horizon: String, column: String },
    /// The close this many sessions before.
    Close(u32),
}

/// The inputs of all figures, each once.
#[derive(Debug, Default)]
pub struct Inputs {
    inputs: Vec<Input>,
    /// Positions of the inputs of each figure.
    of_figures: Vec<Vec<usize>>,
}

/// An input as the page displays it.
#[derive(Debug, Serialize)]
pub struct InputDefinition {
    label: String,
    format: Format,
}

/// The newest rows of a company.
#[derive(Debug, Default)]
pub struct Newest<'a> {
    /// Market metrics of the newest session.
    pub market: Option<&'a Row>,
    /// Twelve months of the ratios and growth rates.
    pub ttm: Option<&'a Row>,
    /// Twelve months known on the newest session.
    pub known_ttm: Option<&'a Row>,
    /// Growth rates of the newest twelve months.
    pub growth: Option<&'a Row>,
    /// Twelve months to compare with, by horizon.
    pub bases: BTreeMap<&'a str, &'a Row>,
    /// Lines of the quarters of the newest twelve months.
    pub quarters: Option<&'a Row>,
    /// Earlier closes, by sessions before.
    pub closes: Option<&'a Row>,
}

impl Inputs {
    /// Finds the inputs of the figures' formulas.
    pub fn of(models: &Models, figures: &[Chosen]) -> Self {
        let mut all = Inputs::default();
        for figure in figures {
            let names = figure.definition.expression.as_ref().map(Expr::inputs).unwrap_or_default();
            let positions = names.into_iter().map(|name| {
                let input = find(models, figure, name);
                all.inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
                    all.inputs.push(input);
                    all.inputs.len() - 1
                })
            });
            let positions = positions.collect();
            all.of_figures.push(positions);
        }
        all
    }

    /// Returns the positions of a figure's inputs.
    pub fn of_figure(&self, position: usize) -> &[usize] {
        self.of_figures.get(position).map_or(&[], Vec::as_slice)
    }

    /// Returns the inputs as the page displays them.
    pub fn definitions(&self, models: &Models) -> Vec<InputDefinition> {
        let one = |input: &Input| {
            let (_, name) = Source::split(&input.name).unwrap_or((Source::Ttm, &input.name));
            let base = name.strip_suffix("_before").unwrap_or(name);
            let unit = match name {
                "close_price" | "dividends_per_share" => Some(MONEY_PER_SHARE),
                "market_cap" | "enterprise_value" | "enterprise_value_fmp" => Some(MONEY),
                "shares" => Some(SHARES),
                _ if matches!(input.at, At::Close(_)) => Some(MONEY_PER_SHARE),
                _ if matches!(input.at, At::Newest(Place::Quarter(..))) => Some(MONEY),
                _ => models.registry.unit(base),
            };
            let format = match &input.at {
                At::Newest(Place::Growth(_)) => Format::Percent,
                _ => Format::of_unit(unit),
            };
            let label = match &input.at {
                At::Base { horizon, .. } => before(models, base, horizon),
                At::Newest(Place::Quarter(line, 1)) => format!("{}, newest quarter", label(line)),
                At::Newest(Place::Quarter(line, 2)) => format!("{}, 1 quarter before", label(line)),
                At::Newest(Place::Quarter(line, n)) => format!("{}, {} quarters before", label(line), n - 1),
                _ => label(&input.name),
            };
            InputDefinition { label, format }
        };
        self.inputs.iter().map(one).collect()
    }

    /// Returns the columns of `fact_financials_ttm` that the inputs need.
    pub fn columns(&self, models: &Models) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for input in &self.inputs {
            match &input.at {
                At::Newest(place) => collect(models, place, &mut found),
                At::Base { column, .. } => {
                    found.insert(column.clone());
                }
                At::Close(_) => {}
            }
        }
        found
    }

    /// Returns the lines of quarters that the inputs need, and the number of the quarter of each.
    pub fn quarters(&self) -> Vec<(&str, usize)> {
        let quarters = self.inputs.iter().filter_map(|input| match &input.at {
            At::Newest(Place::Quarter(line, n)) => Some((line.as_str(), *n)),
            _ => None,
        });
        quarters.collect()
    }

    /// Returns the numbers of sessions before the newest whose closes are inputs.
    pub fn sessions(&self) -> Vec<u32> {
        let sessions = self.inputs.iter().filter_map(|input| match input.at {
            At::Close(sessions) => Some(sessions),
            _ => None,
        });
        sessions.collect()
    }

    /// Returns the values of all inputs for a company.
    pub fn values(&self, models: &Models, newest: &Newest<'_>) -> Vec<Option<f64>> {
        self.inputs.iter().map(|input| value(models, input, newest)).collect()
    }

    /// Computes a figure from its inputs.
    pub fn recomputed(&self, position: usize, formula: &Expr, values: &[Option<f64>]) -> Option<f64> {
        let inputs = self.of_figure(position);
        formula.evaluate(&|name| {
            let input = inputs
                .iter()
                .find(|input| self.inputs.get(**input).is_some_and(|known| known.name == name))?;
            *values.get(*input)?
        })
    }
}

/// Returns the name of the column for a line of a quarter.
pub fn quarter_column(line: &str, n: usize) -> String {
    format!("{line}_quarter_{n}")
}

/// Returns the label of the figure with which growth is compared.
fn before(models: &Models, figure: &str, horizon: &str) -> String {
    let years = models
        .registry
        .horizons
        .iter()
        .find(|known| known.name == horizon)
        .and_then(|known| known.years);
    match years {
        None => format!("{} a quarter before", label(figure)),
        Some(1) => format!("{} a year before", label(figure)),
        Some(years) => format!("{} {years} years before", label(figure)),
    }
}

fn find(models: &Models, figure: &Chosen, name: &str) -> Input {
    let close = name.strip_prefix("close_").and_then(|rest| rest.strip_suffix("_ago"));
    let rate = (figure.fact == Fact::Growth)
        .then(|| models.registry.growth_rate(figure.column))
        .flatten();
    let at = match (close.and_then(|sessions| sessions.parse().ok()), rate) {
        (Some(sessions), _) => At::Close(sessions),
        (None, Some(rate)) if name == rate.growth.base() => {
            match place(models, Fact::Growth, &rate.growth.figure) {
                Place::Ttm(column) => At::Base { horizon: rate.horizon.name.clone(), column },
                other => At::Newest(other),
            }
        }
        _ => At::Newest(place(models, figure.fact, name)),
    };
    // Ratios and growth rates of twelve months have the same inputs.
    let fact = if figure.fact == Fact::Market { Fact::Market } else { Fact::Ratios };
    Input { fact, name: name.to_owned(), at }
}

fn collect(models: &Models, at: &Place, found: &mut BTreeSet<String>) {
    match at {
        Place::Ttm(column) => {
            found.insert(column.clone());
        }
        Place::Computed(formula) => {
            formula.inputs().iter().for_each(|name| collect(models, &part(models, name), found));
        }
        Place::Quarter(..) | Place::Market(_) | Place::Growth(_) | Place::Elsewhere => {}
    }
}

/// The place of an input of an input. These have no prefix.
fn part(models: &Models, name: &str) -> Place {
    place(models, Fact::Ratios, name)
}

fn value(models: &Models, input: &Input, newest: &Newest<'_>) -> Option<f64> {
    match &input.at {
        At::Newest(place) => {
            let ttm = if input.fact == Fact::Market { newest.known_ttm } else { newest.ttm };
            value_at(models, place, ttm, newest)
        }
        At::Base { horizon, column } => figure(newest.bases.get(horizon.as_str())?, column),
        At::Close(sessions) => figure(newest.closes?, &format!("close_{sessions}")),
    }
}

fn value_at(models: &Models, at: &Place, ttm: Option<&Row>, newest: &Newest<'_>) -> Option<f64> {
    match at {
        Place::Ttm(column) => figure(ttm?, column),
        Place::Quarter(line, n) => figure(newest.quarters?, &quarter_column(line, *n)),
        Place::Market(column) => figure(newest.market?, column),
        Place::Growth(column) => figure(newest.growth?, column),
        Place::Computed(formula) => {
            formula.evaluate(&|name| value_at(models, &part(models, name), ttm, newest))
        }
        Place::Elsewhere => None,
    }
}
