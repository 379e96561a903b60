//! `findata models` prints the SQL that a run executes.

use findata_tests::{Home, findata};

#[test]
fn a_model_is_printed_as_it_is_executed() {
    let models =
        |arguments: &[&str]| findata(&[&["models"], arguments].concat()).home(&Home::new()).no_key().run();
    let list = models(&[]);
    assert!(list.stdout.lines().any(|line| line == "4_ratios/1_period_inputs.sql"), "{list:#?}");
    let sql = models(&["new_fact_financial_ratios_history"]).stdout;
    assert!(sql.starts_with("-- grain: ") && !sql.contains("{{") && !sql.contains("{%"), "{sql}");
    assert!(sql.contains("i.gross_profit / nullif(i.revenue, 0) end as gross_margin"), "{sql}");
    let json = models(&["period_inputs", "--json"]).json();
    assert_eq!(json[0]["file"], "4_ratios/1_period_inputs.sql");
    assert!(models(&["nothing"]).failed(2).contains("is not a model"));
}
