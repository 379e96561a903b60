-- grain: vintage x fiscal_date x basis. The periods whose ratios and growth rates are kept: of a past vintage, only
-- those that can differ from the next vintage's.
create or replace temporary table ratio_inputs as
with periods as (select * from period_inputs)
select p.*
from periods as p
join vintages as l on l.vintage_id = p.vintage_id
where p.fiscal_date >= l.changed_from
