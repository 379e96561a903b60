-- grain: company_key. The newest figures of each company in one row: market metrics of its newest session, twelve
-- months, ratios and growth rates of its newest twelve months (or of its newest fiscal year, if it has no twelve
-- months), attributes, doubts about its data, and how fresh they are. It contains today's knowledge only, so a backtest
-- must not use it.
{% set in_market = market_metrics | map(attribute="name") | list %}
create or replace view analytics.latest (
    company_key,
    symbol,
    company_name,
    sector,
    industry,
    exchange,
    currency,
    country,
    market_cap_category,
    is_etf,
    is_fund,
    is_adr,
    is_actively_trading,
    cik,
    price_date, -- date: newest session of the company
    fiscal_date, -- date: end of the newest twelve months or, without them, of the newest fiscal year
    known_on, -- date: the first day whose close may use these twelve months
    basis, -- varchar: period of the ratios and growth rates: TTM, or FY for a company without twelve months
    reported_currency,
    is_stale, -- boolean: whether the twelve months are too old for the metrics of price_date
    computed_at, -- timestamp: when the figures of the newest session were computed, UTC
    quality_score, -- double: ratio; share of the checks of the company's data that passed, as of the newest run
    quality_checks, -- bigint: number of these checks
    quality_flags, -- bigint: number of checks and suspicions that are flagged
    close_price,
    {% for metric in market_metrics %}
    {{ metric.name }},
    {% if metric.name == "shares_outstanding_used" %}
    shares_source,
    {% endif %}
    {% endfor %}
    {% for metric in price_metrics %}
    {{ metric.name }},
    {% endfor %}
    ttm_status, -- varchar: whether the twelve months are ok or incomplete
    ttm_reason, -- varchar: why they are incomplete
    {% for line in flows + ["eps", "eps_diluted", "eps_diluted_sum"] %}
    ttm_{{ line }},
    {% endfor %}
    {% for line in balances + ["shares_outstanding", "shares_outstanding_diluted"] %}
    latest_{{ line }},
    {% endfor %}
    {% for ratio in ratios if ratio.name not in in_market %}
    {{ ratio.name }},
    {% endfor %}
    {% for rate in growth_rates %}
    {{ rate.name }},
    {% endfor %}
    is_suspect, -- boolean: whether data behind one of these figures contradict other data
    suspect_reason -- varchar: the contradictions as codes joined with ', '; NULL if there are none
) as
-- no CTE is used twice: DuckDB would compute all columns of all tables. A ratio with the name of a market metric,
-- such as payout_ratio, is left out
with all_companies as (
    select company_key, symbol from analytics.dim_company where is_current
    union
    -- a company without a profile has figures, but no attributes
    select company_key, symbol from analytics.fact_market_metrics
    union
    select company_key, symbol from analytics.fact_financial_ratios
),
market_rows as (
    select m.*, {{ stale_twelve_months }} as is_stale
    from analytics.fact_market_metrics as m
    qualify row_number() over (partition by m.company_key order by m.metric_date desc nulls last) = 1
),
ttm_rows as (
    select *
    from analytics.fact_financials_ttm
    qualify row_number() over (partition by company_key order by fiscal_date desc nulls last) = 1
),
{% for kind, table in ranked_periods %}
{{ kind }}_rows as (
    select *
    from analytics.{{ table }}
    where known_to is null and basis in ('TTM', 'FY')
    qualify row_number() over (
        partition by company_key order by basis desc nulls last, fiscal_date desc nulls last
    ) = 1
),
{% endfor %}
checks as (
    select
        company_key,
        max(case when check_name = 'score' then ours end) as quality_score,
        max(case when check_name = 'score' then theirs end)::bigint as quality_checks,
        count_if(status = 'flag')::bigint as quality_flags
    from ops.quality
    group by company_key
),
joined as (
    select
        c.company_key, c.symbol, a.company_name, a.sector, a.industry, a.exchange, a.currency, a.country,
        a.market_cap_category, a.is_etf, a.is_fund, a.is_adr, a.is_actively_trading, a.cik,
        m.metric_date as price_date, coalesce(t.fiscal_date, r.fiscal_date) as fiscal_date, t.known_on, r.basis,
        coalesce(t.reported_currency, r.reported_currency) as reported_currency, m.is_stale,
        coalesce(m.computed_at, t.computed_at, r.computed_at) as computed_at,
        q.quality_score, q.quality_checks, coalesce(q.quality_flags, 0) as quality_flags,
        m.close_price,
        {% for metric in market_metrics %}
        m.{{ metric.name }},
        {% if metric.name == "shares_outstanding_used" %}
        m.shares_source,
        {% endif %}
        {% endfor %}
        {% for metric in price_metrics %}
        m.{{ metric.name }},
        {% endfor %}
        t.status as ttm_status, t.reason as ttm_reason,
        {% for line in flows + ["eps", "eps_diluted", "eps_diluted_sum"] %}
        t.ttm_{{ line }},
        {% endfor %}
        {% for line in balances + ["shares_outstanding", "shares_outstanding_diluted"] %}
        t.latest_{{ line }},
        {% endfor %}
        {% for ratio in ratios if ratio.name not in in_market %}
        r.{{ ratio.name }},
        {% endfor %}
        {% for rate in growth_rates %}
        g.{{ rate.name }},
        {% endfor %}
        ', ' || coalesce(m.suspect_reason, '') || ', ' || coalesce(t.suspect_reason, '') || ', '
        || coalesce(r.suspect_reason, '') || ', ' || coalesce(g.suspect_reason, '') || ',' as codes
    from all_companies as c
    left join analytics.dim_company as a on a.company_key = c.company_key and a.is_current
    left join market_rows as m on m.company_key = c.company_key
    left join ttm_rows as t on t.company_key = c.company_key
    left join ratio_rows as r on r.company_key = c.company_key
    left join growth_rows as g on g.company_key = c.company_key
    left join checks as q on q.company_key = c.company_key
),
-- each code once, in the order of suspicions.toml
judged as (
    select
        *,
        nullif(
            substr(
                {% for suspicion in suspicions %}
                {{ "|| " if not loop.first }}case when contains(codes, ', {{ suspicion.code }},')
                    then ', {{ suspicion.code }}' else '' end
                {% endfor %}
                , 3
            ), ''
        ) as reasons
    from joined
)
select * exclude (codes, reasons), reasons is not null as is_suspect, reasons as suspect_reason
from judged
