//! Walks through a syntax tree and applies the rules to its statements, queries and expressions.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AlterTableOperation, BinaryOperator, CastKind, ColumnOption, DataType, Distinct, Expr, JoinConstraint,
    JoinOperator, OrderByKind, Query, Select, SelectItem, Statement, TableFactor, Value, Visitor,
};

use super::{Rules, has_minus, has_or, is_date_text, is_interval_sum};
use crate::sql_lint::FileKind;

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
            (FileKind::Setup, Statement::AlterTable(table)) => {
                for operation in &table.operations {
                    match operation {
                        AlterTableOperation::AddColumn { column_def, if_not_exists, .. }
                            if column_def.options.is_empty() && (*if_not_exists || self.adds_column) =>
                        {
                            self.name(&column_def.name.value, column_def.name.quote_style.is_some());
                            self.data_type(&column_def.data_type);
                        }
                        other => self.add(format!("{other} is not allowed in a Setup")),
                    }
                }
            }
            // An insert that checks whether the row exists can be repeated.
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
        if select.selection.is_some() && select.from.is_empty() {
            self.add("WHERE without FROM");
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
            if let JoinOperator::Left(JoinConstraint::On(condition))
            | JoinOperator::LeftOuter(JoinConstraint::On(condition))
            | JoinOperator::FullOuter(JoinConstraint::On(condition)) = &join.join_operator
                && has_or(condition)
            {
                self.add(format!(
                    "OR in an outer join: DuckDB compares every row with every other: {condition}"
                ));
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
                | BinaryOperator::Or => {}
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq => {
                    [left, right].into_iter().filter(|side| is_date_text(side)).for_each(|text| {
                        self.add(format!("comparison with the text {text}; write a date or a timestamp"));
                    });
                }
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
