-- Storage integration: lets Snowflake read the bucket through an AWS role, without a key; run as accountadmin
use role accountadmin;

-- Never use "or replace": the integration would get a new external id, and the AWS role would still
-- trust the old one.
create storage integration if not exists findata_s3
    type = external_stage
    storage_provider = 'S3'
    enabled = true
    storage_aws_role_arn = 'arn:aws:iam::000000000000:role/findata-snowflake'
    storage_allowed_locations = ('s3://findata-bucket/home/')
    comment = 'findata: landing files';

-- Applies a changed role or bucket; the external id stays the same.
alter storage integration findata_s3 set
    storage_aws_role_arn = 'arn:aws:iam::000000000000:role/findata-snowflake'
    storage_allowed_locations = ('s3://findata-bucket/home/');

grant usage on integration findata_s3 to role findata_deploy;
