-- grain: company_key x fiscal_date x period_type (Q1..Q4, FY) x known_from; EPS and share counts as reported;
-- analytics.fact_financials has what is known now (known_to is null)
create table if not exists analytics.fact_financials_history (
    company_key varchar,
    symbol varchar,
    fiscal_date date,
    fiscal_date_key bigint,
    period_type varchar,
    fiscal_year bigint, -- fiscal year as FMP labels it
    cik varchar, -- SEC number (CIK) of the filer
    filing_date date, -- newest filing date of its statements
    accepted_at timestamp, -- when the newest of its statements was accepted by the SEC, UTC
    accepted_at_source varchar, -- accepted, filing (22:00 UTC on filing_date), estimated (90 days after the period end)
    known_on date,
    reported_currency varchar,
    has_income boolean, -- whether the period has an income statement
    has_balance boolean, -- whether the period has a balance sheet
    has_cash_flow boolean, -- whether the period has a cash flow statement
    is_derived boolean, -- whether it is an unreported fourth quarter: the year less its first three quarters
    {% for line in income_lines %}
    {{ line }} double,
    {% endfor %}
    eps double,
    eps_diluted double,
    shares_outstanding bigint,
    shares_outstanding_diluted bigint,
    {% for line in balances %}
    {{ line }} double,
    {% endfor %}
    {% for line in cash_flow_lines %}
    {% if line == "operating_cash_flow" %}
    cash_at_end_of_period double,
    cash_at_beginning_of_period double,
    {% endif %}
    {{ line }} double,
    {% endfor %}
    known_reconstructed boolean, -- known before the first fetch, so FMP may have overwritten an earlier version unseen
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
