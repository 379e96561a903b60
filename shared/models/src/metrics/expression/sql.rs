//! Writes formulas as SQL.

use super::{Expr, Function, MAX_EXPONENT, Op};

impl Expr {
    /// Returns the expression as SQL, which is the same text for both engines. `column` returns the
    /// SQL of an input, which must be of type double.
    pub fn sql(&self, column: &dyn Fn(&str) -> String) -> String {
        let inner = |e: &Expr, precedence: u8| {
            let text = e.sql(column);
            if e.precedence() < precedence { format!("({text})") } else { text }
        };
        match self {
            Expr::Number(text) => format!("{text}::double"),
            Expr::Input(name) => column(name),
            Expr::Negative(a) => format!("-{}", inner(a, 9)),
            Expr::Not(a) => format!("not {}", inner(a, 5)),
            // Division by zero is an error on Snowflake and infinity on DuckDB, so make it NULL.
            Expr::Binary(a, Op::Over, b) if b.number().is_none_or(|n| n == 0.0) => {
                format!("{} / nullif({}, 0)", inner(a, 7), b.sql(column))
            }
            // The right operand needs a higher precedence, so that a - (b - c) keeps its
            // parentheses.
            Expr::Binary(a, op, b) => {
                format!("{} {} {}", inner(a, op.precedence()), op.sign(), inner(b, op.precedence() + 1))
            }
            Expr::Call(function, arguments) => {
                let a = arguments.first().map(|e| e.sql(column)).unwrap_or_default();
                let b = arguments.get(1).map(|e| e.sql(column)).unwrap_or_default();
                match (function, arguments.get(2)) {
                    (Function::If, Some(c)) => format!("case when {a} then {b} else {} end", c.sql(column)),
                    (Function::If, None) => format!("case when {a} then {b} end"),
                    (Function::Indicator, _) => {
                        format!("case when {a} then 1.0::double when not ({a}) then 0.0::double end")
                    }
                    (Function::Min, _) => {
                        format!("case when {a} <= {b} then {a} when {a} > {b} then {b} end")
                    }
                    (Function::Max, _) => {
                        format!("case when {a} >= {b} then {a} when {a} < {b} then {b} end")
                    }
                    (Function::Sqrt, _) => format!("sqrt(case when {a} >= 0 then {a} end)"),
                    (Function::Ln, _) => format!("ln(case when {a} > 0 then {a} end)"),
                    (Function::Exp, _) => format!("exp(case when {a} <= {MAX_EXPONENT} then {a} end)"),
                    (Function::Power, _) => format!(
                        "power(case when ({b}) * ln(case when {a} > 0 then {a} end) <= {MAX_EXPONENT} then {a} end, {b})"
                    ),
                    (Function::Coalesce | Function::Abs, _) => {
                        let all: Vec<String> = arguments.iter().map(|e| e.sql(column)).collect();
                        format!("{}({})", function.name(), all.join(", "))
                    }
                }
            }
        }
    }
}
