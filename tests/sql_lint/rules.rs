//! Rules that read the syntax tree. They are the same for both dialects.

mod names;
mod visitor;

use std::collections::BTreeSet;

use sqlparser::{
    ast::{
        BinaryOperator, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
        FunctionArguments, OrderByExpr, OrderBySort, SetExpr, SetOperator, Value, Visit, WindowFrameUnits,
        WindowType,
    },
    dialect::{Dialect, DuckDbDialect, SnowflakeDialect},
    parser::Parser,
};

use self::names::{FUNCTIONS, NO_FRAME, NULL_TREATMENT, RANKING, RESERVED, TYPES};
use super::FileKind;

/// The SQL that adds a missing column to a table of an earlier build.
const ADD_COLUMN: &str = "add column if not exists ";

/// The problems of a text in either dialect.
pub(super) fn lint(kind: FileKind, sql: &str) -> Vec<String> {
    let mut rules = Rules {
        kind,
        adds_column: sql.contains(ADD_COLUMN),
        found: BTreeSet::new(),
        bare_dates: 0,
        cast_dates: 0,
    };
    for (name, dialect) in
        [("Snowflake", &SnowflakeDialect {} as &dyn Dialect), ("DuckDB", &DuckDbDialect {})]
    {
        // Snowflake has IF NOT EXISTS for columns, but sqlparser's grammar of Snowflake does not.
        let is_snowflake = dialect.is::<SnowflakeDialect>();
        let sql = if is_snowflake {
            sql.replacen(ADD_COLUMN, "add column ", 1)
        } else {
            sql.to_owned()
        };
        match Parser::parse_sql(dialect, &sql) {
            Ok(statements) if statements.len() == 1 => {
                (rules.bare_dates, rules.cast_dates) = (0, 0);
                let _ = statements.visit(&mut rules);
                if rules.bare_dates > rules.cast_dates {
                    rules.add("DATE_TRUNC or date +- interval without ::date: a timestamp on DuckDB");
                }
            }
            Ok(statements) => rules.add(format!("{} statements in one text", statements.len())),
            Err(error) => rules.add(format!("not in {name}'s grammar: {error}")),
        }
    }
    rules.found.into_iter().collect()
}

struct Rules {
    kind: FileKind,
    /// Whether the SQL adds a column with IF NOT EXISTS. Before `lint` parses the SQL as Snowflake,
    /// it removes IF NOT EXISTS, so the parsed statement does not show it.
    adds_column: bool,
    found: BTreeSet<String>,
    /// The number of expressions that are a date on Snowflake and a timestamp on DuckDB;
    /// `cast_dates` counts those with a cast.
    bare_dates: usize,
    cast_dates: usize,
}

impl Rules {
    fn add(&mut self, what: impl Into<String>) {
        self.found.insert(what.into());
    }

    fn name(&mut self, name: &str, quoted: bool) {
        if quoted {
            self.add(format!("quoted name {name}"));
        } else if RESERVED.contains(&name.to_lowercase().as_str()) {
            self.add(format!("reserved name {name}"));
        }
    }

    fn order(&mut self, order: &[OrderByExpr]) {
        for by in order.iter().filter(|by| {
            matches!(by.options.sort, Some(OrderBySort::Desc)) && by.options.nulls_first.is_none()
        }) {
            self.add(format!("ORDER BY {} DESC without NULLS FIRST or LAST", by.expr));
        }
    }

    fn data_type(&mut self, data_type: &DataType) {
        // The types of amounts and of prices.
        let decimal = matches!(
            data_type,
            DataType::Decimal(
                ExactNumberInfo::PrecisionAndScale(38, 0..) | ExactNumberInfo::PrecisionAndScale(18, 6)
            )
        );
        if !decimal && !TYPES.contains(&data_type.to_string().to_uppercase().as_str()) {
            self.add(format!("type {data_type} differs between the engines"));
        }
    }

    fn function(&mut self, function: &Function) {
        let name = function.name.to_string().to_lowercase();
        if !FUNCTIONS.contains(&name.as_str()) {
            self.add(format!("function {name} is not in the allow-list"));
        }
        if function.filter.is_some() {
            self.add(format!("FILTER of {name}"));
        }
        let inside = function.args.to_string().to_uppercase().contains("IGNORE NULLS");
        if (function.null_treatment.is_some() || inside) && !NULL_TREATMENT.contains(&name.as_str()) {
            self.add(format!("IGNORE NULLS of {name}"));
        }
        if function.null_treatment.is_some() {
            self.add(format!("IGNORE NULLS outside the parentheses of {name}"));
        }
        if name == "date_trunc" {
            self.bare_dates += 1;
        }
        if name == "concat" && !arguments(function).iter().all(|argument| is_never_null(argument)) {
            self.add("function concat of what can be NULL: Snowflake returns NULL, DuckDB skips it");
        }
        if let ("ln" | "sqrt" | "power", Some(argument)) = (name.as_str(), arguments(function).first())
            && !is_in_domain(&name, argument)
        {
            self.add(format!(
                "{name} of {argument}: Snowflake may evaluate it for rows that a condition outside excludes"
            ));
        }
        match &function.over {
            None => {}
            Some(WindowType::NamedWindow(window)) => self.add(format!("named window {window}")),
            Some(WindowType::WindowSpec(window)) => {
                self.order(&window.order_by);
                if window.window_name.is_some() {
                    self.add("named window");
                }
                let ordered = !window.order_by.is_empty();
                if NO_FRAME.contains(&name.as_str()) && (ordered || window.window_frame.is_some()) {
                    self.add(format!("{name} over an order or a frame"));
                }
                if ordered && window.window_frame.is_none() && !RANKING.contains(&name.as_str()) {
                    self.add(format!("{name} over an order without an explicit frame"));
                }
                if window.window_frame.as_ref().is_some_and(|frame| frame.units == WindowFrameUnits::Groups) {
                    self.add("GROUPS frame");
                }
            }
        }
    }

    fn division(&mut self, left: &Expr, right: &Expr) {
        let guarded = match right {
            Expr::Function(function) => function.name.to_string().eq_ignore_ascii_case("nullif"),
            Expr::Cast { expr, .. } => is_number(expr),
            other => is_number(other),
        };
        if !guarded {
            self.add(format!("division by {right} without NULLIF"));
        }
        if is_number(left) && is_number(right) {
            self.add(format!("{left} / {right}: the precision depends on the engine; cast to double"));
        }
    }
}

fn has_minus(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation { op, left, right, .. } => {
            *op == SetOperator::Minus || has_minus(left) || has_minus(right)
        }
        _ => false,
    }
}

/// Whether a condition, or one of the conditions that it joins with AND, is an OR.
fn has_or(condition: &Expr) -> bool {
    match condition {
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => true,
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => has_or(left) || has_or(right),
        Expr::Nested(inner) => has_or(inner),
        _ => false,
    }
}

fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    fn expression(argument: &FunctionArg) -> Option<&Expr> {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        }
    }
    list.args.iter().filter_map(expression).collect()
}

/// Whether an expression is never NULL: a text, a coalesce that ends with such an expression, or a
/// CASE whose results are all such expressions.
fn is_never_null(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(value.value, Value::SingleQuotedString(_)),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("coalesce") => {
            arguments(function).last().is_some_and(|last| is_never_null(last))
        }
        Expr::Case { conditions, else_result: Some(otherwise), .. } => {
            conditions.iter().all(|when| is_never_null(&when.result)) && is_never_null(otherwise)
        }
        _ => false,
    }
}

/// Whether no value of the expression is outside the function's domain: a positive number, a CASE without ELSE, or an
/// absolute value, which NULLIF makes other than zero. The engines may evaluate an expression before the WHERE, or the
/// branches of a CASE before its conditions.
fn is_in_domain(function: &str, argument: &Expr) -> bool {
    match argument {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_in_domain(function, expr),
        Expr::Case { else_result: None, .. } => true,
        Expr::Function(inner) => match (inner.name.to_string().as_str(), arguments(inner).first()) {
            ("abs", _) => function == "sqrt",
            ("nullif", Some(Expr::Function(inner))) => inner.name.to_string() == "abs",
            _ => false,
        },
        other => is_number(other),
    }
}

/// Whether an expression is a text that looks like a date. The engines convert the other side to text, or the text to
/// the type of the other side.
fn is_date_text(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text)
        if text.get(..10).is_some_and(|day| day.chars().all(|c| c.is_ascii_digit() || c == '-'))))
}

fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

fn is_interval_sum(expression: &Expr) -> bool {
    matches!(expression, Expr::BinaryOp { op: BinaryOperator::Plus | BinaryOperator::Minus, left, right }
        if matches!(**left, Expr::Interval(_)) || matches!(**right, Expr::Interval(_)))
}
