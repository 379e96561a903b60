//! Metrics, log fields, traces and notices.

mod exporter;
mod functions;
mod notices;
mod vocabulary;

use std::collections::BTreeMap;

use findata_tests::collector::Received;

/// Checks that spans are one trace in which request, plan, batches, load and analytics follow each other.
/// Returns the spans by name.
pub(crate) fn assert_one_trace(spans: &[Received], batches: usize) -> BTreeMap<&str, Vec<&Received>> {
    let mut by_name: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for span in spans {
        assert_eq!((span.trace.len(), span.id.len()), (32, 16), "{span:?}");
        assert_eq!(span.trace, spans[0].trace, "another trace: {span:?}");
        by_name.entry(&span.name).or_default().push(span);
    }
    let counts: Vec<_> = by_name.iter().map(|(name, spans)| (*name, spans.len())).collect();
    assert_eq!(counts, [("analytics", 1), ("batch", batches), ("load", 1), ("plan", 1), ("request", 1)]);
    let (request, plan) = (by_name["request"][0], by_name["plan"][0]);
    assert_eq!(plan.parent, request.id);
    assert!(by_name["batch"].iter().all(|batch| batch.parent == plan.id));
    let load = by_name["load"][0];
    assert!(
        by_name["batch"].iter().any(|batch| batch.id == load.parent),
        "load follows a batch: {load:?}"
    );
    assert_eq!(by_name["analytics"][0].parent, load.id);
    by_name
}
