-- storage integration: which bucket Snowflake may read, by an AWS role and no key; run as accountadmin
use role accountadmin;

-- Never "or replace": the integration would get another external id, and the AWS role would trust the old one.
create storage integration if not exists findata_s3
    type = external_stage
    storage_provider = 'S3'
    enabled = true
    storage_aws_role_arn = 'arn:aws:iam::000000000000:role/findata-snowflake'
    storage_allowed_locations = ('s3://findata-bucket/home/')
    comment = 'findata: landing files';

-- Another role or bucket than before; the external id stays.
alter storage integration findata_s3 set
    storage_aws_role_arn = 'arn:aws:iam::000000000000:role/findata-snowflake'
    storage_allowed_locations = ('s3://findata-bucket/home/');

grant usage on integration findata_s3 to role findata_deploy;
