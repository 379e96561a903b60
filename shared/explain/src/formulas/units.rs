//! The unit of a figure, derived from its formula: money over money is a ratio, money over shares
//! is money a share.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use super::{
    expr::{Expr, Op},
    lineage::{Formula, Lineage, Origin, Trace},
    lines::{growth_lines, ratio_lines},
};

/// A unit: powers of money, shares and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unit {
    money: i8,
    shares: i8,
    days: i8,
}

/// A dimensionless number: a fraction, 0.25 for 25 %.
pub const RATIO: Unit = Unit { money: 0, shares: 0, days: 0 };
/// An amount.
pub const MONEY: Unit = Unit { money: 1, shares: 0, days: 0 };
/// An amount per share.
pub const MONEY_A_SHARE: Unit = Unit { money: 1, shares: -1, days: 0 };
/// A number of shares.
pub const SHARES: Unit = Unit { money: 0, shares: 1, days: 0 };
/// Days.
pub const DAYS: Unit = Unit { money: 0, shares: 0, days: 1 };

impl Unit {
    fn times(self, other: Unit, power: i8) -> Unit {
        Unit {
            money: self.money + power * other.money,
            shares: self.shares + power * other.shares,
            days: self.days + power * other.days,
        }
    }

    fn root(self) -> Unit {
        Unit {
            money: self.money / 2,
            shares: self.shares / 2,
            days: self.days / 2,
        }
    }

    /// Whether it includes a currency.
    pub fn has_money(self) -> bool {
        self.money != 0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.money, self.shares, self.days) {
            (0, 0, 0) => "ratio",
            (1, 0, 0) => "money",
            (1, -1, 0) => "money a share",
            (0, 1, 0) => "shares",
            (0, 0, 1) => "days",
            _ => "mixed",
        })
    }
}

/// The unit of a column of a fact; `fact` is its name without the schema.
pub fn unit(fact: &str, column: &str) -> Option<Unit> {
    match fact {
        "fact_financial_ratios" => {
            let line = ratio_lines().iter().find(|l| l.metric == column)?;
            of_formula(&line.formula().ok()?)
        }
        "fact_growth_rates" => growth_lines().iter().any(|l| l.metric() == column).then_some(RATIO),
        _ => column_unit(&format!("new_{fact}"), column),
    }
}

/// The unit of an expression; `input` returns the unit of each column.
pub fn unit_of(expr: &Expr, input: &dyn Fn(&str) -> Option<Unit>) -> Option<Unit> {
    let inner = |e: &Expr| unit_of(e, input);
    match expr {
        Expr::Number(_) => Some(RATIO),
        Expr::Column(_, name) => input(name),
        Expr::Negative(a) => inner(a),
        // A literal added to an amount has the amount's unit: it is a 0 in place of an absent
        // amount.
        Expr::Binary(a, Op::Plus | Op::Minus, b) => match a.number() {
            Some(_) => inner(b),
            None => inner(a),
        },
        Expr::Binary(a, Op::Times, b) => Some(inner(a)?.times(inner(b)?, 1)),
        Expr::Binary(a, Op::Over, b) => Some(inner(a)?.times(inner(b)?, -1)),
        Expr::Case(whens, otherwise) => whens
            .iter()
            .map(|(_, result)| result)
            .chain(otherwise.as_deref())
            .find_map(|e| inner(e).filter(|_| e.number().is_none())),
        Expr::Call(name, arguments, _) => match name.as_str() {
            "sqrt" => inner(arguments.first()?).map(Unit::root),
            "ln" | "exp" | "power" | "count" | "row_number" => Some(RATIO),
            _ => inner(arguments.first()?),
        },
        _ => None,
    }
}

fn of_formula(formula: &Formula) -> Option<Unit> {
    unit_of(&formula.expr, &|name| {
        let (_, trace) = formula.inputs.iter().find(|(known, _)| known == name)?;
        of_trace(trace)
    })
}

/// The unit of a trace's origin.
pub fn of_trace(trace: &Trace) -> Option<Unit> {
    match &trace.origin {
        Origin::Stored { table, column } => column_unit(table, column),
        Origin::Computed(expr, place) => of_formula(&Lineage::get().formula(expr, place).ok()?),
    }
}

/// The unit of a column of a model's table, or of a `staging` table.
pub fn column_unit(table: &str, column: &str) -> Option<Unit> {
    // Each unit is needed many times, and tracing a column down to its leaves is slow.
    static KNOWN: Mutex<BTreeMap<(String, String), Option<Unit>>> = Mutex::new(BTreeMap::new());
    let key = (table.to_owned(), column.to_owned());
    if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return *known;
    }
    let found = find_unit(table, column);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found);
    found
}

fn find_unit(table: &str, column: &str) -> Option<Unit> {
    let statement = match column {
        _ if column.starts_with("eps") => MONEY_A_SHARE,
        _ if column.starts_with("shares") => SHARES,
        _ => MONEY,
    };
    match (table, column) {
        ("new_fact_financials", _) => Some(statement),
        ("staging.income_statement" | "staging.balance_sheet" | "staging.cash_flow", _) => Some(statement),
        ("staging.prices" | "staging.quotes", "volume") => Some(SHARES),
        ("staging.profile" | "staging.quotes", "market_cap") => Some(MONEY),
        ("staging.shares_float", _) => Some(SHARES),
        ("staging.prices" | "staging.quotes" | "staging.dividends" | "staging.profile", _) => {
            Some(MONEY_A_SHARE)
        }
        ("period_inputs", "days") => Some(DAYS),
        ("split_factors" | "growth_rates", _) => Some(RATIO),
        _ if table.starts_with("staging.") => None,
        // All parts of a union have the same unit, so the first one is enough.
        _ => match Lineage::get().column(table, column, 0)? {
            Trace { origin: Origin::Stored { table: same, column: name }, .. }
                if same == table && name == column =>
            {
                None
            }
            trace => of_trace(&trace),
        },
    }
}
