-- grain: company_key x fiscal_date (newest quarter end) x known_from
create table if not exists analytics.fact_financials_ttm_history (
    company_key varchar,
    symbol varchar,
    fiscal_date date,
    fiscal_date_key bigint,
    accepted_at timestamp, -- when the newest of its statements was accepted by the SEC, UTC
    known_on date, -- the first day whose close may use it: when the last of its income statements was known
    quarters_included bigint, -- number of periods within the twelve months: 4 quarters or 2 halves if status is ok
    quarters_derived bigint, -- number of them that are fourth quarters derived from the year
    oldest_quarter_date date, -- end of the oldest period within the twelve months
    newest_quarter_date date, -- end of the newest period, same as fiscal_date
    reported_currency varchar,
    status varchar, -- ok or incomplete
    reason varchar, -- why the twelve months are incomplete
    {% for line in flows %}
    ttm_{{ line }} double,
    {% endfor %}
    ttm_eps double,
    ttm_eps_diluted double,
    ttm_eps_diluted_sum double,
    oldest_cash_at_beginning_of_period double, -- cash at the beginning of the oldest period
    {% for line in balances %}
    latest_{{ line }} double,
    {% endfor %}
    latest_cash_at_end_of_period double,
    latest_shares_outstanding bigint,
    latest_shares_outstanding_diluted bigint,
    average_shares_outstanding_diluted double,
    average_stockholders_equity double,
    {% for average in ttm_averages %}
    {{ average.column }} double,
    {% endfor %}
    is_suspect boolean, -- whether statements of its twelve months contradict other data
    suspect_reason varchar, -- the contradictions as codes joined with ', '; NULL if there are none
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
