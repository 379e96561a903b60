-- database and schemas; the database as sysadmin, what is in it as findata_deploy, which owns it from here on
use role sysadmin;
create database if not exists findata comment = 'findata: fundamentals and prices';
grant usage on database findata to role findata_deploy;
grant create schema on database findata to role findata_deploy;
grant usage on database findata to role findata_loader;
grant usage on database findata to role findata_reader;

use role findata_deploy;
use database findata;
create schema if not exists raw comment = 'rows as received, and the landing files';
create schema if not exists staging comment = 'rows typed, every version of them';
create schema if not exists analytics comment = 'figures';
create schema if not exists ops comment = 'runs, files, checks, changes';

-- Where the functions' sessions make their temporary tables; nothing stays there, and nothing there is kept for time travel.
create schema if not exists scratch data_retention_time_in_days = 0 comment = 'temporary tables of the functions';
