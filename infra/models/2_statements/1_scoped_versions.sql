-- grain: company x dataset x period x version. The versions of the companies' statements, with the time in which each was the newest known.
create or replace temporary table scoped_versions as
with scoped as (select symbol from companies)
select v.*
from staging.statement_versions as v
join scoped as c on c.symbol = v.symbol
