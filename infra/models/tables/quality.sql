-- grain: company_key x check_name x basis x fiscal_date: every check of what was loaded, and one score a company
create table if not exists ops.quality (
    company_key varchar, -- key of the company
    symbol varchar, -- its ticker as FMP spells it
    check_name varchar, -- what is checked: an identity (gross_profit, assets and so on), fmp_ and a metric for ours against FMP's own, or score
    basis varchar, -- Q1 to Q4 or FY: the period's statements; TTM: twelve months; MARKET: a day's price; COMPANY: the score
    fiscal_date date, -- end of the period; the price date on basis MARKET; the newest period end for the score
    ours double, -- what stands under the name, in units of the reported currency, or our metric in its own unit; for the score the share of checks passed, 0 to 1
    theirs double, -- the other side of the identity, or FMP's figure, in the same unit; for the score the number of checks made
    difference double, -- ours less theirs, exact to the last digit for amounts; NULL where not checked
    relative_difference double, -- difference as a fraction of the size of theirs, 0.01 is 1 %; NULL where theirs is 0 or not checked
    status varchar, -- pass, flag (off by more than 0.5 % and, for amounts, 1000 units), or not_checked; NULL for the score
    reason varchar, -- why it was not checked, NULL where it was
    run_id varchar, -- the run that wrote the row
    computed_at timestamp -- when, UTC
)
