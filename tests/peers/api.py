"""What every peer asks FMP for: nine calls per symbol, the typed columns of their tables, the checks of an answer."""
import re
from datetime import date, timedelta

import orjson

QUARTERS = 8
STATEMENT = {
    "symbol": "VARCHAR", "date": "DATE", "period": "VARCHAR", "fiscalYear": "BIGINT", "reportedCurrency": "VARCHAR",
    "cik": "VARCHAR", "filingDate": "DATE", "acceptedDate": "TIMESTAMP",
}
EVENT = {"symbol": "VARCHAR", "date": "DATE"}


def numbers(names):
    return {name: "DOUBLE" for name in names.split()}


# Endpoint, key and columns of each table, named as FMP names them.
TABLES = {
    "profile": ("profile", ["symbol"], {
        "symbol": "VARCHAR", "companyName": "VARCHAR", "currency": "VARCHAR", "cik": "VARCHAR", "isin": "VARCHAR",
        "cusip": "VARCHAR", "exchange": "VARCHAR", "exchangeFullName": "VARCHAR", "sector": "VARCHAR",
        "industry": "VARCHAR", "country": "VARCHAR", "website": "VARCHAR", "ceo": "VARCHAR",
        "fullTimeEmployees": "VARCHAR", "ipoDate": "DATE", "isEtf": "BOOLEAN", "isFund": "BOOLEAN", "isAdr": "BOOLEAN",
        "isActivelyTrading": "BOOLEAN",
    } | numbers("price marketCap beta lastDividend change changePercentage volume averageVolume")),
    "income_statement": ("income-statement", ["symbol", "date", "period"], STATEMENT | numbers("""
        revenue costOfRevenue grossProfit researchAndDevelopmentExpenses
        generalAndAdministrativeExpenses sellingAndMarketingExpenses
        sellingGeneralAndAdministrativeExpenses otherExpenses operatingExpenses costAndExpenses
        netInterestIncome interestIncome interestExpense depreciationAndAmortization ebitda ebit
        nonOperatingIncomeExcludingInterest operatingIncome totalOtherIncomeExpensesNet
        incomeBeforeTax incomeTaxExpense netIncomeFromContinuingOperations
        netIncomeFromDiscontinuedOperations otherAdjustmentsToNetIncome netIncome
        netIncomeDeductions bottomLineNetIncome eps epsDiluted weightedAverageShsOut
        weightedAverageShsOutDil
    """)),
    "balance_sheet": ("balance-sheet-statement", ["symbol", "date", "period"], STATEMENT | numbers("""
        cashAndCashEquivalents shortTermInvestments cashAndShortTermInvestments netReceivables
        accountsReceivables otherReceivables inventory prepaids otherCurrentAssets
        totalCurrentAssets propertyPlantEquipmentNet goodwill intangibleAssets
        goodwillAndIntangibleAssets longTermInvestments taxAssets otherNonCurrentAssets
        totalNonCurrentAssets otherAssets totalAssets totalPayables accountPayables otherPayables
        accruedExpenses shortTermDebt capitalLeaseObligationsCurrent taxPayables deferredRevenue
        otherCurrentLiabilities totalCurrentLiabilities longTermDebt
        capitalLeaseObligationsNonCurrent deferredRevenueNonCurrent deferredTaxLiabilitiesNonCurrent
        otherNonCurrentLiabilities totalNonCurrentLiabilities otherLiabilities
        capitalLeaseObligations totalLiabilities treasuryStock preferredStock commonStock
        retainedEarnings additionalPaidInCapital accumulatedOtherComprehensiveIncomeLoss
        otherTotalStockholdersEquity totalStockholdersEquity totalEquity minorityInterest
        totalLiabilitiesAndTotalEquity totalInvestments totalDebt netDebt
    """)),
    "cash_flow": ("cash-flow-statement", ["symbol", "date", "period"], STATEMENT | numbers("""
        netIncome depreciationAndAmortization deferredIncomeTax stockBasedCompensation
        changeInWorkingCapital accountsReceivables inventory accountsPayables otherWorkingCapital
        otherNonCashItems netCashProvidedByOperatingActivities
        investmentsInPropertyPlantAndEquipment acquisitionsNet purchasesOfInvestments
        salesMaturitiesOfInvestments otherInvestingActivities netCashProvidedByInvestingActivities
        netDebtIssuance longTermNetDebtIssuance shortTermNetDebtIssuance netStockIssuance
        netCommonStockIssuance commonStockIssuance commonStockRepurchased netPreferredStockIssuance
        netDividendsPaid commonDividendsPaid preferredDividendsPaid otherFinancingActivities
        netCashProvidedByFinancingActivities effectOfForexChangesOnCash netChangeInCash
        cashAtEndOfPeriod cashAtBeginningOfPeriod operatingCashFlow capitalExpenditure freeCashFlow
        incomeTaxesPaid interestPaid
    """)),
    "dividends": ("dividends", ["symbol", "date"], EVENT | {
        "recordDate": "DATE", "paymentDate": "DATE", "declarationDate": "DATE", "frequency": "VARCHAR",
    } | numbers("adjDividend dividend yield")),
    "splits": ("splits", ["symbol", "date"], EVENT | {"splitType": "VARCHAR"} | numbers("numerator denominator")),
    "prices": ("historical-price-eod/full", ["symbol", "date"], EVENT | numbers("""
        open high low close volume change changePercent vwap
    """)),
    "market_caps": ("historical-market-capitalization", ["symbol", "date"], EVENT | numbers("marketCap")),
    "ratios_ttm": ("ratios-ttm", ["symbol"], {"symbol": "VARCHAR"} | numbers("""
        grossProfitMarginTTM ebitMarginTTM ebitdaMarginTTM operatingProfitMarginTTM
        pretaxProfitMarginTTM continuousOperationsProfitMarginTTM netProfitMarginTTM
        bottomLineProfitMarginTTM receivablesTurnoverTTM payablesTurnoverTTM inventoryTurnoverTTM
        fixedAssetTurnoverTTM assetTurnoverTTM currentRatioTTM quickRatioTTM solvencyRatioTTM
        cashRatioTTM priceToEarningsRatioTTM priceToEarningsGrowthRatioTTM
        forwardPriceToEarningsGrowthRatioTTM priceToEarningsDilutedRatioTTM
        priceToEarningsDilutedGrowthRatioTTM priceToBookRatioTTM priceToSalesRatioTTM
        priceToFreeCashFlowRatioTTM priceToOperatingCashFlowRatioTTM debtToAssetsRatioTTM
        debtToEquityRatioTTM debtToCapitalRatioTTM longTermDebtToCapitalRatioTTM
        financialLeverageRatioTTM workingCapitalTurnoverRatioTTM operatingCashFlowRatioTTM
        operatingCashFlowSalesRatioTTM freeCashFlowOperatingCashFlowRatioTTM
        debtServiceCoverageRatioTTM interestCoverageRatioTTM
        shortTermOperatingCashFlowCoverageRatioTTM operatingCashFlowCoverageRatioTTM
        capitalExpenditureCoverageRatioTTM dividendPaidAndCapexCoverageRatioTTM
        dividendPayoutRatioTTM dividendYieldTTM enterpriseValueTTM revenuePerShareTTM
        netIncomePerShareTTM interestDebtPerShareTTM cashPerShareTTM bookValuePerShareTTM
        tangibleBookValuePerShareTTM shareholdersEquityPerShareTTM operatingCashFlowPerShareTTM
        capexPerShareTTM freeCashFlowPerShareTTM netIncomePerEBTTTM ebtPerEbitTTM
        priceToFairValueTTM debtToMarketCapTTM effectiveTaxRateTTM enterpriseValueMultipleTTM
        dividendPerShareTTM
    """)),
}


def parameters(table, symbol, today, days):
    """The parameters of a call."""
    if table in ("prices", "market_caps"):
        first = date.fromisoformat(today) - timedelta(days=days - 1)
        return {"symbol": symbol, "from": first.isoformat(), "to": today}
    if table in ("income_statement", "balance_sheet", "cash_flow"):
        return {"symbol": symbol, "period": "quarter", "limit": QUARTERS}
    return {"symbol": symbol}


def rows(table, symbol, body):
    """The rows of an answer, without those of other symbols, without a date, or with an impossible price. Raises
    ValueError if the answer is not a list of rows."""
    answer = orjson.loads(body)
    if not isinstance(answer, list):
        raise ValueError(f"{table} of {symbol}: the answer is not a list: {body[:100]!r}")
    kept = [row for row in answer if row.get("symbol") == symbol]
    if "date" in TABLES[table][1]:
        kept = [row for row in kept if is_day(row.get("date"))]
    if table == "prices":
        kept = [row for row in kept if is_bar(row)]
    return kept


def is_day(text):
    try:
        date.fromisoformat(text)
    except (TypeError, ValueError):
        return False
    return True


def is_bar(row):
    prices = [row.get(name) for name in ("low", "high", "close")]
    return all(isinstance(price, (int, float)) and price > 0 for price in prices) and prices[0] <= prices[1]


def snake(name):
    """The name of a column, as dlt derives it: netIncomePerShareTTM becomes net_income_per_share_ttm."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", r"_\g<0>", name).lower()
