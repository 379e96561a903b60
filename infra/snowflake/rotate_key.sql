-- a new key for the service user while the functions go on; run as useradmin
use role useradmin;

-- First: both keys hold.
alter user findata_service set rsa_public_key_2 = 'PUT-THE-PUBLIC-KEY-HERE';

-- Then give the functions the new private key, and run once with it.
--
-- Last, by hand, since it ends the old key: the new one takes the first place, and the second is free for the next change.
--
--   alter user findata_service set rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE';
--   alter user findata_service unset rsa_public_key_2;
