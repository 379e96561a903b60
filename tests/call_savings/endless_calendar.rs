//! An earnings calendar whose pages never end and whose dates are impossible.

use chrono::Days;
use findata_fmp::{FmpPlan, SourceKind};
use findata_tests::{Home, Job, Replay, today};

#[test]
fn an_endless_calendar_with_impossible_days_is_given_up() {
    let symbols: Vec<String> = (0..25).map(|n| format!("S{n}")).collect();
    let row = |n: usize| {
        let day = ["+262142-12-31", "-262143-01-01", "2026-09-17"][n % 3];
        format!(r#"{{"symbol":"S{}","date":"{day}","epsActual":1,"revenueActual":2}}"#, n % 25)
    };
    let page: Vec<String> = (0..4_000).map(row).collect();
    let server = Replay::new()
        .override_endpoint("latest-financial-statements", 402, "Restricted Endpoint")
        .override_endpoint("earnings-calendar", 200, &format!("[{}]", page.join(",")))
        .start();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let job = Job::new(server.url(), &symbols).with(|options| {
        options.plan_limits = FmpPlan::Premium.plan_limits(SourceKind::Other);
        (options.datasets, options.skip_analytics) = (vec!["income_statement".into()], true);
    });
    // The first run starts to track the symbols. The second run reads the calendar for changes.
    job.run_ok(&home);
    job.clone().on(today() + Days::new(1)).run_ok(&home);
    let pages = server.calls().iter().filter(|call| call.contains("earnings-calendar")).count();
    assert_eq!(pages, 50);
}
