{% block created %}
-- grain: company x dataset x period x version. Every version of a statement ever received, and the time during which
-- it was the newest known version.
-- The first version of a period was known when the filing was accepted. FMP overwrites it with later versions; each of
-- them is known from its receipt on (or from its acceptance, if that is later). Versions in one answer are ordered by
-- acceptance, and each was known from its own acceptance. A version is in force at a moment when
-- known_from <= moment < known_to.
-- known_reconstructed: known before the company was first fetched, so FMP may have overwritten an earlier version
-- unseen.
create or replace view staging.statement_versions as
{% endblock %}
with received as (
    select
        symbol, 'income_statement' as dataset, period_type, fiscal_date, fiscal_year, reported_currency, cik,
        filing_date, accepted_at,
        accepted_at_source, known_on, flags, row_hash, observed_at, run_id, source_file, source_row
    from staging.income_statement
    union all
    select
        symbol, 'balance_sheet', period_type, fiscal_date, fiscal_year, reported_currency, cik, filing_date,
        accepted_at,
        accepted_at_source, known_on, flags, row_hash, observed_at, run_id, source_file, source_row
    from staging.balance_sheet
    union all
    select
        symbol, 'cash_flow', period_type, fiscal_date, fiscal_year, reported_currency, cik, filing_date, accepted_at,
        accepted_at_source, known_on, flags, row_hash, observed_at, run_id, source_file, source_row
    from staging.cash_flow
),
-- an estimated acceptance is not later than the receipt, because a received statement is public
capped as (
    select
        symbol, dataset, period_type, fiscal_date, fiscal_year, reported_currency, cik, filing_date,
        case
            when accepted_at_source = 'estimated' and accepted_at > observed_at then observed_at else accepted_at
        end as accepted_at,
        accepted_at_source,
        case
            when accepted_at_source = 'estimated' and accepted_at > observed_at
                then (observed_at - interval '5 hours')::date + 1
            else known_on
        end as known_on,
        flags, row_hash, observed_at, run_id, source_file, source_row
    from received
),
-- two period ends a few days apart with the same label are the same period, whose end FMP corrected. Different periods
-- of the same label are a year apart, or half a year when the fiscal year changes
spaced as (
    select *,
        fiscal_date - lag(fiscal_date) over (
            partition by symbol, period_type order by fiscal_date, dataset, observed_at, source_file, source_row
        ) as gap_days
    from capped
    {% block companies %}{% endblock %}
),
periods as (
    select *,
        sum(case when gap_days <= 14 then 0 else 1 end) over (
            partition by symbol, period_type order by fiscal_date, dataset, observed_at, source_file, source_row
            rows between unbounded preceding and current row
        )::bigint as period_no
    from spaced
),
numbered as (
    select *,
        row_number() over (
            partition by symbol, dataset, period_type, period_no
            order by observed_at, accepted_at, fiscal_date, source_file, source_row
        ) as version_no,
        min(observed_at) over (partition by symbol, dataset, period_type, period_no) as period_observed_at,
        min(observed_at) over (partition by symbol, dataset) as first_observed_at
    from periods
),
dated as (
    select *,
        case
            when observed_at = period_observed_at or accepted_at > observed_at then accepted_at else observed_at
        end as known_from,
        observed_at = period_observed_at and accepted_at < first_observed_at as known_reconstructed
    from numbered
)
select
    symbol, dataset, period_type, period_no, fiscal_date, fiscal_year, reported_currency, cik, filing_date, accepted_at,
    accepted_at_source,
    version_no, known_from,
    min(known_from) over (
        partition by symbol, dataset, period_type,
        period_no order by version_no rows between 1 following and unbounded following
    ) as known_to,
    known_reconstructed,
    -- the first day on which any version was known: a restatement must not make the period appear unknown on earlier
    -- days
    min(known_on) over (
        partition by symbol, dataset, period_type,
        period_no order by version_no rows between unbounded preceding and current row
    ) as known_on,
    flags, row_hash, observed_at, run_id, source_file, source_row
from dated
