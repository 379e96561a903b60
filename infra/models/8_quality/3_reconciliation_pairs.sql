-- grain: company x metric. Pairs of a computed figure and FMP's figure, which the field `fmp` of an entry
-- names. `needs` says what must be equal in addition to the twelve months: nothing (ratio), the dividends (dividend),
-- the price (price), or the price and the share count (cap). `answer` says which of FMP's two answers contains the
-- figure. Figures that FMP defines differently have no pair: its P/E by basic EPS (its diluted P/E has a pair), PEG
-- and free cash flow to the firm.
create or replace temporary table reconciliation_pairs as
with pairs as (
    select * from (values
        {% for pair in fmp_pairs %}
        ({{ loop.index }}, '{{ pair.name }}', '{{ pair.needs }}', '{{ pair.answer }}'){{ "," if not loop.last }}
        {% endfor %}
    ) as v(pair_no, metric, needs, answer)
)
select
    f.symbol, p.metric, p.needs, p.answer,
    case p.pair_no
        {% for pair in fmp_pairs %}
        when {{ loop.index }} then f.{{ pair.name }}::double
        {% endfor %}
    end as ours,
    case p.pair_no
        {% for pair in fmp_pairs %}
        when {{ loop.index }} then f.{{ pair.column }}
        {% endfor %}
    end as theirs
from fmp_reconciliation as f
cross join pairs as p
