//! Renders an expression in plain English, for people in finance.

use super::expr::{Expr, Op};

/// Parts of names with a special spelling.
const PARTS: [(&str, &str); 9] = [
    ("eps", "EPS"),
    ("ebitda", "EBITDA"),
    ("ebit", "EBIT"),
    ("ttm", "TTM"),
    ("fy", "fiscal-year"),
    ("nopat", "NOPAT"),
    ("roe", "ROE"),
    ("roic", "ROIC"),
    ("fmp", "FMP"),
];

/// Full names of abbreviations in the models.
const NAMES: [(&str, &str); 5] = [
    ("enterprise_value_fmp", "FMP's enterprise value"),
    ("session_close", "close"),
    ("has_prior", "period before"),
    ("days", "days of the period"),
    ("roe_equity", "mean stockholders equity (for a single period, at its end)"),
];

/// A column's name in plain English.
pub fn label(name: &str) -> String {
    let of = |list: &[(&str, &str)], name: &str| {
        list.iter().find(|(known, _)| *known == name).map(|(_, full)| (*full).to_owned())
    };
    if let Some(full) = of(&NAMES, name) {
        return full;
    }
    for (suffix, when) in [("_quarter_before", "a quarter before"), ("_year_before", "a year before")] {
        if let Some(start) = name.strip_suffix(suffix) {
            return format!("{} {when}", label(start));
        }
    }
    for (prefix, before, after) in [
        ("two_period_average_", "mean", " of two periods"),
        ("year_average_", "mean", " over the year"),
        ("latest_", "newest", ""),
        ("split_adjusted_", "split-adjusted", ""),
    ] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return format!("{before} {}{after}", label(rest));
        }
    }
    match name.strip_prefix("close_").and_then(|rest| rest.strip_suffix("_ago")) {
        Some("1") => "close a session before".into(),
        Some(sessions) => format!("close {sessions} sessions before"),
        None => {
            let word = |part: &str| of(&PARTS, part).unwrap_or_else(|| part.to_owned());
            name.split('_').map(word).collect::<Vec<_>>().join(" ")
        }
    }
}

/// An expression in plain English.
pub fn words(expr: &Expr) -> String {
    match expr {
        Expr::Number(text) => text.strip_suffix(".0").unwrap_or(text).to_owned(),
        Expr::Text(text) => text.clone(),
        Expr::Word(word) => (*word).to_owned(),
        Expr::Column(_, name) => label(name),
        Expr::Negative(a) => format!("−{}", inner(a, 8)),
        Expr::Not(a) => format!("not {}", inner(a, 3)),
        Expr::IsNull(a, false) => format!("{} is absent", words(a)),
        Expr::IsNull(a, true) => format!("{} has a value", words(a)),
        Expr::Binary(a, Op::Equal, b) if is_count(a) && is_count(b) => match &**a {
            Expr::Call(_, arguments, _) => {
                format!("every period has {}", arguments.first().map(words).unwrap_or_default())
            }
            _ => String::new(),
        },
        Expr::Binary(a, op, b) => binary(a, *op, b),
        Expr::Between(a, b, c) => format!("{} from {} to {}", words(a), words(b), words(c)),
        Expr::In(a, list) => {
            format!("{} is one of {}", words(a), list.iter().map(words).collect::<Vec<_>>().join(", "))
        }
        Expr::Case(whens, otherwise) => {
            let mut parts: Vec<String> = whens
                .iter()
                .map(|(condition, result)| format!("{} when {}", words(result), words(condition)))
                .collect();
            parts.extend(otherwise.as_deref().map(|e| format!("else {}", words(e))));
            parts.join(", ")
        }
        Expr::Call(name, arguments, _) => call(name, arguments),
    }
}

fn is_count(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(name, _, _) if name == "count")
}

fn binary(a: &Expr, op: Op, b: &Expr) -> String {
    let zero = b.number() == Some(0.0);
    let sign = match op {
        Op::Plus => "+",
        Op::Minus => "−",
        Op::Times => "×",
        Op::Over => "÷",
        Op::Equal | Op::NotDistinct => "is",
        Op::Unequal | Op::Distinct => "is not",
        Op::Greater if zero => return format!("{} is above zero", words(a)),
        Op::AtMost if zero => return format!("{} is zero or below", words(a)),
        Op::Greater => "is above",
        Op::AtLeast => "is at least",
        Op::Less => "is below",
        Op::AtMost => "is at most",
        Op::And => "and",
        Op::Or => "or",
        Op::Concat => "then",
    };
    format!("{} {sign} {}", inner(a, op.strength()), inner(b, op.strength() + 1))
}

/// Renders a subexpression, in parentheses if it binds less tightly than its parent.
fn inner(expr: &Expr, strength: u8) -> String {
    let conditional =
        matches!(expr, Expr::Case(..)) || matches!(expr, Expr::Call(name, ..) if name == "coalesce");
    if expr.strength() < strength || conditional {
        format!("({})", words(expr))
    } else {
        words(expr)
    }
}

fn call(name: &str, arguments: &[Expr]) -> String {
    let part = |n: usize| arguments.get(n).map(words).unwrap_or_default();
    let tight = |n: usize| arguments.get(n).map(|e| inner(e, 9)).unwrap_or_default();
    match name {
        "nullif" => part(0),
        "coalesce" if arguments.get(1).and_then(Expr::number) == Some(0.0) => {
            format!("{}, 0 where it is absent", part(0))
        }
        "coalesce" => arguments.iter().map(words).collect::<Vec<_>>().join(", or where that is absent "),
        "abs" => format!("|{}|", part(0)),
        "sqrt" => format!("√({})", part(0)),
        "exp" => format!("e ^ ({})", part(0)),
        "power" => format!("{} ^ {}", tight(0), tight(1)),
        "sum" => format!("sum of {} over the periods", tight(0)),
        "count" if arguments.first() == Some(&Expr::Word("*")) => "number of periods".into(),
        "count" => format!("periods with {}", part(0)),
        "max" => format!("highest {}", tight(0)),
        "min" => format!("lowest {}", tight(0)),
        _ => format!("{name}({})", arguments.iter().map(words).collect::<Vec<_>>().join(", ")),
    }
}

/// The condition that a ratio's rule sets for its denominator.
pub fn ratio_rule(rule: &str, denominator: &Expr) -> Option<String> {
    let what = words(&denominator.guarded().0);
    match rule {
        "positive" | "equity" | "earnings" => Some(format!("{what} is above zero")),
        "zero_means_missing" => Some(format!("{what} is above zero (FMP writes 0 for what is not reported)")),
        "nonzero" if denominator.number().is_some() => None,
        "nonzero" => Some(format!("{what} is not zero")),
        _ => None,
    }
}

/// The condition that a market metric's rule sets for the tested expression.
pub fn market_rule(rule: &str, tested: &Expr) -> Option<String> {
    match rule {
        "positive" | "equity" | "earnings" => Some(format!("{} is above zero", words(tested))),
        _ => None,
    }
}

/// The condition under which a reason for NULL does not apply.
pub fn null_reason_rule(column: &str) -> Option<&'static str> {
    Some(match column {
        "bank_null_reason" => "the company is not a bank or insurer",
        "two_period_null_reason" => "the previous period exists",
        "year_null_reason" => "the balance sheet of a year earlier exists",
        "bank_two_period_null_reason" => {
            "the company is not a bank or insurer and the previous period exists"
        }
        "bank_year_null_reason" => {
            "the company is not a bank or insurer and the balance sheet of a year earlier exists"
        }
        "graham_null_reason" => "net income and stockholders equity are above zero",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formulas::{expression, market_lines, ratio_lines};

    #[test]
    fn expressions_read_as_a_person_would_say_them() {
        for (sql, text) in [
            ("gross_profit / nullif(revenue, 0)", "gross profit ÷ revenue"),
            ("-dividends_paid - capital_expenditures", "−dividends paid − capital expenditures"),
            ("a / (b - d)", "a ÷ (b − d)"),
            (
                "operating_income * (1 - income_tax_expense / income_before_tax)",
                "operating income × (1 − income tax expense ÷ income before tax)",
            ),
            ("sum(q.revenue)", "sum of revenue over the periods"),
            ("count(q.eps) = count(*)", "every period has EPS"),
            ("session_close / nullif(close_21_ago, 0) - 1", "close ÷ close 21 sessions before − 1"),
            ("sqrt(22.5::double * a * b) / shares", "√(22.5 × a × b) ÷ shares"),
            ("coalesce(a, b + d) * 2", "(a, or where that is absent b + d) × 2"),
            ("case when a = 0 then b else d end", "b when a is 0, else d"),
        ] {
            assert_eq!(words(&expression(sql).unwrap()), text, "{sql}");
        }
    }

    #[test]
    fn every_rule_and_null_reason_of_the_lines_has_its_words() {
        for line in ratio_lines() {
            let has =
                ratio_rule(&line.rule, &line.denominator).is_some() || line.denominator.number().is_some();
            assert!(has, "{}: no words for the rule {}", line.metric, line.rule);
            let reason = line.null_reason == "null_reason" || null_reason_rule(&line.null_reason).is_some();
            assert!(reason, "{}: no words for {}", line.metric, line.null_reason);
        }
        for line in market_lines() {
            let has = market_rule(&line.rule, &line.tested).is_some() || line.rule == "none";
            assert!(has, "{}: no words for the rule {}", line.metric, line.rule);
        }
    }
}
