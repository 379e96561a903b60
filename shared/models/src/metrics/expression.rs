//! The grammar of formulas: arithmetic, comparisons and a few functions over named inputs.
//!
//! | form | meaning |
//! |---|---|
//! | `a + b`, `a - b`, `a * b`, `-a` | NULL if an operand is NULL |
//! | `a / b` | NULL if `b` is 0 |
//! | `=`, `<>`, `<`, `<=`, `>`, `>=`, `and`, `or`, `not` | conditions, for `if` |
//! | `indicator(condition)` | 1 if the condition holds, 0 if not, NULL if an operand is NULL |
//! | `if(condition, a, b)` | `a` if the condition holds, else `b`, or NULL without a `b` |
//! | `coalesce(a, b, ...)` | the first argument that is not NULL |
//! | `abs(a)`, `min(a, b)`, `max(a, b)` | NULL if an argument is NULL |
//! | `sqrt(a)` | NULL if `a` is below 0 |
//! | `ln(a)` | NULL if `a` is not above 0 |
//! | `exp(a)` | NULL if `a` is above 700 |
//! | `power(a, b)` | NULL if `a` is not above 0, or if the result is above e^700 |
//!
//! A formula is parsed to a tree, and SQL is written from the tree. The text of a formula is never
//! copied into SQL.

mod evaluate;
pub(crate) mod parse;
mod sql;
#[cfg(test)]
mod tests;

use std::fmt;

use findata_domain::{Error, Result};
use serde::Deserialize;
use sqlparser::ast::BinaryOperator;

pub(crate) use parse::identifier;

/// Maximum exponent of `exp` and `power`. A larger exponent overflows a double, which is an error
/// on Snowflake and infinity on DuckDB.
const MAX_EXPONENT: u32 = 700;

/// A formula as a tree.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Expr {
    /// A number as written.
    Number(String),
    /// An input, such as `revenue` or `ttm.revenue`.
    Input(String),
    /// Arithmetic negation.
    Negative(Box<Expr>),
    /// Logical negation.
    Not(Box<Expr>),
    /// A binary operation.
    Binary(Box<Expr>, Op, Box<Expr>),
    /// A function call.
    Call(Function, Vec<Expr>),
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the operators")]
pub enum Op {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Plus,
    Minus,
    Times,
    Over,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the functions")]
pub enum Function {
    If,
    Indicator,
    Coalesce,
    Abs,
    Min,
    Max,
    Sqrt,
    Ln,
    Exp,
    Power,
}

/// The functions, each with its name, minimum and maximum number of arguments.
const FUNCTIONS: [(Function, &str, usize, usize); 10] = [
    (Function::If, "if", 2, 3),
    (Function::Indicator, "indicator", 1, 1),
    (Function::Coalesce, "coalesce", 2, 9),
    (Function::Abs, "abs", 1, 1),
    (Function::Min, "min", 2, 2),
    (Function::Max, "max", 2, 2),
    (Function::Sqrt, "sqrt", 1, 1),
    (Function::Ln, "ln", 1, 1),
    (Function::Exp, "exp", 1, 1),
    (Function::Power, "power", 2, 2),
];

const OPERATORS: [(Op, BinaryOperator, &str, u8); 12] = [
    (Op::Or, BinaryOperator::Or, "or", 1),
    (Op::And, BinaryOperator::And, "and", 2),
    (Op::Equal, BinaryOperator::Eq, "=", 4),
    (Op::Unequal, BinaryOperator::NotEq, "<>", 4),
    (Op::Less, BinaryOperator::Lt, "<", 4),
    (Op::AtMost, BinaryOperator::LtEq, "<=", 4),
    (Op::Greater, BinaryOperator::Gt, ">", 4),
    (Op::AtLeast, BinaryOperator::GtEq, ">=", 4),
    (Op::Plus, BinaryOperator::Plus, "+", 6),
    (Op::Minus, BinaryOperator::Minus, "-", 6),
    (Op::Times, BinaryOperator::Multiply, "*", 7),
    (Op::Over, BinaryOperator::Divide, "/", 7),
];

impl Op {
    /// Returns the precedence of the operator; a higher number binds more tightly.
    pub fn precedence(self) -> u8 {
        OPERATORS.iter().find(|o| o.0 == self).map_or(0, |o| o.3)
    }

    /// Returns the operator as written in a formula.
    pub fn sign(self) -> &'static str {
        OPERATORS.iter().find(|o| o.0 == self).map_or("", |o| o.2)
    }

    fn is_condition(self) -> bool {
        self.precedence() < Op::Plus.precedence()
    }
}

impl Function {
    /// Returns the name of the function in a formula.
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|f| f.0 == self).map_or("", |f| f.1)
    }
}

impl TryFrom<String> for Expr {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Expr::parse(&text)
    }
}

impl Expr {
    /// Creates the expression of an input.
    pub fn input(name: &str) -> Self {
        Expr::Input(name.to_owned())
    }

    /// Returns the value of a numeric literal, with or without a minus sign.
    pub fn number(&self) -> Option<f64> {
        match self {
            Expr::Number(text) => text.parse().ok(),
            Expr::Negative(inner) => inner.number().map(|n| -n),
            _ => None,
        }
    }

    /// Returns whether the expression is a condition, not a number.
    pub fn is_condition(&self) -> bool {
        match self {
            Expr::Not(_) => true,
            Expr::Binary(_, op, _) => op.is_condition(),
            _ => false,
        }
    }

    /// Returns the divisor if the last operation is a division.
    pub fn divisor(&self) -> Option<&Expr> {
        match self {
            Expr::Binary(_, Op::Over, divisor) => Some(divisor),
            _ => None,
        }
    }

    /// Returns the distinct divisors that use inputs, in order of appearance.
    pub fn divisors(&self) -> Vec<&Expr> {
        let mut found: Vec<&Expr> = Vec::new();
        let own = self.divisor().filter(|divisor| !divisor.inputs().is_empty());
        for divisor in self.parts().into_iter().flat_map(Expr::divisors).chain(own) {
            if !found.contains(&divisor) {
                found.push(divisor);
            }
        }
        found
    }

    /// Returns the direct subexpressions.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Input(_) => Vec::new(),
            Expr::Negative(a) | Expr::Not(a) => vec![a],
            Expr::Binary(a, _, b) => vec![a, b],
            Expr::Call(_, arguments) => arguments.iter().collect(),
        }
    }

    /// Returns the distinct inputs in order of appearance.
    pub fn inputs(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a str>) {
        if let Expr::Input(name) = self
            && !found.contains(&name.as_str())
        {
            found.push(name);
        }
        for part in self.parts() {
            part.collect(found);
        }
    }

    /// Returns whether the expression contains a `coalesce`, so that it can have a value although an input is NULL.
    pub fn has_alternative(&self) -> bool {
        matches!(self, Expr::Call(Function::Coalesce, _))
            || self.parts().into_iter().any(Expr::has_alternative)
    }

    /// Replaces every subexpression for which `change` returns a replacement. Starts with the
    /// outermost expression, and does not look inside replacements.
    pub fn replace(&self, change: &impl Fn(&Expr) -> Option<Expr>) -> Expr {
        if let Some(other) = change(self) {
            return other;
        }
        let boxed = |e: &Expr| Box::new(e.replace(change));
        match self {
            Expr::Number(_) | Expr::Input(_) => self.clone(),
            Expr::Negative(a) => Expr::Negative(boxed(a)),
            Expr::Not(a) => Expr::Not(boxed(a)),
            Expr::Binary(a, op, b) => Expr::Binary(boxed(a), *op, boxed(b)),
            Expr::Call(f, arguments) => Expr::Call(*f, arguments.iter().map(|e| e.replace(change)).collect()),
        }
    }

    /// Returns the precedence of the last operation, see [`Op::precedence`].
    pub fn precedence(&self) -> u8 {
        match self {
            Expr::Binary(_, op, _) => op.precedence(),
            Expr::Not(_) => 3,
            Expr::Negative(_) => 8,
            _ => 9,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(text) | Expr::Input(text) => f.write_str(text),
            Expr::Negative(a) => write!(f, "-{}", Operand(a, 9)),
            Expr::Not(a) => write!(f, "not {}", Operand(a, 5)),
            Expr::Binary(a, op, b) => {
                let strength = op.precedence();
                write!(f, "{} {} {}", Operand(a, strength), op.sign(), Operand(b, strength + 1))
            }
            Expr::Call(function, arguments) => {
                let all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                write!(f, "{}({})", function.name(), all.join(", "))
            }
        }
    }
}

/// An operand. It is displayed in parentheses if its precedence is lower than the given precedence.
struct Operand<'a>(&'a Expr, u8);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.precedence() < self.1 {
            write!(f, "({})", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}
