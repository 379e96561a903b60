//! Parses the models' SQL into select lists, expressions and source tables: the subset of sqlparser's tree that
//! explanations need.

use sqlparser::{
    ast::{
        self, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr, SetOperator, TableFactor,
        UnaryOperator, Value,
    },
    dialect::DuckDbDialect,
    parser::Parser,
    tokenizer::Token,
};

use super::expr::{Expr, Op};

/// A query: its common table expressions and its final select.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The common table expressions, in order; each is a union of one or more.
    pub named: Vec<(String, Vec<Select>)>,
    /// The final select; a union of one or more.
    pub last: Vec<Select>,
}

/// A select list and the tables it reads.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// The list.
    pub items: Vec<Item>,
    /// The tables, in order.
    pub from: Vec<Table>,
}

/// One item of a select list.
#[derive(Debug, Clone)]
pub enum Item {
    /// `*` or `alias.*`.
    All(Option<String>),
    /// An expression and its name, if it has one.
    One(Option<String>, Expr),
}

/// A table that a select reads.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name, with the schema; empty for a select in parentheses.
    pub name: String,
    /// Its alias.
    pub alias: String,
    /// The select in parentheses.
    pub inner: Option<Box<Query>>,
}

/// The query of a model's statement; `None` for SQL outside the subset that the models use.
pub fn query(sql: &str) -> Option<Query> {
    match Parser::parse_sql(&DuckDbDialect {}, sql).ok()?.as_slice() {
        [ast::Statement::CreateTable(table)] => whole(table.query.as_deref()?),
        [ast::Statement::CreateView(view)] => whole(&view.query),
        _ => None,
    }
}

/// Parses a single expression.
pub fn expression(sql: &str) -> Option<Expr> {
    let dialect = DuckDbDialect {};
    let mut parser = Parser::new(&dialect).try_with_sql(sql).ok()?;
    let found = expr(&parser.parse_expr().ok()?)?;
    (parser.peek_token().token == Token::EOF).then_some(found)
}

fn whole(query: &ast::Query) -> Option<Query> {
    let tables = query.with.iter().flat_map(|with| &with.cte_tables);
    let named = tables
        .map(|cte| Some((cte.alias.name.value.clone(), union(&cte.query.body)?)))
        .collect::<Option<_>>()?;
    Some(Query { named, last: union(&query.body)? })
}

fn union(body: &SetExpr) -> Option<Vec<Select>> {
    match body {
        SetExpr::Select(one) => Some(vec![select(one)?]),
        SetExpr::Query(inner) => union(&inner.body),
        SetExpr::SetOperation { left, op, right, .. } => {
            let mut selects = union(left)?;
            // The right side of EXCEPT determines which rows remain, not how columns are computed.
            if *op == SetOperator::Union {
                selects.extend(union(right)?);
            }
            Some(selects)
        }
        _ => None,
    }
}

fn select(one: &ast::Select) -> Option<Select> {
    let items = one.projection.iter().map(item).collect::<Option<_>>()?;
    let tables = one
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    Some(Select { items, from: tables.map(table).collect::<Option<_>>()? })
}

fn item(item: &SelectItem) -> Option<Item> {
    match item {
        SelectItem::UnnamedExpr(bare) => {
            let bare = expr(bare)?;
            let name = if let Expr::Column(_, name) = &bare {
                Some(name.clone())
            } else {
                None
            };
            Some(Item::One(name, bare))
        }
        SelectItem::ExprWithAlias { expr: named, alias } => {
            Some(Item::One(Some(alias.value.clone()), expr(named)?))
        }
        SelectItem::Wildcard(_) => Some(Item::All(None)),
        SelectItem::QualifiedWildcard(kind, _) => {
            Some(Item::All(Some(kind.to_string().trim_end_matches(".*").to_owned())))
        }
        SelectItem::ExprWithAliases { .. } => None,
    }
}

fn table(factor: &TableFactor) -> Option<Table> {
    let (name, alias, inner) = match factor {
        TableFactor::Table { name, alias, .. } => (name.to_string(), alias, None),
        TableFactor::Derived { subquery, alias, .. } => {
            (String::new(), alias, Some(Box::new(whole(subquery)?)))
        }
        _ => return None,
    };
    let alias = match alias {
        Some(alias) => alias.name.value.clone(),
        None => name.rsplit('.').next()?.to_owned(),
    };
    Some(Table { name, alias, inner })
}

fn expr(from: &ast::Expr) -> Option<Expr> {
    let boxed = |e: &ast::Expr| expr(e).map(Box::new);
    let not = |negated: bool, e: Expr| if negated { Expr::Not(Box::new(e)) } else { e };
    Some(match from {
        ast::Expr::Identifier(name) => Expr::Column(None, name.value.clone()),
        ast::Expr::CompoundIdentifier(names) => match names.as_slice() {
            [table, name] => Expr::Column(Some(table.value.clone()), name.value.clone()),
            _ => return None,
        },
        ast::Expr::Value(value) => literal(&value.value)?,
        ast::Expr::TypedString(typed) => literal(&typed.value.value)?,
        ast::Expr::Interval(interval) => expr(&interval.value)?,
        ast::Expr::Nested(inner) => expr(inner)?,
        ast::Expr::Cast { expr: inner, .. } => expr(inner)?,
        ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => Expr::Negative(boxed(inner)?),
        ast::Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => Expr::Not(boxed(inner)?),
        ast::Expr::BinaryOp { left, op, right } => Expr::Binary(boxed(left)?, operator(op)?, boxed(right)?),
        ast::Expr::IsNull(inner) => Expr::IsNull(boxed(inner)?, false),
        ast::Expr::IsNotNull(inner) => Expr::IsNull(boxed(inner)?, true),
        ast::Expr::IsDistinctFrom(a, b) => Expr::Binary(boxed(a)?, Op::Distinct, boxed(b)?),
        ast::Expr::IsNotDistinctFrom(a, b) => Expr::Binary(boxed(a)?, Op::NotDistinct, boxed(b)?),
        ast::Expr::Between { expr: tested, negated, low, high } => {
            not(*negated, Expr::Between(boxed(tested)?, boxed(low)?, boxed(high)?))
        }
        ast::Expr::InList { expr: tested, list, negated } => {
            not(*negated, Expr::In(boxed(tested)?, list.iter().map(expr).collect::<Option<_>>()?))
        }
        ast::Expr::Case { operand: None, conditions, else_result, .. } => Expr::Case(
            conditions
                .iter()
                .map(|w| Some((expr(&w.condition)?, expr(&w.result)?)))
                .collect::<Option<_>>()?,
            match else_result {
                Some(otherwise) => Some(boxed(otherwise)?),
                None => None,
            },
        ),
        ast::Expr::Floor { expr: inner, .. } => Expr::Call("floor".into(), vec![expr(inner)?], false),
        ast::Expr::Ceil { expr: inner, .. } => Expr::Call("ceil".into(), vec![expr(inner)?], false),
        ast::Expr::Function(call) => {
            let FunctionArguments::List(list) = &call.args else {
                return None;
            };
            let arguments = list.args.iter().map(argument).collect::<Option<_>>()?;
            Expr::Call(call.name.to_string(), arguments, call.over.is_some())
        }
        _ => return None,
    })
}

fn argument(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => expr(inner),
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Some(Expr::Word("*")),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<Expr> {
    Some(match value {
        Value::Number(digits, _) => Expr::Number(digits.clone()),
        Value::SingleQuotedString(text) => Expr::Text(text.clone()),
        Value::Boolean(true) => Expr::Word("true"),
        Value::Boolean(false) => Expr::Word("false"),
        Value::Null => Expr::Word("null"),
        _ => return None,
    })
}

fn operator(op: &ast::BinaryOperator) -> Option<Op> {
    use ast::BinaryOperator as Sign;
    Some(match op {
        Sign::Or => Op::Or,
        Sign::And => Op::And,
        Sign::Eq => Op::Equal,
        Sign::NotEq => Op::Unequal,
        Sign::Lt => Op::Less,
        Sign::LtEq => Op::AtMost,
        Sign::Gt => Op::Greater,
        Sign::GtEq => Op::AtLeast,
        Sign::StringConcat => Op::Concat,
        Sign::Plus => Op::Plus,
        Sign::Minus => Op::Minus,
        Sign::Multiply => Op::Times,
        Sign::Divide => Op::Over,
        _ => return None,
    })
}
