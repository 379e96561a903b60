//! Renders names and formulas in plain English for finance readers.

use findata_models::metrics::{Earlier, Expr, Function, Op, Source};

/// Parts of names that are not written as lower-case words, such as abbreviations, and their labels.
const PARTS: [(&str, &str); 15] = [
    ("eps", "EPS"),
    ("ebitda", "EBITDA"),
    ("ebit", "EBIT"),
    ("ttm", "TTM"),
    ("fy", "fiscal-year"),
    ("nopat", "NOPAT"),
    ("roe", "ROE"),
    ("roic", "ROIC"),
    ("roa", "ROA"),
    ("roce", "ROCE"),
    ("ev", "EV"),
    ("fcf", "FCF"),
    ("ocf", "OCF"),
    ("peg", "PEG"),
    ("fmp", "FMP"),
];

/// Names whose words alone are not clear, and their labels.
const NAMES: [(&str, &str); 3] = [
    ("enterprise_value_fmp", "enterprise value as FMP defines it"),
    ("days", "days of the period"),
    ("roe_equity", "mean stockholders equity (for a single period, the equity at its end)"),
];

/// Returns the label of a column or input: its name in words.
pub fn label(name: &str) -> String {
    if let Some((source, inner)) = Source::split(name) {
        return match source {
            Source::Ttm => format!("TTM {}", label(inner)),
            Source::Fy => format!("fiscal-year {}", label(inner)),
            Source::Latest => format!("newest {}", label(inner)),
            Source::Growth => label(inner),
        };
    }
    if let Some((earlier, inner)) = Earlier::split(name) {
        return match earlier {
            Earlier::YearAgo => format!("{} a year before", label(inner)),
            Earlier::TwoYearsAgo => format!("{} two years before", label(inner)),
        };
    }
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

/// Returns a formula in words.
pub fn words(expr: &Expr) -> String {
    match expr {
        Expr::Number(text) => text.strip_suffix(".0").unwrap_or(text).to_owned(),
        Expr::Input(name) => label(name),
        Expr::Negative(a) => format!("−{}", inner(a, 8)),
        Expr::Not(a) => format!("not {}", inner(a, 5)),
        Expr::Binary(a, op, b) => binary(a, *op, b),
        Expr::Call(function, arguments) => call(*function, arguments),
    }
}

fn binary(a: &Expr, op: Op, b: &Expr) -> String {
    let is_zero = b.number() == Some(0.0);
    let sign = match op {
        Op::Plus => "+",
        Op::Minus => "−",
        Op::Times => "×",
        Op::Over => "÷",
        Op::Equal => "is",
        Op::Unequal => "is not",
        Op::Greater if is_zero => return format!("{} is above zero", words(a)),
        Op::AtMost if is_zero => return format!("{} is zero or below", words(a)),
        Op::Greater => "is above",
        Op::AtLeast => "is at least",
        Op::Less => "is below",
        Op::AtMost => "is at most",
        Op::And => "and",
        Op::Or => "or",
    };
    // Put a negative operand in parentheses, as in a ÷ (−b): two consecutive signs are hard to
    // read.
    let precedence = if matches!(b, Expr::Negative(_)) { 9 } else { op.precedence() + 1 };
    format!("{} {sign} {}", inner(a, op.precedence()), inner(b, precedence))
}

/// Returns an operand in words. It is in parentheses if its operator has a lower precedence than
/// `precedence`.
fn inner(expr: &Expr, precedence: u8) -> String {
    let is_phrase = matches!(
        expr,
        Expr::Call(
            Function::If | Function::Indicator | Function::Coalesce | Function::Min | Function::Max,
            _
        )
    );
    if expr.precedence() < precedence || is_phrase {
        format!("({})", words(expr))
    } else {
        words(expr)
    }
}

fn call(function: Function, arguments: &[Expr]) -> String {
    let part = |n: usize| arguments.get(n).map(words).unwrap_or_default();
    let operand = |n: usize| arguments.get(n).map(|e| inner(e, 9)).unwrap_or_default();
    match function {
        Function::If => match arguments.get(2) {
            Some(otherwise) => format!("{} when {}, else {}", part(1), part(0), words(otherwise)),
            None => format!("{} when {}", part(1), part(0)),
        },
        Function::Indicator => format!("1 when {}, else 0", part(0)),
        Function::Coalesce if arguments.get(1).and_then(Expr::number) == Some(0.0) => {
            format!("{}, 0 where it is absent", part(0))
        }
        Function::Coalesce => {
            arguments.iter().map(words).collect::<Vec<_>>().join(", or where that is absent ")
        }
        Function::Abs => format!("|{}|", part(0)),
        Function::Min => format!("the lower of {} and {}", part(0), part(1)),
        Function::Max => format!("the higher of {} and {}", part(0), part(1)),
        Function::Sqrt => format!("√({})", part(0)),
        Function::Ln => format!("ln({})", part(0)),
        Function::Exp => format!("e ^ ({})", part(0)),
        Function::Power => format!("{} ^ {}", operand(0), operand(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_rendered_in_plain_english() {
        for (formula, text) in [
            ("gross_profit / revenue", "gross profit ÷ revenue"),
            ("-dividends_paid - capital_expenditures", "−dividends paid − capital expenditures"),
            ("a / (b - d)", "a ÷ (b − d)"),
            ("a / (-b)", "a ÷ (−b)"),
            (
                "operating_income * (1 - income_tax_expense / income_before_tax)",
                "operating income × (1 − income tax expense ÷ income before tax)",
            ),
            ("close_price / close_21_ago - 1", "close price ÷ close 21 sessions before − 1"),
            ("sqrt(22.5 * a * b) / shares", "√(22.5 × a × b) ÷ shares"),
            ("coalesce(a, b + d) * 2", "(a, or where that is absent b + d) × 2"),
            ("a - coalesce(b, 0)", "a − (b, 0 where it is absent)"),
            ("if(a = 0, b, d)", "b when a is 0, else d"),
            ("if(a > 0 and not (b <= 0), b)", "b when a is above zero and not (b is zero or below)"),
            ("indicator(a > b) + 1", "(1 when a is above b, else 0) + 1"),
            ("a / year_ago.b - two_years_ago.d", "a ÷ b a year before − d two years before"),
            ("min(a, b) + 1", "(the lower of a and b) + 1"),
            ("power(a / b, 1 / 3) - 1", "(a ÷ b) ^ (1 ÷ 3) − 1"),
            ("enterprise_value / ttm.ebitda", "enterprise value ÷ TTM EBITDA"),
            ("close_price / fy.eps_diluted", "close price ÷ fiscal-year EPS diluted"),
            ("nopat / year_average_total_assets", "NOPAT ÷ mean total assets over the year"),
        ] {
            assert_eq!(words(&Expr::parse(formula).unwrap()), text, "{formula}");
        }
    }
}
