-- warehouse: what computes, and what it may cost a month; run as sysadmin, the monitor as accountadmin
use role sysadmin;

-- A resume costs a minute at least, so a run works in one session from its first statement to its last; a minute after it the
-- warehouse is asleep. Xsmall is one credit an hour, and enough for a few hundred companies.
create warehouse if not exists findata_wh with warehouse_size = 'xsmall' initially_suspended = true;
alter warehouse findata_wh set auto_suspend = 60 auto_resume = true comment = 'findata: load, analytics and readers';

-- No statement of a run takes an hour; one that does is lost, and would cost until somebody sees it.
alter warehouse findata_wh set statement_timeout_in_seconds = 3600 statement_queued_timeout_in_seconds = 600;

grant usage on warehouse findata_wh to role findata_deploy;
grant usage on warehouse findata_wh to role findata_loader;
grant usage on warehouse findata_wh to role findata_reader;

-- Only accountadmin may make monitors and tie them to a warehouse. Never "or replace": that would forget what was used this month.
use role accountadmin;
create resource monitor if not exists findata_monitor with credit_quota = 20 frequency = monthly start_timestamp = immediately
    triggers on 75 percent do notify on 90 percent do notify on 100 percent do suspend;
alter resource monitor findata_monitor set credit_quota = 20;
alter warehouse findata_wh set resource_monitor = findata_monitor;
