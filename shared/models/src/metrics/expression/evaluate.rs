//! Evaluates formulas.

use super::{Expr, Function, MAX_EXPONENT, Op};

impl Expr {
    /// Returns the value of the expression, or `None` for NULL. A condition has the value 1 or 0.
    pub fn evaluate(&self, input: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        let value = |e: &Expr| e.evaluate(input);
        match self {
            Expr::Number(text) => text.parse().ok(),
            Expr::Input(name) => input(name),
            Expr::Negative(a) => value(a).map(|a| -a),
            Expr::Not(a) => value(a).map(|a| truth(a == 0.0)),
            Expr::Binary(a, op, b) => binary(value(a), *op, value(b)),
            Expr::Call(function, arguments) => {
                let a = || arguments.first().and_then(value);
                let b = || arguments.get(1).and_then(value);
                match function {
                    Function::If if a().is_some_and(|a| a != 0.0) => b(),
                    Function::If => arguments.get(2).and_then(value),
                    Function::Indicator => a(),
                    Function::Coalesce => arguments.iter().find_map(value),
                    Function::Abs => a().map(f64::abs),
                    Function::Min => Some(a()?.min(b()?)),
                    Function::Max => Some(a()?.max(b()?)),
                    Function::Sqrt => a().filter(|a| *a >= 0.0).map(f64::sqrt),
                    Function::Ln => a().filter(|a| *a > 0.0).map(f64::ln),
                    Function::Exp => a().filter(|a| *a <= f64::from(MAX_EXPONENT)).map(f64::exp),
                    Function::Power => {
                        let (a, b) = (a().filter(|a| *a > 0.0)?, b()?);
                        (b * a.ln() <= f64::from(MAX_EXPONENT)).then(|| a.powf(b))
                    }
                }
            }
        }
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn binary(a: Option<f64>, op: Op, b: Option<f64>) -> Option<f64> {
    // Three-valued logic as in SQL: `NULL and false` is false, `NULL or true` is true.
    match (op, a, b) {
        (Op::And, Some(0.0), _) | (Op::And, _, Some(0.0)) => return Some(0.0),
        (Op::Or, Some(known), _) | (Op::Or, _, Some(known)) if known != 0.0 => return Some(1.0),
        _ => {}
    }
    let (a, b) = (a?, b?);
    Some(match op {
        Op::Or => truth(a != 0.0 || b != 0.0),
        Op::And => truth(a != 0.0 && b != 0.0),
        Op::Equal => truth(a == b),
        Op::Unequal => truth(a != b),
        Op::Less => truth(a < b),
        Op::AtMost => truth(a <= b),
        Op::Greater => truth(a > b),
        Op::AtLeast => truth(a >= b),
        Op::Plus => a + b,
        Op::Minus => a - b,
        Op::Times => a * b,
        Op::Over if b == 0.0 => return None,
        Op::Over => a / b,
    })
}
