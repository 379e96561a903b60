-- grain: index_name x symbol x member_from. When a company was a member of an index, by FMP's lists of present members
-- and of changes. Members that have left are included, so a backtest over an index has no survivorship bias. An index
-- has rows after a run of its universe, or one with --datasets sp500_changes, nasdaq_changes or dowjones_changes.
create or replace view analytics.dim_index_membership (
    index_name, -- varchar: sp500, nasdaq100 or dowjones
    company_key, -- varchar: key of the company; NULL if it is not loaded, or its shares are younger than the membership
    symbol, -- varchar: ticker in FMP's spelling, as in the list of changes
    company_name, -- varchar: name in the list of changes or of members
    member_from, -- date: first day as a member; NULL if that is before the changes that FMP has
    member_to, -- date: first day on which it is not a member any more; NULL if it has not left
    is_member, -- boolean: whether FMP's list of present members has the symbol; NULL if the list is not loaded
    source -- varchar: changes, list (a member without a change) or unconfirmed (the lists contradict each other)
) as
with changes as (
    {% for index_name, prefix in [["sp500", "sp500"], ["nasdaq100", "nasdaq"], ["dowjones", "dowjones"]] %}
    {{ "union all " if not loop.first }}select
        '{{ index_name }}' as index_name, change_date, date_added, symbol, added_name, removed_symbol, removed_name
    from staging.{{ prefix }}_changes
    {% endfor %}
),
lists as (
    {% for index_name, prefix in [["sp500", "sp500"], ["nasdaq100", "nasdaq"], ["dowjones", "dowjones"]] %}
    {{ "union all " if not loop.first }}select
        '{{ index_name }}' as index_name, symbol, company_name, try_cast(date_first_added as date) as first_added
    from staging.{{ prefix }}_constituents
    {% endfor %}
),
loaded_lists as (select distinct index_name from lists),
-- date_added is a text such as 'July 9, 2025', the first day of the new member. FMP's date is the day before
worded as (
    select
        *,
        case lower(split_part(date_added, ' ', 1))
            when 'january' then '01' when 'february' then '02' when 'march' then '03' when 'april' then '04'
            when 'may' then '05' when 'june' then '06' when 'july' then '07' when 'august' then '08'
            when 'september' then '09' when 'october' then '10' when 'november' then '11' when 'december' then '12'
        end as month_no,
        try_cast(split_part(split_part(date_added, ' ', 2), ',', 1) as bigint) as day_no,
        split_part(date_added, ' ', 3) as year_no
    from changes
),
written as (
    select
        *, year_no || '-' || month_no || '-' || case when day_no < 10 then '0' else '' end || day_no::varchar as iso_day
    from worded
),
parsed as (select *, try_cast(iso_day as date) as first_day from written),
dated as (
    select
        *,
        case when first_day between change_date - 10 and change_date + 10 then first_day else change_date end
            as effective_date
    from parsed
),
events as (
    select index_name, symbol, effective_date, 'add' as kind, max(added_name) as company_name
    from dated
    where symbol <> '' and symbol <> coalesce(removed_symbol, '')
    group by index_name, symbol, effective_date
    union all
    select index_name, removed_symbol, effective_date, 'remove', max(removed_name)
    from dated
    where removed_symbol <> '' and removed_symbol <> coalesce(symbol, '')
    group by index_name, removed_symbol, effective_date
),
sequenced as (
    select
        *,
        lag(kind) over (partition by index_name, symbol order by effective_date, kind desc nulls last) as kind_before,
        min(case when kind = 'remove' then effective_date end) over (
            partition by index_name, symbol order by effective_date, kind desc nulls last
            rows between 1 following and unbounded following
        ) as removed_on
    from events
),
intervals as (
    select index_name, symbol, company_name, effective_date as member_from, removed_on as member_to
    from sequenced
    where kind = 'add' and coalesce(kind_before, '') <> 'add'
    union all
    -- it joined before the changes that FMP has
    select index_name, symbol, company_name, null::date, effective_date
    from sequenced
    where kind = 'remove' and kind_before is null
),
last_intervals as (
    select
        index_name, symbol, max(coalesce(member_to, date '9999-12-31')) as last_member_to
    from intervals
    group by index_name, symbol
),
memberships as (
    select
        i.index_name, i.symbol, i.company_name, i.member_from, i.member_to,
        case when k.index_name is not null then l.symbol is not null end as is_member,
        case
            when i.member_to is null and k.index_name is not null and l.symbol is null then 'unconfirmed'
            else 'changes'
        end as source
    from intervals as i
    left join loaded_lists as k on k.index_name = i.index_name
    left join lists as l on l.index_name = i.index_name and l.symbol = i.symbol
    union all
    -- present members that joined without a change, or whose last change is that they left
    select
        l.index_name, l.symbol, l.company_name,
        case
            when n.last_member_to > coalesce(l.first_added, date '1900-01-01') then n.last_member_to
            else l.first_added
        end,
        null::date, true, case when n.symbol is null then 'list' else 'unconfirmed' end
    from lists as l
    left join last_intervals as n on n.index_name = l.index_name and n.symbol = l.symbol
    where n.symbol is null or n.last_member_to < date '9999-12-31'
),
companies as (
    select c.company_key, c.symbol, p.ipo_date
    from analytics.dim_company as c
    left join staging.profile as p on p.symbol = c.symbol
    where c.is_current
)
select
    m.index_name, c.company_key, m.symbol, m.company_name, m.member_from, m.member_to, m.is_member, m.source
from memberships as m
-- another company may use the symbol of a former member today
left join companies as c
    on c.symbol = m.symbol and coalesce(c.ipo_date, date '1900-01-01') < coalesce(m.member_to, date '9999-12-31')
