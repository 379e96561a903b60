-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The inputs of ratios and growth rates as doubles, with the
-- same column names for every basis.
create or replace temporary table period_inputs as
with periods as (
    select
        l.vintage_id, l.first_known_from, f.company_key, f.symbol, f.fiscal_date, f.fiscal_date_key,
        f.period_type as basis, f.reported_currency,
        case when f.period_type = 'FY' then 'FY' else 'Q' end as cadence,
        coalesce(s.share_reason, s.eps_reason) as count_reason,
        {% for input in period_columns %}
        {{ input.period }}::double as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from vintage_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join split_adjusted_shares as s on s.version_id = l.version_id
),
with_formulas as (
    select p.*,
        {% for input in formula_inputs %}
        {{ input.sql }} as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from periods as p
),
-- the previous period of the same length: the previous quarter (or half year) of a quarter, the previous year of a
-- year
with_prior as (
    select p.*,
        {% for name in averaged %}
        lag(p.{{ name }}) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_{{ name }},
        {% endfor %}
        p.fiscal_date - lag(p.fiscal_date) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as gap_days
    from with_formulas as p
),
-- one long gap between period ends is a missing quarter, and the quarter after it has no previous period; two
-- consecutive long gaps mean half years
with_neighbours as (
    select p.*,
        lag(p.gap_days) over (partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis) as gap_before,
        lead(p.gap_days) over (partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis) as gap_after,
        lead(p.gap_days, 2) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as gap_after_next
    from with_prior as p
),
with_length as (
    select p.*,
        p.cadence = 'Q' and coalesce(
            (p.gap_days between 150 and 215 and (p.gap_before between 150 and 215 or p.gap_after between 150 and 215))
            or (p.gap_days is null and p.gap_after between 150 and 215 and p.gap_after_next between 150 and 215),
            false
        ) as is_half_year,
        -- up to 14 days apart are two ends of one period
        coalesce(p.cadence = 'FY' and p.gap_days between 15 and 349, false) as is_short_year
    from with_neighbours as p
),
single_periods as (
    select p.*,
        case
            when p.cadence = 'FY' then p.gap_days between 350 and 380
            when p.is_half_year then p.gap_days between 150 and 215
            else p.gap_days between 70 and 120
        end as has_prior
    from with_length as p
),
twelve_months as (
    select
        t.vintage_id, t.first_known_from, t.company_key, t.symbol, t.fiscal_date, t.fiscal_date_key,
        t.reported_currency, t.reason as null_reason,
        {{ ttm_count_reason }} as count_reason,
        w.prior_date is not null as has_prior_period, w.begin_date is not null as has_year_ago,
        {% for input in period_columns %}
        t.{{ input.ttm }}::double as {{ input.name }},
        {% endfor %}
        {% for input in averages %}
        t.{{ input.ttm }}::double as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from new_fact_financials_ttm_history as t
    join ttm_windows as w on w.vintage_id = t.vintage_id and w.fiscal_date = t.fiscal_date
),
bases as (
    select
        p.vintage_id, p.first_known_from, p.company_key, p.symbol, p.fiscal_date, p.fiscal_date_key, p.basis,
        p.reported_currency, case when p.is_short_year then 'transition_period' end as null_reason,
        p.count_reason, coalesce(p.has_prior, false) as has_prior_period, coalesce(p.has_prior, false) as has_year_ago,
        -- a year has 365 days and a quarter 90 days, as in FMP's ratios; a half year of a semi-annual reporter has
        -- 180 days
        case
            when p.basis = 'FY' then 365.0::double
            when p.is_half_year then 180.0::double
            else 90.0::double
        end as days,
        {% for input in period_columns %}
        p.{{ input.name }},
        {% endfor %}
        {% for input in formula_inputs %}
        p.{{ input.name }},
        {% endfor %}
        {% for input in averages %}
        case
            when p.has_prior then (p.{{ input.of }} + p.prior_{{ input.of }}) * 0.5
        end as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from single_periods as p
    union all
    select
        p.vintage_id, p.first_known_from, p.company_key, p.symbol, p.fiscal_date, p.fiscal_date_key, 'TTM',
        p.reported_currency, p.null_reason, p.count_reason, p.has_prior_period, p.has_year_ago, 365.0::double,
        {% for input in period_columns %}
        p.{{ input.name }},
        {% endfor %}
        {% for input in formula_inputs %}
        {{ input.sql }},
        {% endfor %}
        {% for input in averages %}
        p.{{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from twelve_months as p
)
select
    row_number() over (order by b.vintage_id, b.fiscal_date, b.basis) as period_id,
    case
        when c.is_lender and b.interest_income > {{ industries.interest_share }}::double * b.revenue
            then 'not_meaningful_for_sector'
        else c.sector_reason
    end as sector_reason,
    b.*
from bases as b
join vintages as l on l.vintage_id = b.vintage_id
-- the newest profile that the vintage knows
join profile_ranges as c
    on c.symbol = b.symbol and c.since_at < l.cutoff and (c.until_at is null or c.until_at >= l.cutoff)
    and c.known_from < l.cutoff and (c.known_to is null or c.known_to >= l.cutoff)
