//! Conditions on companies: comparisons of formulas, and tests of texts, joined by `and`, `or` and `not`.
//!
//! | form | meaning |
//! |---|---|
//! | `a < b`, `<=`, `>`, `>=`, `=`, `<>` | compares two formulas of the [grammar of formulas](super::Expr) |
//! | `a between b and c`, `a is null`, `a is not null` | tests a formula |
//! | `t = 'x'`, `t <> 'x'`, `t in ('x', 'y')`, `t like 'x%'` | tests a text, without regard to case |
//! | `not`, `and`, `or`, parentheses | join conditions |
//!
//! Like a formula, a condition is parsed to a tree, and SQL is written from the tree.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use findata_domain::{Error, Result, sql::literal};
use sqlparser::{
    ast::{BinaryOperator, Expr as SqlExpr, Ident, UnaryOperator, Value, visit_expressions_mut},
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::Token,
};

use super::expression::{Expr, Op, parse};

/// Maximum length of a condition in bytes.
const MAX_LENGTH: usize = 2_000;

/// The meaning of the names in a condition.
pub trait Names {
    /// Returns the text column with this name, if there is one.
    fn text(&self, name: &str) -> Option<String>;
    /// Returns the figure with this name as `table.column`.
    ///
    /// # Errors
    /// A message for an unknown name.
    fn figure(&self, name: &str) -> Result<(String, String), String>;
}

/// A condition as a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A comparison of two formulas.
    Compare(Expr),
    /// Whether a formula is NULL.
    IsNull(Expr),
    /// Whether a text is NULL.
    IsTextNull(String),
    /// Whether a text is one of these.
    OneOf(String, Vec<String>),
    /// Whether a text matches a pattern.
    Like(String, String),
    /// The opposite.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// One of both.
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// `Reject` with the part of the condition that the grammar does not allow.
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self> {
        let wrong = |what: &str| Error::Reject(format!("condition {:?}: {what}", text.trim()));
        if text.len() > MAX_LENGTH {
            return Err(Error::Reject(format!("the condition is longer than {MAX_LENGTH} bytes")));
        }
        let dialect = GenericDialect {};
        let parsed = Parser::new(&dialect).try_with_sql(text).and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&Token::EOF).map(|_| expr)
        });
        read(&parsed.map_err(|e| wrong(&e.to_string()))?, names).map_err(|e| wrong(&e))
    }

    /// Returns the condition as SQL. `column` returns the SQL of a figure, which must be of type double.
    /// The names of text columns are used as they are.
    pub fn sql(&self, column: &dyn Fn(&str) -> String) -> String {
        match self {
            Condition::Compare(comparison) => format!("({})", comparison.sql(column)),
            Condition::IsNull(formula) => format!("(({}) is null)", formula.sql(column)),
            Condition::IsTextNull(text) => format!("({text} is null)"),
            Condition::OneOf(text, values) => {
                let values: Vec<String> = values.iter().map(|v| literal(&v.to_lowercase())).collect();
                format!("(lower({text}) in ({}))", values.join(", "))
            }
            Condition::Like(text, pattern) => {
                format!("(lower({text}) like {})", literal(&pattern.to_lowercase()))
            }
            Condition::Not(inner) => format!("(not {})", inner.sql(column)),
            Condition::And(a, b) => format!("({} and {})", a.sql(column), b.sql(column)),
            Condition::Or(a, b) => format!("({} or {})", a.sql(column), b.sql(column)),
        }
    }

    /// Returns the distinct figures in order of appearance.
    pub fn figures(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<String>) {
        match self {
            Condition::Compare(formula) | Condition::IsNull(formula) => {
                for input in formula.inputs() {
                    if !found.iter().any(|known| known == input) {
                        found.push(input.to_owned());
                    }
                }
            }
            Condition::IsTextNull(_) | Condition::OneOf(..) | Condition::Like(..) => {}
            Condition::Not(inner) => inner.collect(found),
            Condition::And(a, b) | Condition::Or(a, b) => {
                a.collect(found);
                b.collect(found);
            }
        }
    }
}

fn read(sql: &SqlExpr, names: &dyn Names) -> Result<Condition, String> {
    let boxed = |e: &SqlExpr| read(e, names).map(Box::new);
    let negated =
        |condition: Condition, is: bool| if is { Condition::Not(Box::new(condition)) } else { condition };
    let text = |e: &SqlExpr| match e {
        SqlExpr::Identifier(name) => names.text(&name.value),
        _ => None,
    };
    Ok(match sql {
        SqlExpr::Nested(inner) => read(inner, names)?,
        SqlExpr::UnaryOp { op: UnaryOperator::Not, expr } => Condition::Not(boxed(expr)?),
        SqlExpr::BinaryOp { left, op: BinaryOperator::And, right } => {
            Condition::And(boxed(left)?, boxed(right)?)
        }
        SqlExpr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            Condition::Or(boxed(left)?, boxed(right)?)
        }
        SqlExpr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq),
            right,
        } if text(left).is_some() => {
            let found = Condition::OneOf(text(left).unwrap_or_default(), vec![string(right)?]);
            negated(found, *op == BinaryOperator::NotEq)
        }
        SqlExpr::IsNull(inner) | SqlExpr::IsNotNull(inner) => {
            let found = match text(inner) {
                Some(text) => Condition::IsTextNull(text),
                None => Condition::IsNull(number(inner, names)?),
            };
            negated(found, matches!(sql, SqlExpr::IsNotNull(_)))
        }
        SqlExpr::InList { expr, list, negated: is_not } if text(expr).is_some() => {
            let values = list.iter().map(string).collect::<Result<_, _>>()?;
            negated(Condition::OneOf(text(expr).unwrap_or_default(), values), *is_not)
        }
        SqlExpr::Like {
            negated: is_not,
            any: false,
            expr,
            pattern,
            escape_char: None,
        }
        | SqlExpr::ILike {
            negated: is_not,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } if text(expr).is_some() => {
            negated(Condition::Like(text(expr).unwrap_or_default(), string(pattern)?), *is_not)
        }
        SqlExpr::Between { expr, negated: is_not, low, high } => {
            let bound = |op: Op, e: &SqlExpr| -> Result<Box<Condition>, String> {
                let (value, bound) = (number(expr, names)?, number(e, names)?);
                Ok(Box::new(Condition::Compare(Expr::Binary(Box::new(value), op, Box::new(bound)))))
            };
            negated(Condition::And(bound(Op::AtLeast, low)?, bound(Op::AtMost, high)?), *is_not)
        }
        other => match formula(other, names)? {
            comparison if comparison.is_condition() => Condition::Compare(comparison),
            _ => {
                return Err(format!(
                    "`{other}` is a number, not a condition: compare it, such as {other} > 0"
                ));
            }
        },
    })
}

fn number(sql: &SqlExpr, names: &dyn Names) -> Result<Expr, String> {
    match formula(sql, names)? {
        condition if condition.is_condition() => Err(format!("`{sql}` is a condition, not a number")),
        number => Ok(number),
    }
}

/// Reads a formula whose names are resolved by `names`.
fn formula(sql: &SqlExpr, names: &dyn Names) -> Result<Expr, String> {
    let mut resolved = sql.clone();
    let found = visit_expressions_mut(&mut resolved, |part| {
        let name = match part {
            SqlExpr::Identifier(name) => name.value.clone(),
            SqlExpr::CompoundIdentifier(parts) => {
                parts.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(".")
            }
            _ => return ControlFlow::Continue(()),
        };
        if names.text(&name).is_some() {
            return ControlFlow::Break(format!("{name} is a text: test it, such as {name} = 'text'"));
        }
        match names.figure(&name) {
            Ok((table, column)) => {
                *part = SqlExpr::CompoundIdentifier(vec![Ident::new(table), Ident::new(column)]);
                ControlFlow::Continue(())
            }
            Err(message) => ControlFlow::Break(message),
        }
    });
    match found {
        ControlFlow::Break(message) => Err(message),
        ControlFlow::Continue(()) => parse::read(&resolved),
    }
}

fn string(sql: &SqlExpr) -> Result<String, String> {
    match sql {
        SqlExpr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Ok(text.clone()),
            _ => Err(format!("`{sql}` is not a text: write texts in single quotes")),
        },
        _ => Err(format!("`{sql}` is not a text: write texts in single quotes, such as '{sql}'")),
    }
}
