//! Parses formulas.

use findata_domain::{Error, Result};
use sqlparser::{
    ast::{
        Expr as SqlExpr, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArguments,
        UnaryOperator, Value,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::Token,
};

use super::{Expr, FUNCTIONS, Function, OPERATORS, Op};

/// Maximum length of a formula in bytes.
const MAX_LENGTH: usize = 2_000;

impl Expr {
    /// Parses a formula.
    ///
    /// # Errors
    /// `Reject` with the part of the formula that the grammar does not allow.
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
}

/// Converts a parsed SQL expression. The error names the part that the grammar does not allow.
pub(crate) fn read(sql: &SqlExpr) -> Result<Expr, String> {
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
        return Err(format!("the call of {name} has no arguments"));
    };
    let plain = call.parameters == FunctionArguments::None
        && !call.uses_odbc_syntax
        && call.over.is_none()
        && call.filter.is_none()
        && call.null_treatment.is_none()
        && call.within_group.is_empty()
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty();
    if !plain {
        return Err(format!(
            "{name} takes arguments and nothing else: DISTINCT, FILTER and OVER are not allowed"
        ));
    }
    let read_argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => read(e),
        other => Err(format!("`{other}` is not an argument of {name}")),
    };
    let arguments = list.args.iter().map(read_argument).collect::<Result<Vec<_>, _>>()?;
    if !(*least..=*most).contains(&arguments.len()) {
        let count = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            _ if least == most => format!("{least} arguments"),
            _ => format!("{least} to {most} arguments"),
        };
        return Err(format!("{name} takes {count}, not {}", arguments.len()));
    }
    for (position, argument) in arguments.iter().enumerate() {
        let wants_condition = matches!(function, Function::If | Function::Indicator) && position == 0;
        if argument.is_condition() != wants_condition {
            let wanted = if argument.is_condition() { "a number" } else { "a condition" };
            return Err(format!("argument {} of {name} must be {wanted}", position + 1));
        }
    }
    Ok(Expr::Call(*function, arguments))
}

/// Returns whether the text consists of digits with at most one decimal point, which both engines
/// read as the same number.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// Checks that a name consists of lower-case letters, digits and underscores and begins with a
/// letter.
pub(crate) fn identifier(name: &str) -> Result<String, String> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(letters) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "`{name}` is not a name: use at most 64 lower-case letters, digits and underscores, and begin with a letter"
        ))
    }
}
