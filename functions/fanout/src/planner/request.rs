//! Determines which datasets and how many statements a request covers.

use findata_domain::{
    Error, Result,
    catalog::{self, CATALOG, Dataset, Requests},
};
use findata_pipeline::run::Options;

use super::rotation;
use crate::universe::indexes;

/// Returns the requested datasets. If the request names none, returns all that are planned by
/// default, in the catalog's order.
pub(super) fn datasets(options: &Options) -> Result<Vec<&'static Dataset>> {
    if options.datasets.is_empty() {
        // Some datasets are not planned here: lists and changes of indices are fetched with the universe,
        // `shares-float` follows a profile without market cap, and quotes are added for new bars.
        let is_planned =
            |d: &&Dataset| !matches!(d.requests, Requests::Market | Requests::Symbols) && !d.follow_up;
        return Ok(CATALOG.iter().filter(is_planned).collect());
    }
    let names: Vec<_> = CATALOG.iter().map(|d| d.name).collect();
    let unknown =
        |name: &str| Error::Reject(format!("unknown dataset {name:?}; available: {}", names.join(", ")));
    let mut found = Vec::new();
    for name in &options.datasets {
        let dataset = catalog::dataset(name).ok_or_else(|| unknown(name))?;
        let how_fetched = match dataset.requests {
            Requests::Market if indexes::can_be_requested(dataset) => continue,
            Requests::Market => Some(
                "it is fetched with --universe and the name of its index, or with the changes of the index",
            ),
            Requests::Symbols => Some("it is fetched together with prices if the FMP plan limits calls"),
            _ => None,
        };
        if let Some(how) = how_fetched {
            return Err(Error::Reject(format!("{name} cannot be requested by name: {how}")));
        }
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    for dataset in CATALOG.iter().filter(|d| options.reconcile && rotation::period_days(d).is_some()) {
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    let fetches_statements_only =
        !found.is_empty() && found.iter().all(|d| d.requests == Requests::Statement);
    if fetches_statements_only && options.years == 0 && options.quarters == 0 {
        return Err(Error::Reject("nothing to fetch: --years and --quarters are both 0".into()));
    }
    Ok(found)
}

/// Limits the number of statements to what the FMP plan includes. FMP would refuse a call for more
/// statements, or for quarterly statements if the plan has none.
pub(super) fn within_plan(options: &Options) -> Options {
    let mut options = options.clone();
    if let Some(most) = options.plan_limits.most_statements {
        options.years = options.years.min(most);
        options.quarters = options.quarters.min(most);
    }
    if !options.plan_limits.quarterly {
        options.quarters = 0;
    }
    options
}

/// Says where the FMP plan limits the requested statements, and why.
pub fn limits(options: &Options) -> Vec<String> {
    let allowed = within_plan(options);
    let mut notes = Vec::new();
    if allowed.quarters == 0 && options.quarters > 0 {
        notes.push(format!(
            "the FMP plan has no quarterly statements: 0 instead of {} quarters are fetched, and TTM figures are missing",
            options.quarters
        ));
    }
    let cadences = [
        ("quarters", options.quarters, allowed.quarters),
        ("fiscal years", options.years, allowed.years),
    ];
    for (name, wanted, allowed) in
        cadences.into_iter().filter(|(_, wanted, allowed)| (1..*wanted).contains(allowed))
    {
        notes.push(format!(
            "the FMP plan allows at most {allowed} statements per request: {allowed} instead of {wanted} {name}"
        ));
    }
    notes
}
