//! A parser for the subset of SQL that the models keep to: expressions, select lists, and where they read from.

use super::{
    expr::{Expr, Op},
    token::{Token, tokens},
};

/// A query: what stands before it under a name, and its last select.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The named selects, in order; each is a union of one or more.
    pub named: Vec<(String, Vec<Select>)>,
    /// The last select; a union of one or more.
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
    /// An expression and its name, where it has one.
    One(Option<String>, Expr),
}

/// A table that a select reads.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name, with the schema; empty for a select in parentheses.
    pub name: String,
    /// The name it goes by.
    pub alias: String,
    /// The select in parentheses.
    pub inner: Option<Box<Query>>,
}

/// The query of a model's statement; `None` for a text outside the subset.
pub fn query(sql: &str) -> Option<Query> {
    let tokens = tokens(sql)?;
    let start = tokens.windows(2).position(|pair| {
        pair[0] == Token::Name("as".into())
            && (pair[1] == Token::Name("with".into()) || pair[1] == Token::Name("select".into()))
    })?;
    Parser { tokens, at: start + 1 }.query()
}

/// An expression that stands alone.
pub fn expression(sql: &str) -> Option<Expr> {
    let mut parser = Parser { tokens: tokens(sql)?, at: 0 };
    let expr = parser.expr(0)?;
    (parser.at == parser.tokens.len()).then_some(expr)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Words that end a select list's item or a table's name.
const ENDS: [&str; 14] = [
    "from", "where", "group", "order", "qualify", "union", "join", "left", "cross", "on", "having", "exclude", "limit",
    "inner",
];

impl Parser {
    fn is(&self, word: &str) -> bool {
        self.is_at(self.at, word)
    }

    fn is_at(&self, at: usize, word: &str) -> bool {
        match self.tokens.get(at) {
            Some(Token::Name(name)) => name == word,
            Some(Token::Sign(sign)) => *sign == word,
            _ => false,
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.is(word);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.take(word).then_some(())
    }

    fn name(&mut self) -> Option<String> {
        match self.tokens.get(self.at) {
            Some(Token::Name(name)) => {
                self.at += 1;
                Some(name.clone())
            }
            _ => None,
        }
    }

    fn query(&mut self) -> Option<Query> {
        let mut query = Query::default();
        if self.take("with") {
            loop {
                let name = self.name()?;
                self.expect("as")?;
                self.expect("(")?;
                query.named.push((name, self.union()?));
                self.expect(")")?;
                if !self.take(",") {
                    break;
                }
            }
        }
        query.last = self.union()?;
        Some(query)
    }

    fn union(&mut self) -> Option<Vec<Select>> {
        let mut selects = vec![self.select()?];
        while self.take("union") {
            self.take("all");
            selects.push(self.select()?);
        }
        Some(selects)
    }

    fn select(&mut self) -> Option<Select> {
        self.expect("select")?;
        self.take("distinct");
        let mut select = Select::default();
        loop {
            select.items.push(self.item()?);
            if !self.take(",") {
                break;
            }
        }
        // What comes after the tables - conditions, groups, orders - says which rows, not what the columns are.
        let mut depth = 0;
        while self.at < self.tokens.len() {
            if depth == 0 && (self.is(")") || self.is("union")) {
                break;
            }
            if depth == 0 && (self.take("from") || self.take("join")) {
                select.from.push(self.table()?);
                continue;
            }
            depth += i32::from(self.is("(")) - i32::from(self.is(")"));
            self.at += 1;
        }
        Some(select)
    }

    fn item(&mut self) -> Option<Item> {
        let qualified = matches!(self.tokens.get(self.at), Some(Token::Name(_)))
            && self.is_at(self.at + 1, ".")
            && self.is_at(self.at + 2, "*");
        if qualified || self.is("*") {
            let alias = if qualified { self.name() } else { None };
            self.at += if qualified { 2 } else { 1 };
            if self.take("exclude") {
                self.skip_parentheses()?;
            }
            return Some(Item::All(alias));
        }
        let expr = self.expr(0)?;
        let name = if self.take("as") { self.name() } else { None };
        let name = name.or_else(|| match &expr {
            Expr::Column(_, name) => Some(name.clone()),
            _ => None,
        });
        Some(Item::One(name, expr))
    }

    fn table(&mut self) -> Option<Table> {
        let (mut name, mut inner) = (String::new(), None);
        if self.take("(") {
            inner = Some(Box::new(self.query()?));
            self.expect(")")?;
        } else {
            name = self.name()?;
            while self.take(".") {
                name = format!("{name}.{}", self.name()?);
            }
        }
        let named = self.take("as")
            || matches!(self.tokens.get(self.at), Some(Token::Name(word)) if !ENDS.contains(&word.as_str()));
        let alias = if named { self.name()? } else { name.rsplit('.').next()?.to_owned() };
        Some(Table { name, alias, inner })
    }

    fn skip_parentheses(&mut self) -> Option<()> {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            depth += i32::from(self.is("(")) - i32::from(self.is(")"));
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
        None
    }

    /// An expression of operators that bind more tightly than `floor`.
    fn expr(&mut self, floor: u8) -> Option<Expr> {
        let mut left = if self.take("not") { Expr::Not(Box::new(self.expr(3)?)) } else { self.unary()? };
        loop {
            if floor < 4 && self.is("is") {
                left = self.is_something(left)?;
                continue;
            }
            if floor < 4 && (self.is("between") || self.is("in") || self.is("not")) {
                let negated = self.take("not");
                let tested = Box::new(left);
                left = if self.take("between") {
                    let low = self.expr(4)?;
                    self.expect("and")?;
                    Expr::Between(tested, Box::new(low), Box::new(self.expr(4)?))
                } else {
                    self.expect("in")?;
                    self.expect("(")?;
                    Expr::In(tested, self.arguments()?)
                };
                if negated {
                    left = Expr::Not(Box::new(left));
                }
                continue;
            }
            let Some(op) = self.operator().filter(|op| op.strength() > floor) else { return Some(left) };
            self.at += 1;
            left = Expr::Binary(Box::new(left), op, Box::new(self.expr(op.strength())?));
        }
    }

    fn is_something(&mut self, left: Expr) -> Option<Expr> {
        self.expect("is")?;
        let negated = self.take("not");
        if self.take("null") {
            return Some(Expr::IsNull(Box::new(left), negated));
        }
        self.expect("distinct")?;
        self.expect("from")?;
        let op = if negated { Op::NotDistinct } else { Op::Distinct };
        Some(Expr::Binary(Box::new(left), op, Box::new(self.expr(4)?)))
    }

    fn operator(&self) -> Option<Op> {
        Some(match self.tokens.get(self.at)? {
            Token::Name(word) if word == "or" => Op::Or,
            Token::Name(word) if word == "and" => Op::And,
            Token::Sign(sign) => match *sign {
                "=" => Op::Equal,
                "<>" => Op::Unequal,
                "<" => Op::Less,
                "<=" => Op::AtMost,
                ">" => Op::Greater,
                ">=" => Op::AtLeast,
                "||" => Op::Concat,
                "+" => Op::Plus,
                "-" => Op::Minus,
                "*" => Op::Times,
                "/" => Op::Over,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn unary(&mut self) -> Option<Expr> {
        if self.take("-") {
            return Some(Expr::Negative(Box::new(self.unary()?)));
        }
        let inner = self.primary()?;
        while self.take("::") {
            self.name()?;
            if self.is("(") {
                self.skip_parentheses()?;
            }
        }
        Some(inner)
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        let mut list = Vec::new();
        while !self.take(")") {
            list.push(self.expr(0)?);
            self.take(",");
        }
        Some(list)
    }

    fn primary(&mut self) -> Option<Expr> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Number(text) => Some(Expr::Number(text)),
            Token::Text(text) => Some(Expr::Text(text)),
            Token::Sign("*") => Some(Expr::Word("*")),
            Token::Sign("(") => {
                let inner = self.expr(0)?;
                self.expect(")")?;
                Some(inner)
            }
            Token::Sign(_) => None,
            Token::Name(word) => match word.as_str() {
                "case" => self.case(),
                "null" => Some(Expr::Word("null")),
                "true" => Some(Expr::Word("true")),
                "false" => Some(Expr::Word("false")),
                "date" | "interval" if matches!(self.tokens.get(self.at), Some(Token::Text(_))) => self.primary(),
                _ if self.take("(") => {
                    let arguments = self.arguments()?;
                    let over = self.take("over");
                    if over {
                        self.skip_parentheses()?;
                    }
                    Some(Expr::Call(word, arguments, over))
                }
                _ if self.take(".") => Some(Expr::Column(Some(word), self.name()?)),
                _ if ENDS.contains(&word.as_str()) => None,
                _ => Some(Expr::Column(None, word)),
            },
        }
    }

    fn case(&mut self) -> Option<Expr> {
        let mut whens = Vec::new();
        while self.take("when") {
            let condition = self.expr(0)?;
            self.expect("then")?;
            whens.push((condition, self.expr(0)?));
        }
        let otherwise = if self.take("else") { Some(Box::new(self.expr(0)?)) } else { None };
        self.expect("end")?;
        Some(Expr::Case(whens, otherwise))
    }
}
