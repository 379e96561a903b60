-- grain: company x suspicion x valid_from. Ranges of days [valid_from, valid_to) on which the share count of the
-- market metrics is suspect: `ours` contradicts `theirs`, see metrics/suspicions.toml. noticed_on is the day of the
-- event or of the vendor's count.
create or replace temporary table share_suspects as
-- from this day on, the user's share count is used
with entered as (
    select symbol, min(subject_date) as entered_from
    from staging.corrections
    where kind = 'share_count' and known_to is null
    group by symbol
)
select
    s.symbol, s.suspect_from as valid_from, coalesce(e.entered_from, date '9999-12-31') as valid_to,
    'split_unconfirmed' as suspicion, s.ours, s.theirs, s.split_date as noticed_on
from split_events as s
left join entered as e on e.symbol = s.symbol
where s.verdict = 'unconfirmed'
union all
select
    c.symbol, date '1900-01-01', coalesce(e.entered_from, date '9999-12-31'), 'share_count_disputed', c.ours, c.theirs,
    c.received_on
from share_checks as c
left join entered as e on e.symbol = c.symbol
where c.verdict = 'disputed'
