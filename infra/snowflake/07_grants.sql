-- grants on what findata_deploy made; run as securityadmin, since only it may grant on tables to come
use role securityadmin;

-- Loader: what load and analytics do, which is to copy files, to read, to insert and to delete. No update, no truncate, no DDL.
grant usage on schema findata.raw to role findata_loader;
grant usage on stage findata.raw.landing to role findata_loader;
grant usage on file format findata.raw.landing_json to role findata_loader;
grant select, insert on all tables in schema findata.raw to role findata_loader;
grant select, insert on future tables in schema findata.raw to role findata_loader;

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

-- Temporary tables need no more than usage, but analytics renames some, and a new name is a new table to Snowflake.
grant usage on schema findata.scratch to role findata_loader;
grant create table on schema findata.scratch to role findata_loader;

-- Reader: figures and how they came about. What FMP sent (raw, staging) is not for it.
grant usage on schema findata.analytics to role findata_reader;
grant select on all tables in schema findata.analytics to role findata_reader;
grant select on future tables in schema findata.analytics to role findata_reader;
grant select on all views in schema findata.analytics to role findata_reader;
grant select on future views in schema findata.analytics to role findata_reader;

grant usage on schema findata.ops to role findata_reader;
grant select on all tables in schema findata.ops to role findata_reader;
grant select on future tables in schema findata.ops to role findata_reader;
