//! A new ratio needs nothing but an entry in the registry. With the entry it has a column with
//! values, reasons for its NULLs, a line in the dictionary, and explanations.

use findata_explain::{Facts, answer, ask::Question, dictionary};
use findata_models::{
    Models,
    metrics::{Files, Registry},
};
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};

use super::generated::{Company, date, today};

const RATIO: &str = r#"
[[ratio]]
name = "inventory_share"
about = "Share of assets that is inventory."
formula = "inventory / year_average_total_assets"
aliases = ["inventory/assets"]
"#;

#[test]
fn a_ratio_is_added_by_an_entry_in_the_registry() {
    let mut files = Files::built_in();
    files.ratios.push_str(RATIO);
    let models: &'static Models = Box::leak(Box::new(Models::of(Registry::parse(&files).unwrap()).unwrap()));
    let company = Company::new("ONE", 31, 9, 5);
    let (server, home) = (company.answer(Replay::new()).start(), Home::new());
    let mut job = Job::new(server.url(), &["ONE"])
        .on(today())
        .with(|o| (o.quarters, o.years, o.prices_from, o.index) = (40, 10, Some(date(2026, 8, 1)), None));
    job.models = models;
    assert_eq!(job.run_ok(&home).status, Status::Complete);

    // The column has values, and a reason where there is no balance sheet of the year before.
    let years = "select r.fiscal_date, r.inventory_share, \
                 (f.inventory / ((f.total_assets + b.total_assets) * 0.5))::double, n.reason \
                 from analytics.fact_financial_ratios r \
                 join analytics.fact_financials f \
                     on f.fiscal_date = r.fiscal_date and f.period_type = 'FY' \
                 left join analytics.fact_financials b \
                     on b.fiscal_date = r.fiscal_date - interval 1 year and b.period_type = 'FY' \
                 left join analytics.metric_nulls n \
                     on n.subject_date = r.fiscal_date and n.basis = 'FY' and n.metric = 'inventory_share' \
                 where r.basis = 'FY' order by 1";
    let rows = home.rows(years);
    assert!(rows.len() > 1, "{rows:?}");
    assert_eq!(rows[0][1..], [None, None, Some("insufficient_history".into())], "{rows:?}");
    for row in &rows[1..] {
        let number = |column: usize| row[column].as_ref().unwrap().parse::<f64>().unwrap();
        assert!((number(1) - number(2)).abs() <= 1e-12 * number(1) && row[3].is_none(), "{row:?}");
    }

    let about = |models: &Models| {
        let tables = dictionary::tables(models);
        let ratios = tables.into_iter().find(|table| table.name == "fact_financial_ratios").unwrap();
        let column = ratios.columns.into_iter().find(|column| column.name == "inventory_share");
        column.map(|column| (column.unit, column.about))
    };
    assert_eq!(
        about(models),
        Some((
            Some("ratio".into()),
            "Share of assets that is inventory. Formula: inventory ÷ mean total assets over the year; only when mean total \
             assets over the year is above zero, and the period a year before (of a single period, the one before) is available. Aliases: \
             inventory/assets."
                .into()
        ))
    );
    assert_eq!(about(findata_tests::models()), None);

    let connection = home.open();
    let facts = Facts::read(&connection, &"ONE".parse().unwrap(), None, models).unwrap();
    let explain = |basis: &str, day: Option<&str>| {
        let question = Question {
            symbol: "ONE".parse().unwrap(),
            metric: "Inventory/Assets".into(),
            date: day.map(|day| day.parse().unwrap()),
            basis: Some(basis.parse().unwrap()),
        };
        answer(&facts, &question).unwrap().figure
    };
    let figure = explain("TTM", None);
    assert_eq!(
        (figure.expression.unwrap().to_string(), figure.mismatch),
        ("inventory / year_average_total_assets".into(), None)
    );
    let mean = &figure.inputs[1];
    assert_eq!(
        (mean.column.as_deref(), mean.expression.as_ref().unwrap().to_string()),
        (
            Some("average_total_assets_year"),
            "(total_assets + total_assets_year_before) * 0.5".into()
        )
    );
    assert!(mean.inputs.iter().all(|input| input.source.is_some()), "{mean:#?}");
    let first = explain("FY", rows[1][0].as_deref());
    assert_eq!((first.value, first.reason.unwrap().word.as_str()), (None, "insufficient_history"));
}
