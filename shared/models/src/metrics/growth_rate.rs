//! Growth rates and their formula.

use super::{
    entries::{Growth, Horizon},
    expression::{Expr, Function, Op},
};

/// A growth rate: the growth of a figure over a horizon.
#[derive(Debug, Clone, Copy)]
pub struct GrowthRate<'a> {
    /// The figure whose growth is measured.
    pub growth: &'a Growth,
    /// The horizon over which growth is measured.
    pub horizon: &'a Horizon,
}

impl GrowthRate<'_> {
    /// Returns the name of the growth rate's column.
    pub fn name(&self) -> String {
        format!("{}_{}", self.growth.figure, self.horizon.name)
    }

    /// Its formula over the figure, and over [`Growth::base`].
    pub fn formula(&self) -> Expr {
        match self.horizon.root() {
            Some(root) => self.growth.annual_rate(root),
            None => self.growth.change(),
        }
    }
}

impl Growth {
    /// The name of the figure at the base in formulas.
    pub fn base(&self) -> String {
        format!("{}_before", self.figure)
    }

    /// The change from the base, as a part of the base.
    pub fn change(&self) -> Expr {
        over(binary(self.end(), Op::Minus, self.start()), self.start())
    }

    /// The annual rate from the base; `root` is 1 / years.
    pub fn annual_rate(&self, root: Expr) -> Expr {
        let power = Expr::Call(Function::Power, vec![over(self.end(), self.start()), root]);
        binary(power, Op::Minus, number(1))
    }

    fn end(&self) -> Expr {
        Expr::input(&self.figure)
    }

    fn start(&self) -> Expr {
        Expr::input(&self.base())
    }
}

impl Horizon {
    /// The exponent of an annual rate, 1 / years; `None` if growth over the horizon is a change.
    pub fn root(&self) -> Option<Expr> {
        self.years.filter(|years| *years > 1).map(|years| over(number(1), number(years)))
    }
}

fn binary(left: Expr, op: Op, right: Expr) -> Expr {
    Expr::Binary(Box::new(left), op, Box::new(right))
}

fn over(dividend: Expr, divisor: Expr) -> Expr {
    binary(dividend, Op::Over, divisor)
}

fn number(n: u32) -> Expr {
    Expr::Number(n.to_string())
}
