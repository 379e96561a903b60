//! Evaluates an expression.

use super::expr::{Expr, Op};

/// The value of an expression; `None` is NULL. An input can have several rows, which aggregates
/// such as `sum` and `count` combine.
pub fn evaluate(expr: &Expr, input: &dyn Fn(&str) -> Vec<Option<f64>>) -> Option<f64> {
    let value = |e: &Expr| evaluate(e, input);
    match expr {
        Expr::Number(text) => text.parse().ok(),
        Expr::Word("true") => Some(1.0),
        Expr::Word("false") => Some(0.0),
        Expr::Column(_, name) => input(name).first().copied().flatten(),
        Expr::Negative(a) => value(a).map(|a| -a),
        Expr::Not(a) => value(a).map(|a| truth(a == 0.0)),
        Expr::IsNull(a, not) => Some(truth(value(a).is_none() != *not)),
        Expr::Binary(a, op, b) => binary(value(a), *op, value(b)),
        Expr::Between(a, b, c) => {
            let (a, b, c) = (value(a)?, value(b)?, value(c)?);
            Some(truth(b <= a && a <= c))
        }
        Expr::Case(whens, otherwise) => {
            let chosen = whens.iter().find(|(condition, _)| value(condition).is_some_and(|c| c != 0.0));
            chosen.map(|(_, result)| result).or(otherwise.as_deref()).and_then(value)
        }
        Expr::Call(name, arguments, _) => call(name, arguments, input),
        Expr::Text(_) | Expr::Word(_) | Expr::In(..) => None,
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn binary(a: Option<f64>, op: Op, b: Option<f64>) -> Option<f64> {
    // Three-valued logic: NULL and false is false, NULL or true is true.
    match (op, a, b) {
        (Op::And, Some(0.0), _) | (Op::And, _, Some(0.0)) => return Some(0.0),
        (Op::Or, Some(known), _) | (Op::Or, _, Some(known)) if known != 0.0 => return Some(1.0),
        _ => {}
    }
    let (a, b) = (a?, b?);
    Some(match op {
        Op::Or => truth(a != 0.0 || b != 0.0),
        Op::And => truth(a != 0.0 && b != 0.0),
        Op::Equal | Op::NotDistinct => truth(a == b),
        Op::Unequal | Op::Distinct => truth(a != b),
        Op::Less => truth(a < b),
        Op::AtMost => truth(a <= b),
        Op::Greater => truth(a > b),
        Op::AtLeast => truth(a >= b),
        Op::Plus => a + b,
        Op::Minus => a - b,
        Op::Times => a * b,
        Op::Over if b == 0.0 => return None,
        Op::Over => a / b,
        Op::Concat => return None,
    })
}

fn call(name: &str, arguments: &[Expr], input: &dyn Fn(&str) -> Vec<Option<f64>>) -> Option<f64> {
    let value = |e: &Expr| evaluate(e, input);
    let first = arguments.first();
    match name {
        "sum" => rows(first?, input).into_iter().sum(),
        "count" => match first? {
            Expr::Word("*") => input("*").len().to_string().parse().ok(),
            other => Some(rows(other, input).into_iter().flatten().count() as f64),
        },
        "max" => rows(first?, input).into_iter().flatten().reduce(f64::max),
        "min" => rows(first?, input).into_iter().flatten().reduce(f64::min),
        "coalesce" => arguments.iter().find_map(value),
        "nullif" => value(first?).filter(|a| arguments.get(1).and_then(value) != Some(*a)),
        "abs" => value(first?).map(f64::abs),
        "sqrt" => value(first?).filter(|a| *a >= 0.0).map(f64::sqrt),
        "exp" => value(first?).map(f64::exp),
        "ln" => value(first?).filter(|a| *a > 0.0).map(f64::ln),
        "power" => Some(value(first?)?.powf(value(arguments.get(1)?)?)),
        _ => None,
    }
}

/// The value of an expression for each row.
fn rows(expr: &Expr, input: &dyn Fn(&str) -> Vec<Option<f64>>) -> Vec<Option<f64>> {
    let n = expr.columns().iter().map(|(_, name)| input(name).len()).max().unwrap_or_default();
    (0..n)
        .map(|row| evaluate(expr, &|name: &str| vec![input(name).get(row).copied().flatten()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formulas::expression;

    #[test]
    fn expressions_are_evaluated_from_their_inputs() {
        let input = |name: &str| match name {
            "a" => vec![Some(6.0)],
            "b" => vec![Some(4.0)],
            "q" => vec![Some(1.0), Some(2.0), Some(3.0)],
            "r" => vec![Some(10.0), None, Some(30.0)],
            "*" => vec![Some(1.0); 3],
            _ => vec![None],
        };
        for (sql, value) in [
            ("a / nullif(b, 0) - 0.5", Some(1.0)),
            ("a / (b - 4)", None),
            ("a - (b - 1)", Some(3.0)),
            ("-a * 2 + b", Some(-8.0)),
            ("sum(q)", Some(6.0)),
            ("sum(r)", None),
            ("sum(coalesce(r, q))", Some(42.0)),
            ("sum(q) / nullif(count(*), 0)", Some(2.0)),
            ("case when x is null then a when b > 0 then b end", Some(6.0)),
            ("case when x > 0 then a else b end", Some(4.0)),
            ("power(b, 0.5) + abs(-a) + sqrt(b)", Some(10.0)),
            ("a + x", None),
            ("case when a > 0 or x > 0 then 1 end", Some(1.0)),
        ] {
            assert_eq!(evaluate(&expression(sql).unwrap(), &input), value, "{sql}");
        }
    }
}
