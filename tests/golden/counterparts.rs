//! Lists which of our figures corresponds to which FMP field. A figure or field that is in no list
//! fails a test, and the message names it.

/// Columns of `fact_financial_ratios` (basis TTM), and the FMP fields that they must equal within
/// the tolerance.
pub(super) const RATIOS: &[(&str, &[&str])] = &[
    ("gross_margin", &["grossProfitMarginTTM"]),
    ("operating_margin", &["operatingProfitMarginTTM"]),
    ("pretax_margin", &["pretaxProfitMarginTTM"]),
    ("continuous_operations_margin", &["continuousOperationsProfitMarginTTM"]),
    ("net_margin", &["netProfitMarginTTM"]),
    ("bottom_line_margin", &["bottomLineProfitMarginTTM"]),
    ("ocf_to_sales", &["operatingCashFlowSalesRatioTTM"]),
    ("capex_to_revenue", &["capexToRevenueTTM"]),
    ("research_and_development_to_revenue", &["researchAndDevelopementToRevenueTTM"]),
    ("stock_based_compensation_to_revenue", &["stockBasedCompensationToRevenueTTM"]),
    ("roe", &["returnOnEquityTTM"]),
    ("roa", &["returnOnAssetsTTM"]),
    ("return_on_tangible_assets", &["returnOnTangibleAssetsTTM"]),
    ("roic", &["returnOnInvestedCapitalTTM"]),
    ("roce", &["returnOnCapitalEmployedTTM"]),
    ("operating_return_on_assets", &["operatingReturnOnAssetsTTM"]),
    ("asset_turnover", &["assetTurnoverTTM"]),
    ("fixed_asset_turnover", &["fixedAssetTurnoverTTM"]),
    ("receivables_turnover", &["receivablesTurnoverTTM"]),
    ("inventory_turnover", &["inventoryTurnoverTTM"]),
    ("payables_turnover", &["payablesTurnoverTTM"]),
    ("working_capital_turnover", &["workingCapitalTurnoverRatioTTM"]),
    ("days_sales_outstanding", &["daysOfSalesOutstandingTTM"]),
    ("days_inventory", &["daysOfInventoryOutstandingTTM"]),
    ("days_payables", &["daysOfPayablesOutstandingTTM"]),
    ("operating_cycle", &["operatingCycleTTM"]),
    ("cash_conversion_cycle", &["cashConversionCycleTTM"]),
    ("current_ratio", &["currentRatioTTM"]),
    ("quick_ratio", &["quickRatioTTM"]),
    ("cash_ratio", &["cashRatioTTM"]),
    ("operating_cash_flow_ratio", &["operatingCashFlowRatioTTM"]),
    ("working_capital", &["workingCapitalTTM"]),
    ("net_current_asset_value", &["netCurrentAssetValueTTM"]),
    ("graham_net_net", &["grahamNetNetTTM"]),
    ("average_receivables", &["averageReceivablesTTM"]),
    ("average_payables", &["averagePayablesTTM"]),
    ("average_inventory", &["averageInventoryTTM"]),
    ("debt_to_equity", &["debtToEquityRatioTTM"]),
    ("debt_to_assets", &["debtToAssetsRatioTTM"]),
    ("debt_to_capital", &["debtToCapitalRatioTTM"]),
    ("long_term_debt_to_capital", &["longTermDebtToCapitalRatioTTM"]),
    ("financial_leverage", &["financialLeverageRatioTTM"]),
    ("ocf_to_short_term_debt", &["shortTermOperatingCashFlowCoverageRatioTTM"]),
    ("ocf_to_total_debt", &["operatingCashFlowCoverageRatioTTM"]),
    ("capex_coverage", &["capitalExpenditureCoverageRatioTTM"]),
    ("dividend_and_capex_coverage", &["dividendPaidAndCapexCoverageRatioTTM"]),
    ("fcf_to_ocf", &["freeCashFlowOperatingCashFlowRatioTTM"]),
    ("capex_to_ocf", &["capexToOperatingCashFlowTTM"]),
    ("capex_to_depreciation", &["capexToDepreciationTTM"]),
    ("income_quality", &["incomeQualityTTM"]),
    ("payout_ratio", &["dividendPayoutRatioTTM"]),
    ("effective_tax_rate", &["effectiveTaxRateTTM"]),
    ("tax_burden", &["taxBurdenTTM", "netIncomePerEBTTTM"]),
    // FMP's `ebtPerEbit` divides by operating income, its `interestBurden` by EBIT.
    ("ebt_to_operating_income", &["ebtPerEbitTTM"]),
    ("revenue_per_share", &["revenuePerShareTTM"]),
    ("net_income_per_share", &["netIncomePerShareTTM"]),
    ("ocf_per_share", &["operatingCashFlowPerShareTTM"]),
    ("fcf_per_share", &["freeCashFlowPerShareTTM"]),
    ("capex_per_share", &["capexPerShareTTM"]),
    ("cash_per_share", &["cashPerShareTTM"]),
    ("book_value_per_share", &["bookValuePerShareTTM", "shareholdersEquityPerShareTTM"]),
    ("tangible_book_value_per_share", &["tangibleBookValuePerShareTTM"]),
    ("interest_debt_per_share", &["interestDebtPerShareTTM"]),
    ("graham_number", &["grahamNumberTTM"]),
    ("invested_capital", &["investedCapitalTTM"]),
    ("tangible_asset_value", &["tangibleAssetValueTTM"]),
    ("intangibles_to_assets", &["intangiblesToTotalAssetsTTM"]),
];

/// Columns of `fact_market_metrics`, and the FMP fields that they must equal within the tolerance.
pub(super) const MARKET: &[(&str, &[&str])] = &[
    ("market_cap", &["marketCap"]),
    ("enterprise_value_fmp", &["enterpriseValueTTM"]),
    ("pb_ratio", &["priceToBookRatioTTM", "priceToFairValueTTM"]),
    ("ps_ratio_ttm", &["priceToSalesRatioTTM"]),
    ("p_to_fcf_ttm", &["priceToFreeCashFlowRatioTTM"]),
    ("p_to_ocf_ttm", &["priceToOperatingCashFlowRatioTTM"]),
    ("ev_to_revenue_ttm_fmp", &["evToSalesTTM"]),
    ("ev_to_fcf_fmp", &["evToFreeCashFlowTTM"]),
    ("ev_to_ocf_fmp", &["evToOperatingCashFlowTTM"]),
    ("debt_to_market_cap", &["debtToMarketCapTTM"]),
    ("fcf_yield", &["freeCashFlowYieldTTM"]),
    ("earnings_yield", &["earningsYieldTTM"]),
    ("dividends_per_share_ttm", &["dividendPerShareTTM"]),
    ("payout_ratio", &["dividendPayoutRatioTTM"]),
];

const EBITDA: &str =
    "different vintage: FMP's EBITDA of the day is not the sum of the four quarters it reports";
const EBIT: &str = "different vintage: FMP's EBIT of the day is not the sum of the four quarters it reports";
const DEPRECIATION: &str = "different vintage: FMP used another D&A for one quarter";

/// Table, column, FMP fields and reason of figures that differ from FMP's. Each must really differ
/// and equal the value that `apple::expected` computes.
pub(super) const EXCEPTIONS: &[(&str, &str, &[&str], &str)] = &[
    ("ratios", "ebitda_margin", &["ebitdaMarginTTM"], EBITDA),
    ("ratios", "ebit_margin", &["ebitMarginTTM"], EBIT),
    ("ratios", "interest_burden", &["interestBurdenTTM"], EBIT),
    ("ratios", "net_debt_to_ebitda", &["netDebtToEBITDATTM"], EBITDA),
    ("ratios", "debt_service_coverage", &["debtServiceCoverageRatioTTM"], EBITDA),
    ("market", "ev_to_ebitda_fmp", &["evToEBITDATTM", "enterpriseValueMultipleTTM"], EBITDA),
    ("ratios", "solvency_ratio", &["solvencyRatioTTM"], DEPRECIATION),
    (
        "ratios",
        "selling_general_and_administrative_to_revenue",
        &["salesGeneralAndAdministrativeToRevenueTTM"],
        "FMP divided the general and administrative line alone, which Apple does not report",
    ),
    (
        "ratios",
        "interest_coverage",
        &["interestCoverageRatioTTM"],
        "an expense of 0 means `not reported` at FMP: NULL, not 0",
    ),
    (
        "ratios",
        "free_cash_flow_to_equity",
        &["freeCashFlowToEquityTTM"],
        "FMP changed its definition in 2026; ours is the new definition",
    ),
    (
        "ratios",
        "free_cash_flow_to_firm",
        &["freeCashFlowToFirmTTM"],
        "FMP changed its definition in 2026; ours is the new definition",
    ),
    (
        "market",
        "pe_ratio_ttm",
        &["priceToEarningsRatioTTM"],
        "divided by the sum of four diluted EPS, as is usual",
    ),
    (
        "market",
        "peg_ratio",
        &["priceToEarningsGrowthRatioTTM"],
        "four quarters are not enough for the growth of twelve months: NULL",
    ),
    ("market", "dividend_yield", &["dividendYieldTTM"], "FMP rounds to six digits"),
];

/// FMP fields without a figure of ours, and the reason.
pub(super) const FMPS_ALONE: &[(&str, &str)] = &[
    ("symbol", "not a figure"),
    ("forwardPriceToEarningsGrowthRatioTTM", "needs analysts' estimates"),
];
