//! The user's metrics over two days on both engines, with an entry that changes and one that is removed.

use chrono::Days;
use findata_fmp_simulator::Options;
use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{FakeSnowflake, Home, Job, Simulator, models_with, today, wait};

use super::{comparison, contract::set_up, multi_day::replicate_with};

const FIRST: &str = "
[[ratio]]
name = 'own_margin_change'
about = 'Change of the net margin.'
formula = 'net_income / revenue - year_ago.net_income / year_ago.revenue'
denominator = 'positive'

[[ratio]]
name = 'own_income'
about = 'Net income.'
formula = 'net_income'

[[metric]]
name = 'own_dividend_cover'
about = 'Net income of twelve months divided by the dividends on all shares.'
formula = 'ttm.net_income / (dividends_per_share * shares)'
denominator = 'positive'
";

#[test]
fn a_changed_file_gives_the_same_rows_on_both_engines() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let database = "custom_metrics";
    let mut warehouse = fake.warehouse(database);
    wait(set_up(&mut warehouse));
    wait(warehouse.close()).unwrap();
    let home = Home::new();
    let changed = FIRST.replace("'net_income'\n", "'2 * net_income'\n");
    let changed = changed.split("\n[[metric]]").next().unwrap();
    for (revision, file) in [(0_u32, FIRST), (1, changed)] {
        let day = today() + Days::new(revision.into());
        let server = Simulator::start(Options { symbols: 3, today: day, revision, ..Options::default() });
        let mut job = Job::new(server.url(), &["AAPL"])
            .days(10)
            .on(day)
            .with(|o| (o.quarters, o.index) = (9, None));
        job.models = models_with(file);
        let done = job.run_ok(&home);
        replicate_with(&home, &done, day, fake, database, job.models);
        comparison::assert_same_tables(&home, fake, database);
        let metrics =
            "select count(distinct metric) from analytics.fact_custom_metrics where value is not null";
        assert_eq!(home.count(metrics), if revision == 0 { 3 } else { 2 });
    }
}
