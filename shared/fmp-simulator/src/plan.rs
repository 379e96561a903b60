//! The endpoints, each with the plan that it requires, and the texts of FMP's rejections.

use clap::ValueEnum;

/// An FMP plan (subscription).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Plan {
    /// 250 calls a day, 87 symbols, and five annual rows per request.
    Free,
    /// Annual statements of all symbols, lists and calendars.
    Starter,
    /// Everything in Starter, quarterly statements, batch quotes and index members.
    Premium,
    /// All endpoints, including bulk files and FMP's trailing-twelve-month statements.
    #[default]
    Ultimate,
}

/// The supported endpoints, each with the smallest plan that includes it.
pub(super) const ENDPOINTS: &[(&str, Plan)] = &[
    ("profile", Plan::Free),
    ("historical-price-eod/full", Plan::Free),
    ("historical-price-eod/light", Plan::Free),
    ("historical-price-eod/dividend-adjusted", Plan::Free),
    ("historical-price-eod/non-split-adjusted", Plan::Free),
    ("quote", Plan::Free),
    ("income-statement", Plan::Free),
    ("balance-sheet-statement", Plan::Free),
    ("cash-flow-statement", Plan::Free),
    ("ratios-ttm", Plan::Free),
    ("key-metrics-ttm", Plan::Free),
    ("market-capitalization-batch", Plan::Free),
    ("historical-market-capitalization", Plan::Premium),
    ("shares-float", Plan::Free),
    ("shares-float-all", Plan::Free),
    ("dividends", Plan::Free),
    ("splits", Plan::Free),
    ("delisted-companies", Plan::Free),
    ("stock-list", Plan::Starter),
    ("symbol-change", Plan::Starter),
    ("earnings-calendar", Plan::Starter),
    ("dividends-calendar", Plan::Starter),
    ("splits-calendar", Plan::Starter),
    ("batch-quote", Plan::Premium),
    ("batch-quote-short", Plan::Premium),
    ("sp500-constituent", Plan::Premium),
    ("nasdaq-constituent", Plan::Premium),
    ("dowjones-constituent", Plan::Premium),
    ("historical-sp500-constituent", Plan::Premium),
    ("historical-nasdaq-constituent", Plan::Premium),
    ("historical-dowjones-constituent", Plan::Premium),
    ("latest-financial-statements", Plan::Ultimate),
    ("income-statement-ttm", Plan::Ultimate),
    ("balance-sheet-statement-ttm", Plan::Ultimate),
    ("cash-flow-statement-ttm", Plan::Ultimate),
    ("income-statement-bulk", Plan::Ultimate),
    ("balance-sheet-statement-bulk", Plan::Ultimate),
    ("cash-flow-statement-bulk", Plan::Ultimate),
    ("profile-bulk", Plan::Ultimate),
    ("eod-bulk", Plan::Ultimate),
];

/// Number of symbols that the free plan covers, from the start of the universe.
pub(super) const FREE_SYMBOLS: usize = 87;
/// Calls a day on the free plan.
pub(super) const FREE_CALLS: u64 = 250;

pub(super) const INVALID_KEY: &str = r#"{"Error Message":"Invalid API KEY. Feel free to create a Free API Key or visit https://site.financialmodelingprep.com/faqs?search=why-is-my-api-key-invalid for more information."}"#;
pub(super) const LIMIT_REACH: &str = r#"{"Error Message":"Limit Reach . Please upgrade your plan or visit our documentation for more details at https://site.financialmodelingprep.com/"}"#;
/// The rejection of a bulk call that comes too soon after another, sent with status 200. FMP's
/// exact text is known only at its beginning and end.
pub(super) const BULK_TOO_SOON: &str = r#"{"Error Message": "Limit Reach. Bulk files may be asked for now and then; frequent abuse on this API Endpoint may result in restrictions placed on this API Key"}"#;
pub(super) const BANDWIDTH: &str = r#"{
  "Error Message": "Bandwidth Limit Reach . Please upgrade your plan or visit our documentation for more details at https://site.financialmodelingprep.com/"
}"#;
pub(super) const LEGACY: &str = r#"{"Error Message":"Legacy Endpoint : Due to Legacy endpoints being no longer supported - This endpoint is only available for legacy users who have valid subscriptions prior August 31, 2025. Please visit our documentation page https://site.financialmodelingprep.com/developer/docs for our current APIs"}"#;
pub(super) const SUSPENDED: &str = r#"{
  "Error Message": "Account suspended. Please contact info@financialmodelingprep.com more details."
}"#;
pub(super) const RESTRICTED: &str = "Restricted Endpoint: This endpoint is not available under your current subscription please visit our subscription page to upgrade your plan at https://financialmodelingprep.com/";
pub(super) const LIMIT_OVER_FIVE: &str = "Premium Query Parameter: 'Special Parameters : The values for 'limit' must be between 0 and 5 under your current subscription please visit our subscription page to upgrade your plan at https://site.financialmodelingprep.com/developer/docs/pricing";
pub(super) const PAGE_CAP: &str =
    "Maxmium Query Parameter: The maximum page number for this endpoint is '100'";

/// The text of the rejection of a parameter value that the plan does not include.
pub(super) fn special(parameter: &str) -> String {
    format!(
        "Premium Query Parameter: 'Special Endpoint : This value set for '{parameter}' is not available under your \
         current subscription please visit our subscription page to upgrade your plan at \
         https://site.financialmodelingprep.com/developer/docs/pricing"
    )
}

/// The text of the rejection of a missing or invalid parameter.
pub(super) fn invalid(parameter: &str) -> String {
    format!("Query Error: Invalid or missing query parameter - {parameter}")
}

/// Index of an endpoint in [`ENDPOINTS`].
pub(super) fn endpoint(path: &str) -> Option<usize> {
    ENDPOINTS.iter().position(|(name, _)| *name == path)
}
