-- service user that the functions log in as, with a key pair; run as useradmin, its grant as securityadmin
use role useradmin;

-- Of type service: it has no password and no way into Snowsight. No secondary roles, so that it has the loader's rights alone.
create user if not exists findata_service
    type = service
    rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE'
    default_role = findata_loader
    default_warehouse = findata_wh
    default_namespace = 'findata.scratch'
    default_secondary_roles = ()
    comment = 'findata: load and analytics functions';

-- A key given now takes the place of the one before at once; to change keys while functions run, see rotate_key.sql.
alter user findata_service set rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE';

use role securityadmin;
grant role findata_loader to user findata_service;

-- Where the functions leave AWS by addresses of their own, the user may be held to them:
--
--   create network rule findata.ops.findata_egress type = ipv4 mode = ingress value_list = ('192.0.2.10/32');
--   create network policy findata_policy allowed_network_rule_list = ('findata.ops.findata_egress');
--   alter user findata_service set network_policy = findata_policy;
