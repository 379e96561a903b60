-- grain: past vintage x valid_from. Ranges of days [valid_from, valid_to) on which the vintage uses different
-- fundamentals than the next vintage. The figures of these days have an older version.
create or replace temporary table revised_ranges as
with past as (select vintage_id, next_vintage_id from vintages where not is_current),
ranges as (select * from fundamentals_ranges),
contents as (
    select
        r.range_id, r.fundamentals_as_of, r.fundamentals_known_on, o.* exclude (range_id)
        {% if has_custom_operands %}
        , c.* exclude (range_id)
        {% endif %}
    from fundamentals_ranges as r
    join valuation_operands as o on o.range_id = r.range_id
    {% if has_custom_operands %}
    join custom_operands as c on c.range_id = r.range_id
    {% endif %}
),
crossings as (
    select
        p.vintage_id, a.range_id, b.range_id as next_range_id,
        case when a.valid_from > b.valid_from then a.valid_from else b.valid_from end as valid_from,
        case when a.valid_to < b.valid_to then a.valid_to else b.valid_to end as valid_to
    from past as p
    join ranges as a on a.vintage_id = p.vintage_id
    join ranges as b on b.vintage_id = p.next_vintage_id and b.valid_from < a.valid_to and b.valid_to > a.valid_from
),
-- compare whole rows with a set difference, in which NULL equals NULL and no column can be forgotten
differing as (
    select o.range_id, o.next_range_id, c.* exclude (range_id)
    from crossings as o
    join contents as c on c.range_id = o.range_id
    except
    select o.range_id, o.next_range_id, c.* exclude (range_id)
    from crossings as o
    join contents as c on c.range_id = o.next_range_id
)
select o.vintage_id, o.range_id, o.valid_from, o.valid_to
from crossings as o
join differing as d on d.range_id = o.range_id and d.next_range_id = o.next_range_id
