-- Adds a second key to the service user while the functions keep running; run as useradmin
use role useradmin;

-- Step 1: from now on both keys are valid.
alter user findata_service set rsa_public_key_2 = 'PUT-THE-PUBLIC-KEY-HERE';

-- Step 2: give the functions the new private key and run once with it.
--
-- Step 3, by hand because it revokes the old key: move the new key to the first slot, which frees the
-- second slot for the next rotation.
--
--   alter user findata_service set rsa_public_key = 'PUT-THE-PUBLIC-KEY-HERE';
--   alter user findata_service unset rsa_public_key_2;
