-- Roles; run as useradmin, except the grants between roles, which run as securityadmin
use role useradmin;

-- Creates and owns schemas, tables, views, the stage and the file format. Neither functions nor people
-- work with this role.
create role if not exists findata_deploy comment = 'findata: creates and alters schemas and tables';

-- Used by the load and analytics functions.
create role if not exists findata_loader comment = 'findata: loads rows and publishes figures';

-- For people and tools that query the figures.
create role if not exists findata_reader comment = 'findata: reads figures';

use role securityadmin;

-- Every role is granted to sysadmin, so that administrators can see every object.
grant role findata_deploy to role sysadmin;
grant role findata_loader to role sysadmin;
grant role findata_reader to role sysadmin;
