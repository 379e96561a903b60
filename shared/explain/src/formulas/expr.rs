//! An SQL expression as a tree, without its casts.

use std::fmt;

/// An expression of a model. Casts are dropped: they affect how a figure is stored, not what it means.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number, as written.
    Number(String),
    /// A text, a date or an interval.
    Text(String),
    /// NULL, true, false, or the `*` of `count(*)`.
    Word(&'static str),
    /// A column, with the alias of its table if given.
    Column(Option<String>, String),
    /// Minus an expression.
    Negative(Box<Expr>),
    /// Not an expression.
    Not(Box<Expr>),
    /// A binary operation.
    Binary(Box<Expr>, Op, Box<Expr>),
    /// `is null`, or `is not null` if the flag is set.
    IsNull(Box<Expr>, bool),
    /// `between`.
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `in (...)`.
    In(Box<Expr>, Vec<Expr>),
    /// Conditions with their results, and the ELSE branch.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    /// A function call; the flag is set for a window function.
    Call(String, Vec<Expr>, bool),
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
    Distinct,
    NotDistinct,
    Concat,
    Plus,
    Minus,
    Times,
    Over,
}

impl Op {
    /// Its precedence; a higher number binds tighter.
    pub fn strength(self) -> u8 {
        match self {
            Op::Or => 1,
            Op::And => 2,
            Op::Equal | Op::Unequal | Op::Less | Op::AtMost | Op::Greater | Op::AtLeast => 4,
            Op::Distinct | Op::NotDistinct => 4,
            Op::Concat => 5,
            Op::Plus | Op::Minus => 6,
            Op::Times | Op::Over => 7,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Op::Or => "or",
            Op::And => "and",
            Op::Equal => "=",
            Op::Unequal => "<>",
            Op::Less => "<",
            Op::AtMost => "<=",
            Op::Greater => ">",
            Op::AtLeast => ">=",
            Op::Distinct => "is distinct from",
            Op::NotDistinct => "is not distinct from",
            Op::Concat => "||",
            Op::Plus => "+",
            Op::Minus => "-",
            Op::Times => "*",
            Op::Over => "/",
        }
    }
}

impl Expr {
    /// A column without an alias.
    pub fn column(name: &str) -> Self {
        Expr::Column(None, name.to_owned())
    }

    /// Its value, if it is a number literal.
    pub fn number(&self) -> Option<f64> {
        match self {
            Expr::Number(text) => text.parse().ok(),
            Expr::Negative(inner) => inner.number().map(|n| -n),
            _ => None,
        }
    }

    /// Precedence of its operator; a higher number binds tighter.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Expr::Binary(_, op, _) => op.strength(),
            Expr::Not(_) => 3,
            Expr::IsNull(..) | Expr::Between(..) | Expr::In(..) => 4,
            Expr::Negative(_) => 8,
            _ => 9,
        }
    }

    /// Its direct subexpressions.
    fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Text(_) | Expr::Word(_) | Expr::Column(..) => Vec::new(),
            Expr::Negative(a) | Expr::Not(a) | Expr::IsNull(a, _) => vec![a],
            Expr::Binary(a, _, b) => vec![a, b],
            Expr::Between(a, b, c) => vec![a, b, c],
            Expr::In(a, list) => std::iter::once(&**a).chain(list).collect(),
            Expr::Case(whens, otherwise) => {
                whens.iter().flat_map(|(c, r)| [c, r]).chain(otherwise.as_deref()).collect()
            }
            Expr::Call(_, arguments, _) => arguments.iter().collect(),
        }
    }

    /// Its distinct columns, in order of appearance.
    pub fn columns(&self) -> Vec<(Option<&str>, &str)> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<(Option<&'a str>, &'a str)>) {
        if let Expr::Column(table, name) = self {
            let column = (table.as_deref(), name.as_str());
            if !found.contains(&column) {
                found.push(column);
            }
        }
        for part in self.parts() {
            part.collect(found);
        }
    }

    /// Replaces every subexpression for which `change` returns another one, outermost first.
    pub fn replace(&self, change: &impl Fn(&Expr) -> Option<Expr>) -> Expr {
        if let Some(other) = change(self) {
            return other;
        }
        let again = |e: &Expr| Box::new(e.replace(change));
        match self {
            Expr::Negative(a) => Expr::Negative(again(a)),
            Expr::Not(a) => Expr::Not(again(a)),
            Expr::IsNull(a, not) => Expr::IsNull(again(a), *not),
            Expr::Binary(a, op, b) => Expr::Binary(again(a), *op, again(b)),
            Expr::Between(a, b, c) => Expr::Between(again(a), again(b), again(c)),
            Expr::In(a, list) => Expr::In(again(a), list.iter().map(|e| e.replace(change)).collect()),
            Expr::Case(whens, otherwise) => Expr::Case(
                whens.iter().map(|(c, r)| (c.replace(change), r.replace(change))).collect(),
                otherwise.as_deref().map(again),
            ),
            Expr::Call(name, arguments, over) => {
                Expr::Call(name.clone(), arguments.iter().map(|e| e.replace(change)).collect(), *over)
            }
            other => other.clone(),
        }
    }

    /// Splits an expression into its value and the conditions under which it is not NULL: `nullif(x, 0)` becomes x, and
    /// a CASE without ELSE becomes its result.
    pub fn guarded(&self) -> (Expr, Vec<Expr>) {
        match self {
            Expr::Case(whens, None) if whens.len() == 1 => {
                let (condition, result) = &whens[0];
                let (inner, mut guards) = result.guarded();
                guards.insert(0, condition.without_nullif());
                (inner, guards)
            }
            other => (other.without_nullif(), Vec::new()),
        }
    }

    /// Replaces `nullif(x, 0)` and `nullif(case when x > 0 then x end, 0)` by x.
    pub fn without_nullif(&self) -> Expr {
        self.replace(&|e| match e {
            Expr::Call(name, arguments, _) if name == "nullif" => arguments.first().map(|a| a.guarded().0),
            _ => None,
        })
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[Expr]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Expr::Number(text) => f.write_str(text),
            Expr::Text(text) => write!(f, "'{text}'"),
            Expr::Word(word) => f.write_str(word),
            Expr::Column(None, name) => f.write_str(name),
            Expr::Column(Some(table), name) => write!(f, "{table}.{name}"),
            Expr::Negative(a) => write!(f, "-{}", Inner(a, 8)),
            Expr::Not(a) => write!(f, "not {}", Inner(a, 3)),
            Expr::IsNull(a, false) => write!(f, "{} is null", Inner(a, 5)),
            Expr::IsNull(a, true) => write!(f, "{} is not null", Inner(a, 5)),
            // The second operand binds tighter by one, so that a - (b - c) keeps its parentheses.
            Expr::Binary(a, op, b) => {
                write!(f, "{} {} {}", Inner(a, op.strength()), op.sign(), Inner(b, op.strength() + 1))
            }
            Expr::Between(a, b, c) => {
                write!(f, "{} between {} and {}", Inner(a, 5), Inner(b, 5), Inner(c, 5))
            }
            Expr::In(a, items) => write!(f, "{} in ({})", Inner(a, 5), list(items)),
            Expr::Case(whens, otherwise) => {
                f.write_str("case")?;
                for (condition, result) in whens {
                    write!(f, " when {condition} then {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " else {otherwise}")?;
                }
                f.write_str(" end")
            }
            Expr::Call(name, arguments, over) => {
                write!(f, "{name}({}){}", list(arguments), if *over { " over (...)" } else { "" })
            }
        }
    }
}

/// Formats a subexpression, in parentheses if it binds less tightly than its parent.
struct Inner<'a>(&'a Expr, u8);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.strength() < self.1 {
            write!(f, "({})", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}
