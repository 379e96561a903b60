//! Rules over the syntax tree, the same for both dialects.

use std::{collections::BTreeSet, ops::ControlFlow};

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, ColumnOption, DataType, Distinct, ExactNumberInfo, Expr, Function,
        FunctionArg, FunctionArgExpr, FunctionArguments, JoinConstraint, JoinOperator, OrderByExpr,
        OrderByKind, OrderBySort, Query, Select, SelectItem, SetExpr, SetOperator, Statement, TableFactor,
        Value, Visit, Visitor, WindowFrameUnits, WindowType,
    },
    dialect::{Dialect, DuckDbDialect, SnowflakeDialect},
    parser::Parser,
};

use super::FileKind;

/// Functions with the same meaning on both engines.
const FUNCTIONS: &[&str] = &[
    "abs",
    "any_value",
    "avg",
    "ceil",
    "coalesce",
    "concat",
    "contains",
    "corr",
    "count",
    "count_if",
    "covar_samp",
    "cume_dist",
    "date_trunc",
    "datediff",
    "day",
    "dense_rank",
    "exp",
    "extract",
    "first_value",
    "floor",
    "ifnull",
    "json_extract_path_text",
    "lag",
    "last_day",
    "last_value",
    "lead",
    "ln",
    "lower",
    "max",
    "max_by",
    "md5",
    "median",
    "min",
    "min_by",
    "month",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "percentile_cont",
    "power",
    "quarter",
    "rank",
    "regr_slope",
    "round",
    "row_number",
    "sign",
    "split_part",
    "sqrt",
    "stddev_samp",
    "substr",
    "sum",
    "trim",
    "upper",
    "var_samp",
    "year",
];
/// Allowed as plain aggregates or over a partition, but not with an order or a frame.
const NO_FRAME: &[&str] = &[
    "corr",
    "covar_samp",
    "regr_slope",
    "median",
    "max_by",
    "min_by",
    "any_value",
    "percentile_cont",
];
/// Functions without a frame; the order is enough.
const RANKING: &[&str] =
    &["row_number", "rank", "dense_rank", "lag", "lead", "ntile", "percent_rank", "cume_dist"];
/// Functions that take IGNORE NULLS inside their parentheses.
const NULL_TREATMENT: &[&str] = &["first_value", "last_value"];
/// Types with the same name and width on both engines.
const TYPES: &[&str] = &["VARCHAR", "DOUBLE", "BIGINT", "DATE", "TIMESTAMP", "BOOLEAN"];
/// Words reserved by one of the two engines.
const RESERVED: &[&str] = &[
    "account",
    "analyze",
    "array",
    "asof",
    "bearer",
    "by",
    "check",
    "column",
    "connect",
    "connection",
    "database",
    "define",
    "describe",
    "do",
    "elseif",
    "end",
    "following",
    "gscluster",
    "hybrid",
    "increment",
    "insert_only",
    "issue",
    "lambda",
    "match_condition",
    "minus",
    "null_if",
    "of",
    "only",
    "organization",
    "pivot",
    "placing",
    "primary",
    "references",
    "regexp",
    "returning",
    "rlike",
    "row",
    "rows",
    "sample",
    "schema",
    "show",
    "start",
    "strict",
    "summarize",
    "symmetric",
    "tablesample",
    "trigger",
    "unpivot",
    "variadic",
    "view",
    "whenever",
    "window",
];

/// The problems of a text in either dialect.
pub(super) fn lint(kind: FileKind, sql: &str) -> Vec<String> {
    let mut rules = Rules { kind, found: BTreeSet::new(), bare_dates: 0, cast_dates: 0 };
    for (name, dialect) in
        [("Snowflake", &SnowflakeDialect {} as &dyn Dialect), ("DuckDB", &DuckDbDialect {})]
    {
        match Parser::parse_sql(dialect, sql) {
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
    found: BTreeSet<String>,
    /// The number of expressions that are a date on one engine and a timestamp on the other, and
    /// how many of them are cast.
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
        let decimal = matches!(data_type, DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, scale)) if *scale >= 0);
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

/// Whether an expression cannot be NULL: a text, a coalesce that ends with one, or a CASE whose results are all such.
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

fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

fn is_interval_sum(expression: &Expr) -> bool {
    matches!(expression, Expr::BinaryOp { op: BinaryOperator::Plus | BinaryOperator::Minus, left, right }
        if matches!(**left, Expr::Interval(_)) || matches!(**right, Expr::Interval(_)))
}

impl Visitor for Rules {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match (self.kind, statement) {
            (FileKind::Model, Statement::CreateTable(table))
                if table.or_replace && table.temporary && table.query.is_some() && !table.transient => {}
            (FileKind::Table | FileKind::Setup, Statement::CreateTable(table))
                if table.if_not_exists && table.query.is_none() && !table.temporary && !table.transient =>
            {
                for column in &table.columns {
                    self.name(&column.name.value, column.name.quote_style.is_some());
                    self.data_type(&column.data_type);
                    if column.options.iter().any(|option| !matches!(option.option, ColumnOption::NotNull)) {
                        self.add(format!("column {} with options", column.name));
                    }
                }
                if !table.constraints.is_empty() {
                    self.add("constraints, which only one engine enforces");
                }
            }
            (FileKind::View, Statement::CreateView(view)) if view.or_replace && !view.materialized => {}
            (FileKind::Setup, Statement::CreateSchema { if_not_exists: true, .. }) => {}
            // An insert that can be repeated, because it checks whether the row exists.
            (FileKind::Setup, insert @ Statement::Insert(_))
                if insert.to_string().contains("WHERE NOT EXISTS (") => {}
            (kind, other) => {
                let words = other.to_string();
                let words: Vec<&str> = words.split_whitespace().take(4).collect();
                self.add(format!("{} is not allowed in a {kind:?}", words.join(" ")));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(order) = &query.order_by {
            match &order.kind {
                OrderByKind::Expressions(by) => self.order(by),
                OrderByKind::All(_) => self.add("ORDER BY ALL"),
            }
        }
        if has_minus(&query.body) {
            self.add("MINUS instead of EXCEPT");
        }
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.name(&cte.alias.name.value, cte.alias.name.quote_style.is_some());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if !select.named_window.is_empty() {
            self.add("named window");
        }
        if select.top.is_some() {
            self.add("TOP");
        }
        if matches!(select.distinct, Some(Distinct::On(_))) {
            self.add("DISTINCT ON");
        }
        for join in select.from.iter().flat_map(|from| &from.joins) {
            let constraint = match &join.join_operator {
                JoinOperator::Join(on)
                | JoinOperator::Inner(on)
                | JoinOperator::Left(on)
                | JoinOperator::LeftOuter(on)
                | JoinOperator::CrossJoin(on)
                | JoinOperator::FullOuter(on) => Some(on),
                _ => None,
            };
            if !matches!(
                constraint,
                Some(JoinConstraint::On(_) | JoinConstraint::Using(_) | JoinConstraint::None)
            ) {
                self.add(format!("join {join}"));
            }
        }
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.name(&alias.value, alias.quote_style.is_some());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { args: None, sample: None, .. }
            | TableFactor::Derived { lateral: false, .. } => {}
            other => self.add(format!("from {other}")),
        }
        if let TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.name(&alias.name.value, alias.name.quote_style.is_some());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Function(function) => self.function(function),
            Expr::Cast { kind, data_type, expr, .. } => {
                self.data_type(data_type);
                if matches!(kind, CastKind::TryCast)
                    && !matches!(
                        **expr,
                        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_)
                    )
                {
                    self.add(format!("TRY_CAST of {expr}, which is not text"));
                }
                let inner = if let Expr::Nested(inner) = &**expr { inner } else { expr };
                let dated = matches!(&**inner, Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("date_trunc"))
                    || is_interval_sum(inner);
                let is_date_cast = matches!(data_type, DataType::Date | DataType::Timestamp(..));
                self.cast_dates += usize::from(dated && is_date_cast);
            }
            Expr::BinaryOp { left, op, right } => match op {
                BinaryOperator::Divide => self.division(left, right),
                BinaryOperator::Arrow | BinaryOperator::LongArrow => self.add("-> or ->> of JSON"),
                BinaryOperator::Plus | BinaryOperator::Minus => {
                    self.bare_dates += usize::from(is_interval_sum(expression))
                }
                BinaryOperator::Multiply
                | BinaryOperator::StringConcat
                | BinaryOperator::And
                | BinaryOperator::Or
                | BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq => {}
                other => self.add(format!("operator {other}")),
            },
            Expr::Interval(interval) if !matches!(*interval.value, Expr::Value(ref value) if matches!(value.value, Value::SingleQuotedString(_))) =>
            {
                self.add("INTERVAL without quotes");
            }
            Expr::JsonAccess { .. } => self.add("path access a:b"),
            Expr::Extract { .. } => self.add("EXTRACT; use year(), month() and so on"),
            Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::RLike { .. }
            | Expr::SimilarTo { .. }
            | Expr::AtTimeZone { .. } => {
                self.add(format!("expression {expression}"));
            }
            Expr::Identifier(name) => self.name(&name.value, name.quote_style.is_some()),
            Expr::CompoundIdentifier(names) => {
                names.iter().for_each(|name| self.name(&name.value, name.quote_style.is_some()))
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
