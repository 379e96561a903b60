-- grain: company_key x check_name x basis x fiscal_date: every check of the loaded data, and one score per company
create table if not exists ops.quality (
    company_key varchar, -- key of the company
    symbol varchar, -- ticker in FMP's spelling
    check_name varchar, -- identity (assets, ...), fmp_<metric> (against FMP's), suspicion, corrected_<item> or score
    basis varchar, -- Q1 to Q4, FY: the period's statements; TTM: twelve months; MARKET: a price date; COMPANY: score
    fiscal_date date, -- end of the period; the price date for basis MARKET; the newest period end for the score
    ours double, -- amount in the reported currency, or our metric; for the score, the share of checks passed, 0 to 1
    theirs double, -- other side of the identity, or FMP's figure, same unit; for the score, the number of checks made
    difference double, -- ours less theirs, exact to the last digit for amounts; NULL if not checked
    relative_difference double, -- difference as a fraction of |theirs|, 0.01 is 1 %; NULL if theirs is 0 or not checked
    status varchar, -- pass, flag (off by over 0.5 % and 1,000 units), not_checked or corrected; NULL for the score
    reason varchar, -- why it was not checked, the code of a suspicion, or the user's reason for a correction
    run_id varchar, -- run that wrote the row
    computed_at timestamp -- when the row was written, UTC
)
