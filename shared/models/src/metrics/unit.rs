//! The unit of a figure, derived from its formula: money over money is a ratio, money over shares is money per share.

use std::fmt;

use serde::Deserialize;

use super::expression::{Expr, Function, Op};

/// A unit: powers of money, shares and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "NamedUnit")]
pub struct Unit {
    money: i8,
    shares: i8,
    days: i8,
}

/// A unit by its name in the registry.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedUnit {
    Ratio,
    Money,
    Shares,
    Days,
    MoneyPerShare,
}

impl From<NamedUnit> for Unit {
    fn from(named: NamedUnit) -> Self {
        match named {
            NamedUnit::Ratio => RATIO,
            NamedUnit::Money => MONEY,
            NamedUnit::Shares => SHARES,
            NamedUnit::Days => DAYS,
            NamedUnit::MoneyPerShare => MONEY_PER_SHARE,
        }
    }
}

/// A dimensionless number: a fraction, 0.25 for 25 %.
pub const RATIO: Unit = Unit { money: 0, shares: 0, days: 0 };
/// An amount.
pub const MONEY: Unit = Unit { money: 1, shares: 0, days: 0 };
/// An amount per share.
pub const MONEY_PER_SHARE: Unit = Unit { money: 1, shares: -1, days: 0 };
/// A number of shares.
pub const SHARES: Unit = Unit { money: 0, shares: 1, days: 0 };
/// Days.
pub const DAYS: Unit = Unit { money: 0, shares: 0, days: 1 };

impl Unit {
    /// The unit of a product with `other`, or of a quotient with the power -1.
    pub fn times(self, other: Unit, power: i8) -> Unit {
        Unit {
            money: self.money + power * other.money,
            shares: self.shares + power * other.shares,
            days: self.days + power * other.days,
        }
    }

    /// The unit of a square root.
    pub fn root(self) -> Unit {
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

    /// The unit of an expression; `input` returns the unit of an input. `None` if an input has none.
    pub fn of(expr: &Expr, input: &dyn Fn(&str) -> Option<Unit>) -> Option<Unit> {
        let inner = |e: &Expr| Unit::of(e, input);
        match expr {
            Expr::Number(_) | Expr::Not(_) => Some(RATIO),
            Expr::Input(name) => input(name),
            Expr::Negative(a) => inner(a),
            // A number added to an amount has the amount's unit: it is a 0 in place of an absent amount.
            Expr::Binary(a, Op::Plus | Op::Minus, b) => match a.number() {
                Some(_) => inner(b),
                None => inner(a),
            },
            Expr::Binary(a, Op::Times, b) => Some(inner(a)?.times(inner(b)?, 1)),
            Expr::Binary(a, Op::Over, b) => Some(inner(a)?.times(inner(b)?, -1)),
            Expr::Binary(..) => Some(RATIO),
            Expr::Call(Function::Sqrt, arguments) => inner(arguments.first()?).map(Unit::root),
            Expr::Call(Function::Ln | Function::Exp | Function::Power, _) => Some(RATIO),
            Expr::Call(_, arguments) => {
                arguments.iter().filter(|e| !e.is_condition() && e.number().is_none()).find_map(inner)
            }
        }
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
