-- grain: company x dataset x period x version. Every version of the companies' statements, with the time range in
-- which the version was the newest known.
create or replace temporary table company_statement_versions as
with recomputed_companies as (select symbol from companies)
select v.*
from staging.statement_versions as v
join recomputed_companies as c on c.symbol = v.symbol
