-- Database and schemas; run as sysadmin for the database and as findata_deploy, their owner, for the schemas
use role sysadmin;
create database if not exists findata comment = 'findata: fundamentals and prices';

-- Texts are compared exactly, whatever the account's default is. Existing columns keep their collation.
alter database findata set default_ddl_collation = '';
grant usage on database findata to role findata_deploy;
grant create schema on database findata to role findata_deploy;
grant usage on database findata to role findata_loader;
grant usage on database findata to role findata_reader;

use role findata_deploy;
use database findata;
-- The tables of raw and analytics are transient, so Snowflake does not keep a copy of changed and deleted data for
-- another week (Fail-safe). Both can be rebuilt, raw from the landing files and analytics from staging. Time Travel of
-- a day remains, to compare figures with those before a run or to restore a dropped table.
create schema if not exists raw comment = 'rows as received; stage of the landing files';
create schema if not exists staging comment = 'typed rows, all versions';
create schema if not exists analytics comment = 'published figures';
create schema if not exists ops comment = 'runs, files, checks, changes';

-- Contains the temporary tables of the functions' sessions, and tables that analytics keeps until its next invocation
-- continues. Nothing in it is needed longer, so time travel is off.
create schema if not exists scratch data_retention_time_in_days = 0 comment = 'temporary tables of the functions';
