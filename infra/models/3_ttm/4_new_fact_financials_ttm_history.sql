-- grain: vintage x fiscal_date (newest quarter end). Flows summed over the quarters of the window; balances and share
-- counts of the newest quarter. A row exists once the income statement of the period is known. If an item is missing in
-- a quarter, the sum of that item is NULL; SUM alone would skip the quarter. An incomplete window has a reason, and its
-- flows are NULL. Per-share figures and share counts are on the split basis of the newest price.
create or replace temporary table new_fact_financials_ttm_history as
with quarters as (
    select
        f.*, r.vintage_id, r.income_known_on, r.first_known_from, r.income_from, r.split_adjusted_eps,
        r.split_adjusted_eps_diluted,
        r.split_adjusted_shares_outstanding, r.split_adjusted_shares_outstanding_diluted
    from new_fact_financials_history as f
    join quarter_rows as r on r.version_id = f.version_id
),
windows as (select * from ttm_windows),
suspects as (
    select
        vintage_id, fiscal_date,
        {{ suspect_reason }} as suspect_reason
    from ttm_suspects
    group by vintage_id, fiscal_date
),
spans as (
    select
        w.vintage_id, w.fiscal_date, count(*) as quarters_included,
        sum(case when q.is_derived then 1 else 0 end)::bigint as quarters_derived,
        max(case
            when q.fiscal_date = w.fiscal_date then q.income_from
            else q.first_known_from
        end) as first_known_from,
        min(q.fiscal_date) as oldest_quarter_date, max(q.accepted_at) as accepted_at, max(q.income_known_on) as known_on
    from windows as w
    join quarters as q on q.vintage_id = w.vintage_id and q.fiscal_date between w.window_from and w.fiscal_date
    group by w.vintage_id, w.fiscal_date
),
sums as (
    select
        w.vintage_id, w.fiscal_date,
        {% for line in flows %}
        case when count(q.{{ line }}) = count(*) then sum(q.{{ line }}) end as ttm_{{ line }},
        {% endfor %}
        (case when count(q.split_adjusted_eps) = count(*) then sum(q.split_adjusted_eps) end)::double as ttm_eps,
        (case
            when count(q.split_adjusted_eps_diluted) = count(*) then sum(q.split_adjusted_eps_diluted)
        end)::double as ttm_eps_diluted_sum,
        (case
            when count(coalesce(q.bottom_line_net_income, q.net_income)) = count(*)
                then sum(coalesce(q.bottom_line_net_income, q.net_income))
        end)::double as net_income_to_common,
        (case
            when count(q.split_adjusted_shares_outstanding_diluted) = count(*)
                then sum(q.split_adjusted_shares_outstanding_diluted)
        end)::double
            / nullif(count(*), 0) as mean_diluted_shares,
        (case when count(q.stockholders_equity) = count(*) then sum(q.stockholders_equity) end)::double
            / nullif(count(*), 0) as mean_equity,
        max(
            case when q.fiscal_date = w.window_from then q.cash_at_beginning_of_period end
        ) as oldest_cash_at_beginning_of_period
    from windows as w
    join quarters as q on q.vintage_id = w.vintage_id and q.fiscal_date between w.window_from and w.fiscal_date
    where w.is_whole
    group by w.vintage_id, w.fiscal_date
)
select
    w.vintage_id, n.first_known_from, e.company_key, e.symbol, e.fiscal_date, e.fiscal_date_key, n.accepted_at,
    n.known_on,
    n.quarters_included, n.quarters_derived, n.oldest_quarter_date, e.fiscal_date as newest_quarter_date,
    e.reported_currency,
    case when w.is_whole then 'ok' else 'incomplete' end as status, w.reason,
    {% for line in flows %}
    s.ttm_{{ line }},
    {% endfor %}
    s.ttm_eps,
    s.net_income_to_common / nullif(case
        when s.mean_diluted_shares > 0 then s.mean_diluted_shares
    end, 0) as ttm_eps_diluted,
    s.ttm_eps_diluted_sum, s.oldest_cash_at_beginning_of_period,
    {% for line in balances %}
    e.{{ line }} as latest_{{ line }},
    {% endfor %}
    e.cash_at_end_of_period as latest_cash_at_end_of_period,
    e.split_adjusted_shares_outstanding as latest_shares_outstanding,
    e.split_adjusted_shares_outstanding_diluted as latest_shares_outstanding_diluted,
    s.mean_diluted_shares as average_shares_outstanding_diluted,
    -- mean equity at the quarter ends of the window, the divisor of FMP's TTM return on equity
    s.mean_equity as average_stockholders_equity,
    -- _2q: mean of the newest and the previous quarter end; _year: mean of the beginning and the end of the twelve
    -- months
    {% for average in ttm_averages %}
    (({{ average.end }}) + ({{ average.other }}))::double * 0.5 as {{ average.column }},
    {% endfor %}
    x.suspect_reason is not null as is_suspect, x.suspect_reason
from windows as w
join spans as n on n.vintage_id = w.vintage_id and n.fiscal_date = w.fiscal_date
join quarters as e on e.vintage_id = w.vintage_id and e.fiscal_date = w.fiscal_date
left join quarters as p on p.vintage_id = w.vintage_id and p.fiscal_date = w.prior_date
left join quarters as b on b.vintage_id = w.vintage_id and b.fiscal_date = w.begin_date
left join sums as s on s.vintage_id = w.vintage_id and s.fiscal_date = w.fiscal_date
left join suspects as x on x.vintage_id = w.vintage_id and x.fiscal_date = w.fiscal_date
