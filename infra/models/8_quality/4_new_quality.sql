-- grain: company x check_name x basis x fiscal_date. Every check with both sides, their difference and its status,
-- and one score per company. An identity is flagged if its sides differ by more than 0.5 % and by more than 1,000
-- units of the currency. A comparison with FMP's figure is flagged if the figures differ by more than 0.5 %.
create or replace temporary table new_quality as
with identities as (select * from quality_identities),
beside as (select * from fmp_reconciliation),
pairs as (select * from reconciliation_pairs),
compared as (
    select
        b.company_key, b.symbol, 'fmp_' || p.metric as check_name,
        case when p.needs = 'ratio' then 'TTM' else 'MARKET' end as basis,
        case
            when p.needs = 'ratio' then b.fiscal_date
            else b.metric_date
        end as fiscal_date, p.ours, p.theirs, p.ours - p.theirs as difference,
        case
            when p.ours is null then
                coalesce(
                    nullif(split_part(split_part(b.null_reasons, '|' || p.metric || '=', 2), '|', 1), ''),
                    'missing_input'
                )
            when p.answer = 'ratios' and b.ratios_reason is not null then b.ratios_reason
            when p.answer = 'metrics' and b.metrics_reason is not null then b.metrics_reason
            when p.needs in ('price', 'cap') and b.price_reason is not null then b.price_reason
            when p.needs = 'cap' and b.shares_reason is not null then b.shares_reason
            when p.theirs is null then 'fmp_missing'
            -- FMP writes 0 for a value that is missing
            when p.theirs = 0 and p.ours <> 0 then 'fmp_not_reported'
        end as reason,
        0.000001::double as least_difference
    from pairs as p
    join beside as b on b.symbol = p.symbol
),
checks as (
    select
        i.company_key, i.symbol, i.check_name, i.basis, i.fiscal_date, i.ours::double as ours,
        i.theirs::double as theirs, (i.ours - i.theirs)::double as difference,
        case
            when i.reason is not null then i.reason when i.ours is null or i.theirs is null then 'missing_input'
        end as reason,
        1000.0::double as least_difference
    from identities as i
    union all
    select company_key, symbol, check_name, basis, fiscal_date, ours, theirs, difference, reason, least_difference
    from compared
),
judged as (
    select
        company_key, symbol, check_name, basis, fiscal_date, ours, theirs,
        case when reason is null then difference end as difference,
        case when reason is null then difference / nullif(abs(theirs), 0) end as relative_difference,
        case
            when reason is not null then 'not_checked'
            when abs(difference) > least_difference and abs(difference) > 0.005::double * abs(theirs) then 'flag'
            else 'pass'
        end as status,
        reason
    from checks
),
current_vintages as (select vintage_id, symbol, company_key from vintages where is_current),
suspicions as (
    select l.company_key, l.symbol, s.suspicion, s.period_type as basis, s.fiscal_date, s.ours, s.theirs
    from period_suspects as s
    join current_vintages as l on l.vintage_id = s.vintage_id
    union all
    -- the other suspicions of twelve months are those of their quarters
    select l.company_key, l.symbol, s.suspicion, 'TTM', s.fiscal_date, s.ours, s.theirs
    from ttm_suspects as s
    join current_vintages as l on l.vintage_id = s.vintage_id
    where s.suspicion = 'filer_change'
    union all
    select l.company_key, l.symbol, s.suspicion, 'MARKET', s.noticed_on, s.ours, s.theirs
    from share_suspects as s
    join current_vintages as l on l.symbol = s.symbol
),
-- the user's corrections in force, if the company has what they correct
corrections as (
    select c.*, l.company_key
    from staging.corrections as c
    join current_vintages as l on l.symbol = c.symbol
    where c.known_to is null
),
quarters as (
    select p.symbol, p.fiscal_date, p.period_type
    from vintage_periods as p
    join current_vintages as l on l.vintage_id = p.vintage_id
    where p.period_type <> 'FY'
),
effective as (
    select
        l.company_key, l.symbol, 'corrected_' || v.item as check_name, p.period_type as basis, p.fiscal_date,
        try_cast(v.value as double) as ours, v.reason
    from corrected_values as v
    join vintage_periods as p on p.version_id = v.version_id
    join current_vintages as l on l.vintage_id = p.vintage_id
    union all
    select company_key, symbol, 'corrected_' || item, 'COMPANY', decided_on, null::double, reason
    from corrections
    where kind = 'value' and period_type is null
    union all
    select c.company_key, c.symbol, 'corrected_period_label', c.value, max(q.fiscal_date), null::double, max(c.reason)
    from corrections as c
    join quarters as q
        on q.symbol = c.symbol and q.period_type = c.value
        and q.fiscal_date between c.subject_date - 14 and c.subject_date + 14
    where c.kind = 'period_label'
    group by c.company_key, c.symbol, c.value, c.subject_date
    union all
    select
        company_key, symbol, 'corrected_' || kind, 'MARKET', coalesce(subject_date, decided_on),
        try_cast(value as double), reason
    from corrections
    where kind in ('share_count', 'share_ratio')
    union all
    select c.company_key, c.symbol, 'corrected_split', 'MARKET', c.subject_date, null::double, c.reason
    from corrections as c
    join staging.splits as s on s.symbol = c.symbol and s.split_date = c.subject_date
    where c.kind = 'split'
),
all_checks as (
    select * from judged
    union all
    select
        company_key, symbol, suspicion, basis, fiscal_date, ours, theirs, ours - theirs,
        (ours - theirs) / nullif(abs(theirs), 0), 'flag', suspicion
    from suspicions
    union all
    -- entries whose periods are one period are one row
    select
        company_key, symbol, check_name, basis, fiscal_date, max(ours), null::double, null::double, null::double,
        'corrected', max(reason)
    from effective
    group by company_key, symbol, check_name, basis, fiscal_date
),
scores as (
    select
        company_key, symbol, max(case when basis <> 'MARKET' then fiscal_date end) as fiscal_date,
        sum(case when status = 'pass' then 1.0::double else 0.0::double end) as n_passed,
        sum(case when status in ('pass', 'flag') then 1.0::double else 0.0::double end) as n_checked
    from all_checks
    group by company_key, symbol
)
select
    company_key, symbol, check_name, basis, fiscal_date, ours, theirs, difference, relative_difference, status,
    reason
from all_checks
union all
-- the score is not a check, so it has a status only if nothing was checked
select
    company_key, symbol, 'score', 'COMPANY', fiscal_date, n_passed / nullif(n_checked, 0), n_checked, null::double,
    null::double,
    case when n_checked = 0 then 'not_checked' end, case when n_checked = 0 then 'missing_input' end
from scores
