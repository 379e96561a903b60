-- roles: who may do what; run as useradmin, the grants between roles as securityadmin
use role useradmin;

-- Makes and owns schemas, tables, views, stage and file format; nobody works with data as this role.
create role if not exists findata_deploy comment = 'findata: creates and changes tables';

-- What the load and the analytics function log in as.
create role if not exists findata_loader comment = 'findata: loads rows and publishes figures';

-- For people and tools that read figures.
create role if not exists findata_reader comment = 'findata: reads figures';

use role securityadmin;

-- Every role ends at sysadmin, so that no object is out of the administrators' sight.
grant role findata_deploy to role sysadmin;
grant role findata_loader to role sysadmin;
grant role findata_reader to role sysadmin;
