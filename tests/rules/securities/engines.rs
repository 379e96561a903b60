//! Moved securities have the same rows on both engines.

use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{FakeSnowflake, wait};

use super::{TODAY, YESTERDAY, day, days};
use crate::warehouse::{comparison, contract::set_up, multi_day::replicate};

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn moved_securities_are_the_same_on_both_engines() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let (days, database) = (days(), "securities");
    let mut warehouse = fake.warehouse(database);
    wait(set_up(&mut warehouse));
    wait(warehouse.close()).unwrap();
    for (run, on) in [(&days.first, YESTERDAY), (&days.second, TODAY), (&days.third, TODAY)] {
        replicate(&days.home, run, day(on), fake, database);
    }
    comparison::assert_same_tables(&days.home, fake, database);
}
