-- Grants on the objects of findata_deploy; run as securityadmin, which may grant on future tables
use role securityadmin;

-- Loader: load and analytics copy files, select, insert and delete. They never update or truncate, and run DDL only in
-- the schema scratch.
grant usage on schema findata.raw to role findata_loader;
grant usage on stage findata.raw.landing to role findata_loader;
grant usage on file format findata.raw.landing_json to role findata_loader;
grant select, insert on all tables in schema findata.raw to role findata_loader;
grant select, insert on future tables in schema findata.raw to role findata_loader;
-- Old ticks are deleted; other received rows never are.
grant delete on table findata.raw.price_ticks to role findata_loader;

grant usage on schema findata.staging to role findata_loader;
grant select, insert, delete on all tables in schema findata.staging to role findata_loader;
grant select, insert, delete on future tables in schema findata.staging to role findata_loader;
grant select on all views in schema findata.staging to role findata_loader;
grant select on future views in schema findata.staging to role findata_loader;

grant usage on schema findata.analytics to role findata_loader;
grant select, insert, delete on all tables in schema findata.analytics to role findata_loader;
grant select, insert, delete on future tables in schema findata.analytics to role findata_loader;
grant select on all views in schema findata.analytics to role findata_loader;
grant select on future views in schema findata.analytics to role findata_loader;

grant usage on schema findata.ops to role findata_loader;
grant select, insert, delete on all tables in schema findata.ops to role findata_loader;
grant select, insert, delete on future tables in schema findata.ops to role findata_loader;

-- Temporary tables need only the usage privilege on the schema. But analytics renames some of them, which Snowflake
-- treats as creating a table, and keeps the results of slices in tables that it creates and drops.
grant usage on schema findata.scratch to role findata_loader;
grant create table on schema findata.scratch to role findata_loader;

-- Reader: published figures and run metadata, but not the data received from FMP (raw, staging).
grant usage on schema findata.analytics to role findata_reader;
grant select on all tables in schema findata.analytics to role findata_reader;
grant select on future tables in schema findata.analytics to role findata_reader;
grant select on all views in schema findata.analytics to role findata_reader;
grant select on future views in schema findata.analytics to role findata_reader;

grant usage on schema findata.ops to role findata_reader;
grant select on all tables in schema findata.ops to role findata_reader;
grant select on future tables in schema findata.ops to role findata_reader;

-- Quarantined rows are data as FMP sent it, which the reader does not see elsewhere either.
revoke select on table findata.ops.quarantine from role findata_reader;
