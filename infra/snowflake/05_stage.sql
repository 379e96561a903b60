-- file format and external stage over the landing files; run as findata_deploy
use role findata_deploy;
use database findata;

-- A line is one JSON object; its values are texts, so that no number is read as a float on the way.
create file format if not exists raw.landing_json type = json compression = gzip comment = 'landing files';

create stage if not exists raw.landing
    url = 's3://findata-bucket/home/'
    storage_integration = findata_s3
    file_format = (format_name = 'raw.landing_json')
    comment = 'landing files';

-- The stage keeps its name and its grants when the bucket changes.
alter stage raw.landing set url = 's3://findata-bucket/home/' storage_integration = findata_s3;
