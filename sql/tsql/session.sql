-- What the store itself asks on behalf of its sessions.

-- name: get_write_lock
-- One writing transaction at a time, whatever the number of processes: what they do in between (extracting, embedding)
-- they do side by side. Ends with the transaction. `result` is negative where the lock was not to be had.
declare @result int
exec @result = sp_getapplock
    @Resource = N'holocron_assets', @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = :wait_ms
select @result as result;
