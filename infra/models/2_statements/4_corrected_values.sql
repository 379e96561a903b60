-- grain: company x period x known_from x item. The values of statements that the user corrected or confirmed, with the
-- user's reason, in the versions of periods in which they are in force.
create or replace temporary table corrected_values as
with corrections as (
    select c.*
    from staging.corrections as c
    join companies as r on r.symbol = c.symbol
    where c.kind = 'value' and c.period_type is not null
)
select p.version_id, c.item, max(c.value) as value, max(c.reason) as reason
from period_versions as p
join corrections as c
    on c.symbol = p.symbol and c.period_type = p.period_type
    and p.fiscal_date between c.subject_date - 14 and c.subject_date + 14
    and c.known_from <= p.known_from and (c.known_to is null or c.known_to > p.known_from)
group by p.version_id, c.item
