-- Drops everything, including the figures; files on S3 stay. Run as accountadmin, which may use each owner's role
use role useradmin;
drop user if exists findata_service;

use role sysadmin;
drop database if exists findata;
drop warehouse if exists findata_wh;

use role accountadmin;
drop integration if exists findata_s3;
drop resource monitor if exists findata_monitor;

use role useradmin;
drop role if exists findata_reader;
drop role if exists findata_loader;
drop role if exists findata_deploy;
