-- grain: company x metric. Which of FMP's figures is the counterpart of which of ours: `fmp` in the files of metrics.
-- needs: what both must share besides the twelve months: nothing (ratio), the dividends (dividend), the price (price),
-- or the price and the share count (cap).
-- answer: which of FMP's two answers contains the figure. Left out are figures that FMP defines differently: its P/E
-- by basic EPS (the diluted P/E is here), its PEG and its free cash flow to the firm.
create or replace temporary table reconciliation_pairs as
{% for pair in fmp_pairs %}
{{ "union all " if not loop.first }}select
    symbol, '{{ pair.name }}' as metric, '{{ pair.needs }}' as needs, '{{ pair.answer }}' as answer,
    {{ pair.name }}::double as ours, {{ pair.column }} as theirs
from fmp_reconciliation
{% endfor %}
