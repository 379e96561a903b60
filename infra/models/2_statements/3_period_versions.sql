-- grain: company x period x known_from. The three statements of a period as known in a time range. A statement is
-- referenced by its file and row in staging. A period exists if at least one of its statements exists. The user's
-- corrections are known like versions: a new version begins when a correction of the period begins or ends. While a
-- quarter has a label of the user's, it has no other.
create or replace temporary table period_versions as
with corrections as (
    select c.*
    from staging.corrections as c
    join companies as r on r.symbol = c.symbol
),
-- the statements of FMP's whose label the user decided
labelled as (
    select
        v.symbol, v.dataset, v.period_type, v.period_no, c.subject_date, c.value as right_type,
        c.fiscal_year as right_year, c.known_from, c.known_to,
        max(v.accepted_at) as accepted_at, max(v.observed_at) as received_at
    from company_statement_versions as v
    join corrections as c
        on c.symbol = v.symbol and c.kind = 'period_label' and v.period_type <> 'FY'
        and v.fiscal_date between c.subject_date - 14 and c.subject_date + 14
    group by
        v.symbol, v.dataset, v.period_type, v.period_no, c.subject_date, c.value, c.fiscal_year, c.known_from,
        c.known_to
),
-- if FMP sent the quarter under several labels: the statement under the right label, else the newest one
relabelled as (
    select *,
        coalesce(
            max(case when period_type = right_type then period_no end) over (
                partition by symbol, subject_date, known_from
            ), (date '1900-01-01' - subject_date)::bigint
        ) as right_no
    from labelled
    qualify row_number() over (
        partition by symbol, dataset, subject_date, known_from
        order by
            case when period_type = right_type then 0 else 1 end, accepted_at desc nulls last,
            received_at desc nulls last, period_type
    ) = 1
),
versions as (
    select
        v.* exclude (period_type, period_no, fiscal_year, known_from, known_to),
        v.period_type, v.period_no, v.fiscal_year, false as is_relabelled,
        case when e.starts_at > v.known_from then e.starts_at else v.known_from end as known_from,
        case when e.ends_at < coalesce(v.known_to, timestamp '9999-12-31 00:00:00') then e.ends_at else v.known_to end
            as known_to,
        e.ends_at
    from company_statement_versions as v
    left join statement_ends as e
        on e.symbol = v.symbol and e.dataset = v.dataset and e.period_type = v.period_type
        and e.period_no = v.period_no
    union all
    select
        v.* exclude (period_type, period_no, fiscal_year, known_from, known_to),
        l.right_type, l.right_no, coalesce(l.right_year, v.fiscal_year), true,
        case when l.known_from > v.known_from then l.known_from else v.known_from end,
        case
            when l.known_to < coalesce(v.known_to, timestamp '9999-12-31 00:00:00') then l.known_to else v.known_to
        end,
        case when l.known_to < coalesce(v.known_to, timestamp '9999-12-31 00:00:00') then l.known_to else v.known_to end
    from company_statement_versions as v
    join relabelled as l
        on l.symbol = v.symbol and l.dataset = v.dataset and l.period_type = v.period_type
        and l.period_no = v.period_no
    where (l.known_to is null or v.known_from < l.known_to) and (v.known_to is null or v.known_to > l.known_from)
),
-- the periods that corrections concern, and from when to when. A quarter's value also concerns its year, from which a
-- fourth quarter may be derived
corrected as (
    select distinct v.symbol, v.period_type, v.period_no, c.known_from, c.known_to
    from versions as v
    join corrections as c
        on c.symbol = v.symbol
        and (
            c.kind = 'share_ratio'
            or (
                c.kind = 'value' and v.period_type = c.period_type
                and v.fiscal_date between c.subject_date - 14 and c.subject_date + 14
            )
            or (
                c.kind = 'value' and v.period_type = 'FY' and c.period_type <> 'FY'
                and v.fiscal_date between c.subject_date - 14 and c.subject_date + 330
            )
        )
    union
    select distinct symbol, period_type, period_no, known_from, known_to from labelled
),
starts as (
    select symbol, period_type, period_no, known_from
    from versions
    where known_to is null or known_to > known_from
    union
    select symbol, period_type, period_no, ends_at from versions where ends_at is not null
    union
    select symbol, period_type, period_no, known_from from corrected
    union
    select symbol, period_type, period_no, known_to from corrected where known_to is not null
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
    left join labelled as l
        on l.symbol = v.symbol and l.dataset = v.dataset and l.period_type = v.period_type
        and l.period_no = v.period_no and not v.is_relabelled
        and l.known_from <= m.known_from and coalesce(l.known_to, timestamp '9999-12-31 00:00:00') > m.known_from
    where l.symbol is null
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
),
currencies as (
    select t.symbol, t.period_type, t.period_no, t.known_from, max(c.value) as right_currency
    from together as t
    join corrections as c
        on c.symbol = t.symbol and c.kind = 'value' and c.item = 'reported_currency'
        and c.period_type = t.period_type and t.fiscal_date between c.subject_date - 14 and c.subject_date + 14
        and c.known_from <= t.known_from and (c.known_to is null or c.known_to > t.known_from)
    group by t.symbol, t.period_type, t.period_no, t.known_from
)
select
    row_number() over (order by t.symbol, t.period_type, t.period_no, t.known_from) as version_id,
    t.* exclude (reported_currency), coalesce(c.right_currency, t.reported_currency) as reported_currency
from together as t
left join currencies as c
    on c.symbol = t.symbol and c.period_type = t.period_type and c.period_no = t.period_no
    and c.known_from = t.known_from
