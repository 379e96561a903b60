//! The definition of a figure without a company: what it means, its formula, its conditions, and the
//! columns that hold the inputs of the formula.

use findata_models::{
    Models,
    metrics::{Expr, Op, Source, Unit},
};

use crate::{
    ask::{FACTS, Fact},
    conditions, ttm, units,
    windows::return_formula,
    words::{label, words},
};

/// The definition of a column with figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The figure's name in words.
    pub label: String,
    /// What the figure means; empty if its formula says it.
    pub about: String,
    /// The formula in words.
    pub formula: Option<String>,
    /// The formula with the names of the inputs.
    pub expression: Option<Expr>,
    /// Conditions that must hold; otherwise the figure is NULL.
    pub only_when: Vec<String>,
    /// The unit of the figure.
    pub unit: Option<Unit>,
    /// Whether reports show the figure in percent. It is stored as a fraction.
    pub percent: bool,
    /// Number of sessions of a figure that depends on prices only.
    pub sessions: Option<u32>,
}

/// Returns the definition of a figure of the trailing twelve months or of a session.
pub fn definition(models: &Models, fact: Fact, column: &str) -> Definition {
    let table = FACTS.iter().find(|(known, _)| *known == fact).map_or("", |(_, table)| table);
    let mut to = Definition {
        label: label(column),
        about: String::new(),
        formula: None,
        expression: None,
        only_when: Vec::new(),
        unit: units::unit(models, table, column),
        percent: false,
        sessions: None,
    };
    declare(&mut to, models, fact, column);
    to.formula = to.formula.or_else(|| to.expression.as_ref().map(words));
    to
}

fn declare(to: &mut Definition, models: &Models, fact: Fact, column: &str) {
    let registry = &models.registry;
    match fact {
        Fact::Ratios => {
            if let Some(ratio) = registry.ratio(column) {
                to.about.clone_from(&ratio.about);
                to.only_when = conditions::of_ratio(registry, ratio);
                to.expression = Some(ratio.formula.clone());
                to.percent = ratio.percent;
            }
        }
        Fact::Growth => {
            if let Some(rate) = registry.growth_rate(column) {
                to.about.clone_from(&rate.horizon.about);
                to.only_when = conditions::of_growth_rate(rate);
                to.expression = Some(rate.formula());
                to.percent = true;
            }
        }
        Fact::Market => {
            if let Some(metric) = registry.market_metric(column) {
                to.about.clone_from(&metric.about);
                to.only_when = conditions::of_market_metric(registry, metric);
                to.expression = Some(metric.formula.clone());
                to.percent = metric.percent;
            } else if let Some(metric) = registry.price_metric(column) {
                to.about.clone_from(&metric.about);
                to.only_when = vec![format!("{} sessions are available", metric.sessions)];
                to.sessions = Some(metric.sessions);
                to.percent = metric.percent;
                if metric.window == findata_models::metrics::Window::Return {
                    to.expression = return_formula(metric.sessions).ok();
                }
            }
        }
        Fact::Ttm => {
            if let Some(rule) = ttm::rule(registry, column) {
                to.formula = Some(ttm::words(rule));
                if let ttm::Rule::Sum(line) = rule {
                    to.expression = sum_of_quarters(line);
                }
                to.only_when = ttm::condition(rule).into_iter().collect();
            }
        }
        Fact::Financials | Fact::Prices => {}
    }
}

/// Number of quarters of the twelve months.
pub const QUARTERS: usize = 4;

/// Returns the sum of a line over the quarters of the twelve months. Their names are
/// `<line>_quarter_1` for the newest to `<line>_quarter_4`.
fn sum_of_quarters(line: &str) -> Option<Expr> {
    let quarters = (1..=QUARTERS).map(|n| Expr::input(&format!("{line}_quarter_{n}")));
    quarters.reduce(|sum, quarter| Expr::Binary(Box::new(sum), Op::Plus, Box::new(quarter)))
}

/// Where the value of an input of a formula is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// In this column of `fact_financials_ttm`.
    Ttm(String),
    /// In this column of `fact_financials`, in this quarter of the twelve months: 1 is the newest.
    Quarter(String, usize),
    /// In this column of the market metrics of the session.
    Market(String),
    /// In this column of the growth rates of the trailing twelve months.
    Growth(String),
    /// Computed from other inputs, which are resolved in the same way.
    Computed(Expr),
    /// In no column of these tables.
    Elsewhere,
}

/// Finds an input of a ratio of the trailing twelve months, or of a market metric. For a market
/// metric, the twelve months and the newest statement are taken from the twelve months that were known on
/// the session.
pub fn place(models: &Models, fact: Fact, input: &str) -> Place {
    if fact == Fact::Market {
        return match Source::split(input) {
            Some((Source::Ttm, name)) => of_twelve_months(models, name),
            Some((Source::Latest, name)) => of_twelve_months(models, name),
            Some((Source::Growth, name)) => Place::Growth(name.to_owned()),
            Some((Source::Fy, _)) => Place::Elsewhere,
            None if input == "shares" => Place::Market("shares_outstanding_used".into()),
            None if input == "dividends_per_share" => Place::Market("dividends_per_share_ttm".into()),
            None if models.columns("fact_market_metrics").iter().any(|c| c.name == input) => {
                Place::Market(input.to_owned())
            }
            None => Place::Elsewhere,
        };
    }
    if let Some((line, n)) = input.rsplit_once("_quarter_")
        && let Ok(n) = n.parse()
    {
        let is_stored = models.columns("fact_financials").iter().any(|c| c.name == line);
        return if is_stored {
            Place::Quarter(line.to_owned(), n)
        } else {
            Place::Elsewhere
        };
    }
    of_twelve_months(models, input)
}

fn of_twelve_months(models: &Models, name: &str) -> Place {
    // No table stores it. Twelve months always have 365.
    if name == "days" {
        return Place::Computed(Expr::Number("365".into()));
    }
    let column = match models.registry.input(name) {
        Some(input) => match (&input.formula, &input.ttm) {
            (Some(formula), _) => return Place::Computed(formula.clone()),
            (None, Some(column)) => column.clone(),
            (None, None) => return Place::Elsewhere,
        },
        None => ttm::column(name),
    };
    let is_stored = models.columns("fact_financials_ttm").iter().any(|c| c.name == column);
    if is_stored { Place::Ttm(column) } else { Place::Elsewhere }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_names_the_formula_and_where_its_inputs_are() {
        let models = Models::built_in().unwrap();
        let pe = definition(models, Fact::Market, "pe_ratio_ttm");
        assert_eq!(pe.formula.as_deref(), Some("close price ÷ TTM EPS diluted"));
        assert_eq!(pe.only_when, ["TTM EPS diluted is above zero"]);
        assert_eq!(place(models, Fact::Market, "ttm.eps_diluted"), Place::Ttm("ttm_eps_diluted_sum".into()));
        assert_eq!(place(models, Fact::Market, "close_price"), Place::Market("close_price".into()));
        assert_eq!(place(models, Fact::Market, "fy.eps_diluted"), Place::Elsewhere);
        let roic = definition(models, Fact::Ratios, "roic");
        assert!(roic.percent && roic.sessions.is_none());
        assert!(matches!(place(models, Fact::Ratios, "nopat"), Place::Computed(_)));
        assert!(matches!(place(models, Fact::Ratios, "days"), Place::Computed(Expr::Number(_))));
        assert_eq!(place(models, Fact::Ratios, "total_assets"), Place::Ttm("latest_total_assets".into()));
        let revenue = definition(models, Fact::Ttm, "ttm_revenue");
        assert_eq!(revenue.formula.as_deref(), Some("sum of revenue over the periods"));
        assert_eq!(revenue.expression.unwrap().inputs().len(), QUARTERS);
        assert_eq!(place(models, Fact::Ttm, "revenue_quarter_2"), Place::Quarter("revenue".into(), 2));
        assert_eq!(definition(models, Fact::Market, "volatility_90d").sessions, Some(90 + 1));
    }
}
