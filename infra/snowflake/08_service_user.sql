-- Service user of the functions, with a key pair; run as useradmin, except its grant, which runs as securityadmin
use role useradmin;

-- Type service: no password and no access to Snowsight. No secondary roles, so that it has only the
-- privileges of the loader.
create user if not exists findata_service
    type = service
    rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE'
    default_role = findata_loader
    default_warehouse = findata_wh
    default_namespace = 'findata.scratch'
    default_secondary_roles = ()
    comment = 'findata: load and analytics functions';

-- Replaces the current key immediately. To change keys while the functions keep running, use
-- rotate_key.sql.
alter user findata_service set rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE';

use role securityadmin;
grant role findata_loader to user findata_service;

-- If the functions have fixed egress addresses, restrict the user to them:
--
--   create network rule findata.ops.findata_egress type = ipv4 mode = ingress value_list = ('192.0.2.10/32');
--   create network policy findata_policy allowed_network_rule_list = ('findata.ops.findata_egress');
--   alter user findata_service set network_policy = findata_policy;
