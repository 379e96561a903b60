-- last: STORAGE_AWS_IAM_USER_ARN and STORAGE_AWS_EXTERNAL_ID, which the AWS role has to trust; run as accountadmin
use role accountadmin;
desc integration findata_s3;
