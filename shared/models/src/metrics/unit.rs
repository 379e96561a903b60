//! Derives the unit of a figure from its formula: money divided by money is a ratio, money divided
//! by shares is money per share.

use std::fmt;

use serde::Deserialize;

use super::expression::{Expr, Function, Op};

/// A unit, as powers of money, shares and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "NamedUnit")]
pub struct Unit {
    money: i8,
    shares: i8,
    days: i8,
}

/// The units that entries of the registry can name.
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

/// A number without dimension, such as the fraction 0.25 for 25 %.
pub const RATIO: Unit = Unit { money: 0, shares: 0, days: 0 };
/// An amount of money.
pub const MONEY: Unit = Unit { money: 1, shares: 0, days: 0 };
/// An amount of money per share.
pub const MONEY_PER_SHARE: Unit = Unit { money: 1, shares: -1, days: 0 };
/// A number of shares.
pub const SHARES: Unit = Unit { money: 0, shares: 1, days: 0 };
/// A number of days.
pub const DAYS: Unit = Unit { money: 0, shares: 0, days: 1 };

impl Unit {
    /// Multiplies this unit by `other` raised to `power`. The power -1 divides by `other`.
    fn times(self, other: Unit, power: i8) -> Option<Unit> {
        let sum = |a: i8, b: i8| a.checked_add(b.checked_mul(power)?);
        Some(Unit {
            money: sum(self.money, other.money)?,
            shares: sum(self.shares, other.shares)?,
            days: sum(self.days, other.days)?,
        })
    }

    /// Returns the unit of the square root, or `None` if a power of the result is not an integer.
    fn root(self) -> Option<Unit> {
        let half = |power: i8| (power % 2 == 0).then_some(power / 2);
        Some(Unit {
            money: half(self.money)?,
            shares: half(self.shares)?,
            days: half(self.days)?,
        })
    }

    /// Returns the unit of an expression; `input` returns the unit of an input. Returns `None` if
    /// an input has no unit, or if the operation is not defined for the units of its operands.
    pub fn of(expr: &Expr, input: &dyn Fn(&str) -> Option<Unit>) -> Option<Unit> {
        let inner = |e: &Expr| Unit::of(e, input);
        match expr {
            Expr::Number(_) | Expr::Not(_) => Some(RATIO),
            Expr::Input(name) => input(name),
            Expr::Negative(a) => inner(a),
            Expr::Binary(a, Op::Times, b) => inner(a)?.times(inner(b)?, 1),
            Expr::Binary(a, Op::Over, b) => inner(a)?.times(inner(b)?, -1),
            Expr::Binary(a, Op::Plus | Op::Minus, b) => common([&**a, &**b], &inner),
            Expr::Binary(a, Op::And | Op::Or, b) => inner(a).and(inner(b)).map(|_| RATIO),
            Expr::Binary(a, _, b) => common([&**a, &**b], &inner).map(|_| RATIO),
            Expr::Call(Function::Sqrt, arguments) => inner(arguments.first()?)?.root(),
            Expr::Call(Function::Ln | Function::Exp | Function::Power, arguments) => {
                let all = arguments.iter().map(inner).collect::<Option<Vec<_>>>()?;
                all.iter().all(|unit| *unit == RATIO).then_some(RATIO)
            }
            Expr::Call(Function::Indicator, arguments) => inner(arguments.first()?).map(|_| RATIO),
            Expr::Call(Function::If, arguments) => {
                inner(arguments.first()?)?;
                common(&arguments[1..], &inner)
            }
            Expr::Call(_, arguments) => common(arguments, &inner),
        }
    }
}

/// Returns the unit that all parts have in common. A numeric literal fits every unit, because it is
/// a limit or a 0 in place of a missing amount.
fn common<'a>(
    parts: impl IntoIterator<Item = &'a Expr>,
    unit: &impl Fn(&Expr) -> Option<Unit>,
) -> Option<Unit> {
    let mut found = None;
    for part in parts.into_iter().filter(|part| part.number().is_none()) {
        let unit = unit(part)?;
        if found.is_some_and(|known| known != unit) {
            return None;
        }
        found = Some(unit);
    }
    Some(found.unwrap_or(RATIO))
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
