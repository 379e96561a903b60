-- Shows STORAGE_AWS_IAM_USER_ARN and STORAGE_AWS_EXTERNAL_ID for the AWS role's trust policy; run as accountadmin
use role accountadmin;
desc integration findata_s3;
