//! Tests of conditions.

use super::*;

struct Known;

impl Names for Known {
    fn text(&self, name: &str) -> Option<String> {
        (name == "sector").then(|| "c.sector".into())
    }

    fn figure(&self, name: &str) -> Result<(String, String), String> {
        match name {
            "roic" | "Return on capital" => Ok(("ratios".into(), "roic".into())),
            "ev_to_ebit" => Ok(("market".into(), "ev_to_ebit".into())),
            _ => Err(format!("unknown figure {name:?}")),
        }
    }
}

fn sql(text: &str) -> Result<String, String> {
    let condition = Condition::parse(text, &Known).map_err(|e| e.to_string())?;
    Ok(condition.sql(&|name| format!("<{name}>")))
}

#[test]
fn conditions_become_sql() {
    for (text, expected) in [
        (
            "ev_to_ebit < 12 and roic > 0.15",
            "((<market.ev_to_ebit> < 12::double) and (<ratios.roic> > 0.15::double))",
        ),
        (
            "not (roic > 0 or roic is null)",
            "(not ((<ratios.roic> > 0::double) or ((<ratios.roic>) is null)))",
        ),
        ("\"Return on capital\" >= -1", "(<ratios.roic> >= -1::double)"),
        (
            "roic between 0.1 and 0.2",
            "((<ratios.roic> >= 0.1::double) and (<ratios.roic> <= 0.2::double))",
        ),
        ("sector = 'Tech''s'", "(lower(c.sector) in ('tech''s'))"),
        ("sector not in ('A', 'b')", "(not (lower(c.sector) in ('a', 'b')))"),
        (
            "sector <> 'A' or sector like '%x'",
            "((not (lower(c.sector) in ('a'))) or (lower(c.sector) like '%x'))",
        ),
        ("sector is not null", "(not (c.sector is null))"),
        (
            "abs(roic) / ev_to_ebit > 1",
            "(abs(<ratios.roic>) / nullif(<market.ev_to_ebit>, 0) > 1::double)",
        ),
    ] {
        assert_eq!(sql(text).as_deref(), Ok(expected), "{text}");
    }
    let condition = Condition::parse("roic > 0 or ev_to_ebit < roic", &Known).unwrap();
    assert_eq!(condition.figures(), ["ratios.roic", "market.ev_to_ebit"]);
}

#[test]
fn everything_else_is_refused() {
    for (text, message) in [
        ("roic", "is a number, not a condition"),
        ("nothing > 1", "unknown figure"),
        ("roic > 1; drop table x", "Expected: EOF"),
        ("roic > (select 1)", "is not allowed"),
        ("sector = roic", "single quotes"),
        ("sector > 1", "sector is a text"),
        ("roic = 'x'", "is not a number"),
        ("roic > 1 and 2", "is a number, not a condition"),
        ("exp(roic, 1) > 1", "exp takes 1 argument"),
        ("", "Expected"),
    ] {
        let error = sql(text).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
    let long = format!("roic > {}", "1".repeat(3_000));
    assert!(sql(&long).unwrap_err().contains("longer than"));
    let deep = format!("{}roic > 1{}", "(".repeat(500), ")".repeat(500));
    assert!(sql(&deep).is_err());
}
