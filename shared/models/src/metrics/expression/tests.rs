//! Tests of the parsing, SQL and evaluation of formulas.

use super::Expr;

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
        (
            "indicator(a > b) + indicator(a < b)",
            Some(1.0),
            "case when a > b then 1.0::double when not (a > b) then 0.0::double end \
             + case when a < b then 1.0::double when not (a < b) then 0.0::double end",
        ),
        (
            "indicator(x > b)",
            None,
            "case when x > b then 1.0::double when not (x > b) then 0.0::double end",
        ),
        ("coalesce(x, b)", Some(4.0), "coalesce(x, b)"),
        (
            "max(a, b) + min(a, x)",
            None,
            "case when a >= b then a when a < b then b end + case when a <= x then a when a > x then x end",
        ),
        ("sqrt(ttm.c)", None, "sqrt(case when c >= 0 then c end)"),
        ("ln(b - 4)", None, "ln(case when b - 4::double > 0 then b - 4::double end)"),
        (
            "power(b, 0.5)",
            Some(2.0),
            "power(case when (0.5::double) * ln(case when b > 0 then b end) <= 700 then b end, 0.5::double)",
        ),
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
        ("if(a, b)", "must be a condition"),
        ("indicator(a)", "must be a condition"),
        ("if(a > 0, b > 0)", "must be a number"),
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
        ("abs(a, b)", "takes 1 argument,"),
        ("abs(a)(b)", "nothing else"),
        ("{fn abs(a)}", ""),
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
