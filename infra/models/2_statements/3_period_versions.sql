-- grain: company x period x known_from. The three statements of a period as known in a time range. A statement is
-- referenced by its file and row in staging. A period exists if at least one of its statements exists.
create or replace temporary table period_versions as
with versions as (
    select
        v.* exclude (known_from, known_to),
        case when e.starts_at > v.known_from then e.starts_at else v.known_from end as known_from,
        case when e.ends_at < coalesce(v.known_to, timestamp '9999-12-31 00:00:00') then e.ends_at else v.known_to end
            as known_to,
        e.ends_at
    from company_statement_versions as v
    left join statement_ends as e
        on e.symbol = v.symbol and e.dataset = v.dataset and e.period_type = v.period_type
        and e.period_no = v.period_no
),
starts as (
    select symbol, period_type, period_no, known_from
    from versions
    where known_to is null or known_to > known_from
    union
    select symbol, period_type, period_no, ends_at from versions where ends_at is not null
),
moments as (
    select *,
        lead(known_from) over (partition by symbol, period_type, period_no order by known_from) as next_moment
    from starts
),
in_force as (
    select m.known_from as moment, m.next_moment, v.*
    from moments as m
    join versions as v
        on v.symbol = m.symbol and v.period_type = m.period_type and v.period_no = m.period_no
        and v.known_from <= m.known_from and (v.known_to is null or v.known_to > m.known_from)
),
-- a period is known when the last of its statements is known: take the latest dates and the least reliable source
together as (
    select
        symbol, period_type, period_no, moment as known_from, next_moment as known_to,
        coalesce(
            max(case when dataset = 'income_statement' then fiscal_date end),
            max(case when dataset = 'balance_sheet' then fiscal_date end),
            max(fiscal_date)
        ) as fiscal_date,
        max(fiscal_year) as fiscal_year, max(cik) as cik, max(filing_date) as filing_date,
        max(accepted_at) as accepted_at,
        case
            when max(case when accepted_at_source = 'estimated' then 1 else 0 end) = 1 then 'estimated'
            when max(case when accepted_at_source = 'filing' then 1 else 0 end) = 1 then 'filing'
            else 'accepted'
        end as accepted_at_source,
        max(case when dataset = 'income_statement' then known_on end) as income_known_on,
        -- the flags of all three statements
        nullif(
            coalesce(max(case when dataset = 'income_statement' then flags end), '')
            || coalesce(max(case when dataset = 'balance_sheet' then flags end), '')
            || coalesce(max(case when dataset = 'cash_flow' then flags end), ''), ''
        ) as flags,
        max(known_on) as known_on, max(case when known_reconstructed then 1 else 0 end) = 1 as known_reconstructed,
        coalesce(
            max(case when dataset = 'income_statement' then reported_currency end),
            max(case when dataset = 'balance_sheet' then reported_currency end),
            max(reported_currency)
        ) as reported_currency,
        max(case when dataset = 'income_statement' then 1 else 0 end) = 1 as has_income,
        max(case when dataset = 'balance_sheet' then 1 else 0 end) = 1 as has_balance,
        max(case when dataset = 'cash_flow' then 1 else 0 end) = 1 as has_cash_flow,
        max(case when dataset = 'income_statement' then source_file end) as income_file,
        max(case when dataset = 'income_statement' then source_row end) as income_row,
        max(case when dataset = 'balance_sheet' then source_file end) as balance_file,
        max(case when dataset = 'balance_sheet' then source_row end) as balance_row,
        max(case when dataset = 'cash_flow' then source_file end) as cash_file,
        max(case when dataset = 'cash_flow' then source_row end) as cash_row,
        -- the New York date of receipt, computed as UTC minus five hours. FMP may have restated per-share figures for
        -- splits up to that date
        max(case when dataset = 'income_statement' then (observed_at - interval '5 hours')::date end) as basis_date
    from in_force
    group by symbol, period_type, period_no, moment, next_moment
)
select
    row_number() over (order by symbol, period_type, period_no, known_from) as version_id, *
from together
