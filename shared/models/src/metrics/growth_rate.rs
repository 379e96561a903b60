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

    /// Its formula over the figure, and over [`GrowthRate::base`].
    pub fn formula(&self) -> Expr {
        let input = |name: &str| Box::new(Expr::input(name));
        let number = |n: u32| Box::new(Expr::Number(n.to_string()));
        let (now, base) = (self.growth.figure.as_str(), self.base());
        let binary = |a, op, b| Expr::Binary(a, op, b);
        match self.annual() {
            Some(years) => {
                let ratio = binary(input(now), Op::Over, input(&base));
                let root = binary(number(1), Op::Over, number(years));
                let power = Expr::Call(Function::Power, vec![ratio, root]);
                binary(Box::new(power), Op::Minus, number(1))
            }
            None => {
                let change = binary(input(now), Op::Minus, input(&base));
                binary(Box::new(change), Op::Over, input(&base))
            }
        }
    }

    /// The name of the figure at the base in the formula.
    pub fn base(&self) -> String {
        format!("{}_before", self.growth.figure)
    }

    /// The number of years of an annual rate; `None` for a change.
    pub fn annual(&self) -> Option<u32> {
        self.horizon.years.filter(|years| *years > 1)
    }
}
