//! The grammar of formulas: arithmetic, comparisons and a few functions over named inputs.
//!
//! | form | meaning |
//! |---|---|
//! | `a + b`, `a - b`, `a * b`, `-a` | NULL if an operand is |
//! | `a / b` | NULL if `b` is 0 |
//! | `=`, `<>`, `<`, `<=`, `>`, `>=`, `and`, `or`, `not` | conditions, for `if` |
//! | `if(condition, a, b)` | `a` if the condition holds, else `b`, or NULL without a `b` |
//! | `coalesce(a, b, ...)` | the first that is not NULL |
//! | `abs(a)`, `min(a, b)`, `max(a, b)` | NULL if an operand is |
//! | `sqrt(a)`, `ln(a)`, `exp(a)`, `power(a, b)` | NULL outside their domain: below 0, not above 0, above 700, a base not above 0 |
//!
//! Formulas are parsed, and SQL is written from the parsed tree. No text of a formula reaches SQL.

use std::fmt;

use findata_domain::{Error, Result};
use serde::Deserialize;
use sqlparser::{
    ast::{
        BinaryOperator, Expr as SqlExpr, Function as SqlFunction, FunctionArg, FunctionArgExpr,
        FunctionArguments, UnaryOperator, Value,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::Token,
};

/// The longest formula, in bytes.
const MAX_LENGTH: usize = 2_000;
/// Above it, `exp` overflows a double: an error on Snowflake and infinity on DuckDB.
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
    Coalesce,
    Abs,
    Min,
    Max,
    Sqrt,
    Ln,
    Exp,
    Power,
}

/// Each function with its name and the least and the largest number of arguments.
const FUNCTIONS: [(Function, &str, usize, usize); 9] = [
    (Function::If, "if", 2, 3),
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
    /// Its precedence; a higher number binds tighter.
    pub fn precedence(self) -> u8 {
        OPERATORS.iter().find(|o| o.0 == self).map_or(0, |o| o.3)
    }

    /// Its sign in a formula.
    pub fn sign(self) -> &'static str {
        OPERATORS.iter().find(|o| o.0 == self).map_or("", |o| o.2)
    }

    fn is_condition(self) -> bool {
        self.precedence() < Op::Plus.precedence()
    }
}

impl Function {
    /// Its name in a formula.
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
    /// Parses a formula.
    ///
    /// # Errors
    /// `Reject` with what the grammar does not allow.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::Reject(format!("formula {:?}: {what}", text.trim()));
        if text.len() > MAX_LENGTH {
            return Err(Error::Reject(format!("a formula is longer than {MAX_LENGTH} bytes")));
        }
        let dialect = GenericDialect {};
        let parsed = Parser::new(&dialect).try_with_sql(text).and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&Token::EOF).map(|_| expr)
        });
        let tree = read(&parsed.map_err(|e| wrong(&e.to_string()))?).map_err(|e| wrong(&e))?;
        if tree.is_condition() {
            return Err(wrong("it is a condition, not a number"));
        }
        Ok(tree)
    }

    /// An input.
    pub fn input(name: &str) -> Self {
        Expr::Input(name.to_owned())
    }

    /// The value of a numeric literal, negated or not.
    pub fn number(&self) -> Option<f64> {
        match self {
            Expr::Number(text) => text.parse().ok(),
            Expr::Negative(inner) => inner.number().map(|n| -n),
            _ => None,
        }
    }

    /// Whether it is true or false instead of a number.
    pub fn is_condition(&self) -> bool {
        match self {
            Expr::Not(_) => true,
            Expr::Binary(_, op, _) => op.is_condition(),
            _ => false,
        }
    }

    /// The divisor, if the last operation is a division.
    pub fn divisor(&self) -> Option<&Expr> {
        match self {
            Expr::Binary(_, Op::Over, divisor) => Some(divisor),
            _ => None,
        }
    }

    /// Its direct subexpressions.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Input(_) => Vec::new(),
            Expr::Negative(a) | Expr::Not(a) => vec![a],
            Expr::Binary(a, _, b) => vec![a, b],
            Expr::Call(_, arguments) => arguments.iter().collect(),
        }
    }

    /// Its distinct inputs, in order of appearance.
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

    /// Replaces every subexpression for which `change` returns a replacement, outermost first.
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

    /// Its precedence, as for [`Op::precedence`].
    pub fn precedence(&self) -> u8 {
        match self {
            Expr::Binary(_, op, _) => op.precedence(),
            Expr::Not(_) => 3,
            Expr::Negative(_) => 8,
            _ => 9,
        }
    }

    /// Its SQL, the same text for both engines. `column` returns the SQL of an input: a column of type double.
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
            // Zero is an error on Snowflake and infinity on DuckDB.
            Expr::Binary(a, Op::Over, b) if b.number().is_none_or(|n| n == 0.0) => {
                format!("{} / nullif({}, 0)", inner(a, 7), b.sql(column))
            }
            // The right operand must bind tighter by one, so that a - (b - c) keeps its parentheses.
            Expr::Binary(a, op, b) => {
                format!("{} {} {}", inner(a, op.precedence()), op.sign(), inner(b, op.precedence() + 1))
            }
            Expr::Call(function, arguments) => {
                let a = arguments.first().map(|e| e.sql(column)).unwrap_or_default();
                let b = arguments.get(1).map(|e| e.sql(column)).unwrap_or_default();
                match (function, arguments.get(2)) {
                    (Function::If, Some(c)) => format!("case when {a} then {b} else {} end", c.sql(column)),
                    (Function::If, None) => format!("case when {a} then {b} end"),
                    (Function::Min, _) => {
                        format!("case when {a} <= {b} then {a} when {a} > {b} then {b} end")
                    }
                    (Function::Max, _) => {
                        format!("case when {a} >= {b} then {a} when {a} < {b} then {b} end")
                    }
                    (Function::Sqrt, _) => format!("sqrt(case when {a} >= 0 then {a} end)"),
                    (Function::Ln, _) => format!("ln(case when {a} > 0 then {a} end)"),
                    (Function::Exp, _) => format!("exp(case when {a} <= {MAX_EXPONENT} then {a} end)"),
                    (Function::Power, _) => format!("power(case when {a} > 0 then {a} end, {b})"),
                    (Function::Coalesce | Function::Abs, _) => {
                        let all: Vec<String> = arguments.iter().map(|e| e.sql(column)).collect();
                        format!("{}({})", function.name(), all.join(", "))
                    }
                }
            }
        }
    }

    /// Its value; `None` is NULL. A condition is 1 or 0.
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
                    Function::Coalesce => arguments.iter().find_map(value),
                    Function::Abs => a().map(f64::abs),
                    Function::Min => Some(a()?.min(b()?)),
                    Function::Max => Some(a()?.max(b()?)),
                    Function::Sqrt => a().filter(|a| *a >= 0.0).map(f64::sqrt),
                    Function::Ln => a().filter(|a| *a > 0.0).map(f64::ln),
                    Function::Exp => a().filter(|a| *a <= f64::from(MAX_EXPONENT)).map(f64::exp),
                    Function::Power => Some(a().filter(|a| *a > 0.0)?.powf(b()?)),
                }
            }
        }
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

/// Reads a parsed SQL expression, or says what of it the grammar does not allow.
fn read(sql: &SqlExpr) -> Result<Expr, String> {
    let boxed = |e: &SqlExpr| read(e).map(Box::new);
    let numeric = |e: &SqlExpr| match read(e)? {
        condition if condition.is_condition() => Err(format!("`{e}` is a condition, not a number")),
        number => Ok(Box::new(number)),
    };
    let condition = |e: &SqlExpr| match read(e)? {
        condition if condition.is_condition() => Ok(Box::new(condition)),
        _ => Err(format!("`{e}` is not a condition")),
    };
    Ok(match sql {
        SqlExpr::Nested(inner) => *boxed(inner)?,
        SqlExpr::Value(value) => match &value.value {
            Value::Number(text, false) if is_number(text) => Expr::Number(text.clone()),
            _ => return Err(format!("`{sql}` is not a number")),
        },
        SqlExpr::Identifier(name) if name.quote_style.is_none() => Expr::Input(identifier(&name.value)?),
        SqlExpr::CompoundIdentifier(names) if names.len() == 2 => {
            let parts = names.iter().map(|n| match n.quote_style {
                None => identifier(&n.value),
                Some(_) => Err(format!("`{n}` is quoted")),
            });
            Expr::Input(parts.collect::<Result<Vec<_>, _>>()?.join("."))
        }
        SqlExpr::UnaryOp { op: UnaryOperator::Minus, expr } => Expr::Negative(numeric(expr)?),
        SqlExpr::UnaryOp { op: UnaryOperator::Not, expr } => Expr::Not(condition(expr)?),
        SqlExpr::BinaryOp { left, op, right } => {
            let known = OPERATORS.iter().find(|o| o.1 == *op);
            let (op, ..) = known.ok_or_else(|| format!("the operator `{op}` is not allowed"))?;
            match op {
                Op::And | Op::Or => Expr::Binary(condition(left)?, *op, condition(right)?),
                _ => Expr::Binary(numeric(left)?, *op, numeric(right)?),
            }
        }
        SqlExpr::Function(call) => read_call(call)?,
        other => return Err(format!("`{other}` is not allowed")),
    })
}

fn read_call(call: &SqlFunction) -> Result<Expr, String> {
    let name = call.name.to_string().to_ascii_lowercase();
    let names = || FUNCTIONS.map(|f| f.1).join(", ");
    let known = FUNCTIONS.iter().find(|f| f.1 == name);
    let (function, _, least, most) =
        known.ok_or_else(|| format!("there is no function {name}: use {}", names()))?;
    let FunctionArguments::List(list) = &call.args else {
        return Err(format!("{name} has no arguments"));
    };
    let plain = call.over.is_none()
        && call.filter.is_none()
        && call.null_treatment.is_none()
        && call.within_group.is_empty()
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty();
    if !plain {
        return Err(format!("{name} takes arguments and nothing else"));
    }
    let read_argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => read(e),
        other => Err(format!("`{other}` is not an argument of {name}")),
    };
    let arguments = list.args.iter().map(read_argument).collect::<Result<Vec<_>, _>>()?;
    if !(*least..=*most).contains(&arguments.len()) {
        let count = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        return Err(format!("{name} takes {count} arguments, not {}", arguments.len()));
    }
    for (position, argument) in arguments.iter().enumerate() {
        if argument.is_condition() != (*function == Function::If && position == 0) {
            return Err(format!("argument {} of {name} has the wrong type", position + 1));
        }
    }
    Ok(Expr::Call(*function, arguments))
}

/// Digits with at most one point: both engines read such a number alike.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// A name of lower-case letters, digits and underscores that begins with a letter.
pub(crate) fn identifier(name: &str) -> Result<String, String> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(letters) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is not a name: use lower-case letters, digits and underscores"))
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

/// An operand, in parentheses if it binds less tightly than the given precedence.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str) -> Option<f64> {
        match name {
            "a" => Some(6.0),
            "b" => Some(4.0),
            "ttm.c" => Some(-9.0),
            _ => None,
        }
    }

    #[test]
    fn formulas_are_parsed_written_and_evaluated() {
        for (text, value, sql) in [
            ("a / b - 0.5", Some(1.0), "a / nullif(b, 0) - 0.5::double"),
            ("a / (b - 4)", None, "a / nullif(b - 4::double, 0)"),
            ("a - (b - 1)", Some(3.0), "a - (b - 1::double)"),
            ("a / b / 2", Some(0.75), "a / nullif(b, 0) / 2::double"),
            ("-ttm.c * 2", Some(18.0), "-c * 2::double"),
            ("-(a + b)", Some(-10.0), "-(a + b)"),
            (
                "if(x > 0 or a > 0, a, b)",
                Some(6.0),
                "case when x > 0::double or a > 0::double then a else b end",
            ),
            ("if(not (a = 6), a)", None, "case when not (a = 6::double) then a end"),
            ("coalesce(x, b)", Some(4.0), "coalesce(x, b)"),
            (
                "max(a, b) + min(a, x)",
                None,
                "case when a >= b then a when a < b then b end + case when a <= x then a when a > x then x end",
            ),
            ("sqrt(ttm.c)", None, "sqrt(case when c >= 0 then c end)"),
            ("ln(b - 4)", None, "ln(case when b - 4::double > 0 then b - 4::double end)"),
            ("power(b, 0.5)", Some(2.0), "power(case when b > 0 then b end, 0.5::double)"),
            ("exp(a * 200)", None, "exp(case when a * 200::double <= 700 then a * 200::double end)"),
            ("abs(ttm.c)", Some(9.0), "abs(c)"),
        ] {
            let tree = Expr::parse(text).unwrap();
            assert_eq!(tree.evaluate(&input), value, "{text}");
            let column = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
            assert_eq!(tree.sql(&column), sql, "{text}");
            assert_eq!(Expr::parse(&tree.to_string()).unwrap(), tree, "{text}");
        }
        assert_eq!(Expr::parse("a / (b + ttm.c) - a").unwrap().inputs(), ["a", "b", "ttm.c"]);
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_rejected() {
        for (text, part) in [
            ("a +", "Expected"),
            ("a; drop table t", "Expected"),
            ("a b", "Expected"),
            ("a > 0", "condition"),
            ("(a > 0) + 1", "condition"),
            ("if(a, b)", "wrong type"),
            ("if(a > 0, b > 0)", "wrong type"),
            ("a and b", "not a condition"),
            ("'x'", "not a number"),
            ("1e400", "not a number"),
            ("null", "not a number"),
            ("a = null", "not a number"),
            ("\"a\"", "not allowed"),
            ("A + b", "not a name"),
            ("a.b.c", "not allowed"),
            ("(select 1)", "not allowed"),
            ("a::integer", "not allowed"),
            ("a || b", "operator"),
            ("a % b", "operator"),
            ("current_date", "no function"),
            ("read_csv('x')", "no function"),
            ("sum(a) over ()", "no function"),
            ("abs(a) over ()", "nothing else"),
            ("abs(distinct a)", "nothing else"),
            ("abs(a, b)", "takes 1 arguments"),
            ("abs(*)", "not an argument"),
            ("case when a > 0 then b end", "not allowed"),
            ("a between 1 and 2", "not allowed"),
        ] {
            let error = Expr::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Expr::parse(&"(".repeat(1_500)).is_err());
        assert!(Expr::parse(&"a+".repeat(1_500)).is_err());
    }
}
