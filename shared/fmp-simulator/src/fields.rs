//! Field names of FMP's responses, in FMP's order. The lists are excluded from rustfmt, because it
//! would put each of the four hundred names on a line of its own.

/// Fields of `income-statement`.
#[rustfmt::skip]
pub(super) const INCOME: &[&str] = &[
    "date", "symbol", "reportedCurrency", "cik", "filingDate", "acceptedDate", "fiscalYear", "period", "revenue",
    "costOfRevenue", "grossProfit", "researchAndDevelopmentExpenses", "generalAndAdministrativeExpenses",
    "sellingAndMarketingExpenses", "sellingGeneralAndAdministrativeExpenses", "otherExpenses", "operatingExpenses",
    "costAndExpenses", "netInterestIncome", "interestIncome", "interestExpense", "depreciationAndAmortization",
    "ebitda", "ebit", "nonOperatingIncomeExcludingInterest", "operatingIncome", "totalOtherIncomeExpensesNet",
    "incomeBeforeTax", "incomeTaxExpense", "netIncomeFromContinuingOperations",
    "netIncomeFromDiscontinuedOperations", "otherAdjustmentsToNetIncome", "netIncome", "netIncomeDeductions",
    "bottomLineNetIncome", "eps", "epsDiluted", "weightedAverageShsOut", "weightedAverageShsOutDil",
];

/// Fields of `balance-sheet-statement`.
#[rustfmt::skip]
pub(super) const BALANCE: &[&str] = &[
    "date", "symbol", "reportedCurrency", "cik", "filingDate", "acceptedDate", "fiscalYear", "period",
    "cashAndCashEquivalents", "shortTermInvestments", "cashAndShortTermInvestments", "netReceivables",
    "accountsReceivables", "otherReceivables", "inventory", "prepaids", "otherCurrentAssets", "totalCurrentAssets",
    "propertyPlantEquipmentNet", "goodwill", "intangibleAssets", "goodwillAndIntangibleAssets",
    "longTermInvestments", "taxAssets", "otherNonCurrentAssets", "totalNonCurrentAssets", "otherAssets",
    "totalAssets", "totalPayables", "accountPayables", "otherPayables", "accruedExpenses", "shortTermDebt",
    "capitalLeaseObligationsCurrent", "taxPayables", "deferredRevenue", "otherCurrentLiabilities",
    "totalCurrentLiabilities", "longTermDebt", "capitalLeaseObligationsNonCurrent", "deferredRevenueNonCurrent",
    "deferredTaxLiabilitiesNonCurrent", "otherNonCurrentLiabilities", "totalNonCurrentLiabilities",
    "otherLiabilities", "capitalLeaseObligations", "totalLiabilities", "treasuryStock", "preferredStock",
    "commonStock", "retainedEarnings", "additionalPaidInCapital", "accumulatedOtherComprehensiveIncomeLoss",
    "otherTotalStockholdersEquity", "totalStockholdersEquity", "totalEquity", "minorityInterest",
    "totalLiabilitiesAndTotalEquity", "totalInvestments", "totalDebt", "netDebt",
];

/// Fields of `cash-flow-statement`.
#[rustfmt::skip]
pub(super) const CASH: &[&str] = &[
    "date", "symbol", "reportedCurrency", "cik", "filingDate", "acceptedDate", "fiscalYear", "period", "netIncome",
    "depreciationAndAmortization", "deferredIncomeTax", "stockBasedCompensation", "changeInWorkingCapital",
    "accountsReceivables", "inventory", "accountsPayables", "otherWorkingCapital", "otherNonCashItems",
    "netCashProvidedByOperatingActivities", "investmentsInPropertyPlantAndEquipment", "acquisitionsNet",
    "purchasesOfInvestments", "salesMaturitiesOfInvestments", "otherInvestingActivities",
    "netCashProvidedByInvestingActivities", "netDebtIssuance", "longTermNetDebtIssuance",
    "shortTermNetDebtIssuance", "netStockIssuance", "netCommonStockIssuance", "commonStockIssuance",
    "commonStockRepurchased", "netPreferredStockIssuance", "netDividendsPaid", "commonDividendsPaid",
    "preferredDividendsPaid", "otherFinancingActivities", "netCashProvidedByFinancingActivities",
    "effectOfForexChangesOnCash", "netChangeInCash", "cashAtEndOfPeriod", "cashAtBeginningOfPeriod",
    "operatingCashFlow", "capitalExpenditure", "freeCashFlow", "incomeTaxesPaid", "interestPaid",
];

/// Fields of `ratios-ttm`.
#[rustfmt::skip]
pub(super) const RATIOS_TTM: &[&str] = &[
    "symbol", "grossProfitMarginTTM", "ebitMarginTTM", "ebitdaMarginTTM", "operatingProfitMarginTTM",
    "pretaxProfitMarginTTM", "continuousOperationsProfitMarginTTM", "netProfitMarginTTM",
    "bottomLineProfitMarginTTM", "receivablesTurnoverTTM", "payablesTurnoverTTM", "inventoryTurnoverTTM",
    "fixedAssetTurnoverTTM", "assetTurnoverTTM", "currentRatioTTM", "quickRatioTTM", "solvencyRatioTTM",
    "cashRatioTTM", "priceToEarningsRatioTTM", "priceToEarningsGrowthRatioTTM",
    "forwardPriceToEarningsGrowthRatioTTM", "priceToEarningsDilutedRatioTTM",
    "priceToEarningsDilutedGrowthRatioTTM", "priceToBookRatioTTM", "priceToSalesRatioTTM",
    "priceToFreeCashFlowRatioTTM", "priceToOperatingCashFlowRatioTTM", "debtToAssetsRatioTTM",
    "debtToEquityRatioTTM", "debtToCapitalRatioTTM", "longTermDebtToCapitalRatioTTM", "financialLeverageRatioTTM",
    "workingCapitalTurnoverRatioTTM", "operatingCashFlowRatioTTM", "operatingCashFlowSalesRatioTTM",
    "freeCashFlowOperatingCashFlowRatioTTM", "debtServiceCoverageRatioTTM", "interestCoverageRatioTTM",
    "shortTermOperatingCashFlowCoverageRatioTTM", "operatingCashFlowCoverageRatioTTM",
    "capitalExpenditureCoverageRatioTTM", "dividendPaidAndCapexCoverageRatioTTM", "dividendPayoutRatioTTM",
    "dividendYieldTTM", "enterpriseValueTTM", "revenuePerShareTTM", "netIncomePerShareTTM",
    "interestDebtPerShareTTM", "cashPerShareTTM", "bookValuePerShareTTM", "tangibleBookValuePerShareTTM",
    "shareholdersEquityPerShareTTM", "operatingCashFlowPerShareTTM", "capexPerShareTTM", "freeCashFlowPerShareTTM",
    "netIncomePerEBTTTM", "ebtPerEbitTTM", "priceToFairValueTTM", "debtToMarketCapTTM", "effectiveTaxRateTTM",
    "enterpriseValueMultipleTTM", "dividendPerShareTTM",
];

/// Fields of `key-metrics-ttm`.
#[rustfmt::skip]
pub(super) const KEY_METRICS_TTM: &[&str] = &[
    "symbol", "marketCap", "enterpriseValueTTM", "evToSalesTTM", "evToOperatingCashFlowTTM", "evToFreeCashFlowTTM",
    "evToEBITDATTM", "netDebtToEBITDATTM", "currentRatioTTM", "incomeQualityTTM", "grahamNumberTTM",
    "grahamNetNetTTM", "taxBurdenTTM", "interestBurdenTTM", "workingCapitalTTM", "investedCapitalTTM",
    "returnOnAssetsTTM", "operatingReturnOnAssetsTTM", "returnOnTangibleAssetsTTM", "returnOnEquityTTM",
    "returnOnInvestedCapitalTTM", "returnOnCapitalEmployedTTM", "earningsYieldTTM", "freeCashFlowYieldTTM",
    "capexToOperatingCashFlowTTM", "capexToDepreciationTTM", "capexToRevenueTTM",
    "salesGeneralAndAdministrativeToRevenueTTM", "researchAndDevelopementToRevenueTTM",
    "stockBasedCompensationToRevenueTTM", "intangiblesToTotalAssetsTTM", "averageReceivablesTTM",
    "averagePayablesTTM", "averageInventoryTTM", "daysOfSalesOutstandingTTM", "daysOfPayablesOutstandingTTM",
    "daysOfInventoryOutstandingTTM", "operatingCycleTTM", "cashConversionCycleTTM", "freeCashFlowToEquityTTM",
    "freeCashFlowToFirmTTM", "tangibleAssetValueTTM", "netCurrentAssetValueTTM",
];

/// Fields of `profile`.
#[rustfmt::skip]
pub(super) const PROFILE: &[&str] = &[
    "symbol", "price", "marketCap", "beta", "lastDividend", "range", "change", "changePercentage", "volume",
    "averageVolume", "companyName", "currency", "cik", "isin", "cusip", "exchangeFullName", "exchange", "industry",
    "website", "description", "ceo", "sector", "country", "fullTimeEmployees", "phone", "address", "city", "state",
    "zip", "image", "ipoDate", "defaultImage", "isEtf", "isActivelyTrading", "isAdr", "isFund",
];

/// Fields of `quote` and `batch-quote`.
#[rustfmt::skip]
pub(super) const QUOTE: &[&str] = &[
    "symbol", "name", "price", "changePercentage", "change", "volume", "dayLow", "dayHigh", "yearHigh", "yearLow",
    "marketCap", "priceAvg50", "priceAvg200", "exchange", "open", "previousClose", "timestamp",
];

/// Fields of `dividends`.
#[rustfmt::skip]
pub(super) const DIVIDENDS: &[&str] = &[
    "symbol", "date", "recordDate", "paymentDate", "declarationDate", "adjDividend", "dividend", "yield",
    "frequency",
];

/// Fields of `earnings-calendar`.
#[rustfmt::skip]
pub(super) const EARNINGS: &[&str] = &[
    "symbol", "date", "epsActual", "epsEstimated", "revenueActual", "revenueEstimated", "lastUpdated",
];

/// Fields of `historical-price-eod/full`.
#[rustfmt::skip]
pub(super) const PRICES: &[&str] = &[
    "symbol", "date", "open", "high", "low", "close", "volume", "change", "changePercent", "vwap",
];

/// Fields of `historical-price-eod/dividend-adjusted` and `/non-split-adjusted`.
#[rustfmt::skip]
pub(super) const ADJUSTED: &[&str] = &[
    "symbol", "date", "adjOpen", "adjHigh", "adjLow", "adjClose", "volume",
];

/// Fields of `shares-float`.
#[rustfmt::skip]
pub(super) const SHARES_FLOAT: &[&str] = &[
    "symbol", "date", "freeFloat", "floatShares", "outstandingShares", "source",
];

/// Fields of `symbol-change`.
#[rustfmt::skip]
pub(super) const SYMBOL_CHANGE: &[&str] = &[
    "date", "companyName", "oldSymbol", "newSymbol",
];

/// Fields of `sp500-constituent`, `nasdaq-constituent` and `dowjones-constituent`.
#[rustfmt::skip]
pub(super) const CONSTITUENT: &[&str] = &[
    "symbol", "name", "sector", "subSector", "headQuarter", "dateFirstAdded", "cik", "founded",
];

/// Fields of `historical-sp500-constituent`.
#[rustfmt::skip]
pub(super) const INDEX_CHANGE: &[&str] = &[
    "dateAdded", "addedSecurity", "removedTicker", "removedSecurity", "date", "symbol", "reason",
];

/// Fields of `historical-price-eod/light`.
#[rustfmt::skip]
pub(super) const PRICES_LIGHT: &[&str] = &[
    "symbol", "date", "price", "volume",
];

/// Fields of `batch-quote-short`.
#[rustfmt::skip]
pub(super) const QUOTE_SHORT: &[&str] = &[
    "symbol", "price", "change", "volume",
];

/// Fields of `market-capitalization-batch`.
#[rustfmt::skip]
pub(super) const MARKET_CAP: &[&str] = &[
    "symbol", "date", "marketCap",
];

/// Fields of `splits`.
#[rustfmt::skip]
pub(super) const SPLITS: &[&str] = &[
    "symbol", "date", "numerator", "denominator", "splitType",
];

/// Fields of `latest-financial-statements`.
#[rustfmt::skip]
pub(super) const LATEST: &[&str] = &[
    "symbol", "calendarYear", "period", "date", "dateAdded",
];

/// Fields of `stock-list`.
#[rustfmt::skip]
pub(super) const STOCK_LIST: &[&str] = &[
    "symbol", "companyName",
];

/// Fields of `delisted-companies`.
#[rustfmt::skip]
pub(super) const DELISTED: &[&str] = &[
    "symbol", "companyName", "exchange", "ipoDate", "delistedDate",
];

/// Fields of `eod-bulk`. Their order differs from that of the JSON responses.
#[rustfmt::skip]
pub(super) const EOD_BULK: &[&str] = &[
    "symbol", "date", "open", "low", "high", "close", "adjClose", "volume",
];
