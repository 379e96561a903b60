-- Warehouse and its monthly credit limit; run as sysadmin, except the monitor, which runs as accountadmin
use role sysadmin;

-- Each resume is billed for at least a minute, so a run uses one session from its first statement to
-- its last. The warehouse suspends a minute later. Xsmall costs one credit an hour and is enough for a
-- few hundred companies.
create warehouse if not exists findata_wh with warehouse_size = 'xsmall' initially_suspended = true;
alter warehouse findata_wh set auto_suspend = 60 auto_resume = true comment = 'findata: load, analytics and readers';

-- No statement of a run takes an hour. One that does is stuck and would cost credits until noticed.
alter warehouse findata_wh set statement_timeout_in_seconds = 3600 statement_queued_timeout_in_seconds = 600;

grant usage on warehouse findata_wh to role findata_deploy;
grant usage on warehouse findata_wh to role findata_loader;
grant usage on warehouse findata_wh to role findata_reader;

-- Only accountadmin may create monitors and assign them to a warehouse. Never use "or replace": it
-- would reset the credits used this month.
use role accountadmin;
create resource monitor if not exists findata_monitor with credit_quota = 20
    frequency = monthly start_timestamp = immediately
    triggers on 75 percent do notify on 90 percent do notify on 100 percent do suspend;
alter resource monitor findata_monitor set credit_quota = 20;
alter warehouse findata_wh set resource_monitor = findata_monitor;
