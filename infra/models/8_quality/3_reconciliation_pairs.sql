-- grain: company x metric. Our figure and FMP's: `fmp` in the files of metrics names the counterparts.
-- needs: what both must share besides the twelve months: nothing (ratio), the dividends (dividend), the price (price),
-- or the price and the share count (cap).
-- answer: which of FMP's two answers contains the figure. Left out are figures that FMP defines differently: its P/E
-- by basic EPS (the diluted P/E is here), its PEG and its free cash flow to the firm.
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
