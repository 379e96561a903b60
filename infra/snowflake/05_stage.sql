-- File format and external stage for the landing files; run as findata_deploy
use role findata_deploy;
use database findata;

-- Each line is one JSON object. Its values are strings, so that no number is parsed as a float.
create file format if not exists raw.landing_json type = json compression = gzip comment = 'landing files';

create stage if not exists raw.landing
    url = 's3://findata-bucket/home/'
    storage_integration = findata_s3
    file_format = (format_name = 'raw.landing_json')
    comment = 'landing files';

-- Alters the stage instead of replacing it, so that it keeps its grants when the bucket changes.
alter stage raw.landing set url = 's3://findata-bucket/home/' storage_integration = findata_s3;
