-- What 0014 made, which no longer waits for a job that another worker is claiming just now: that one is as good as running,
-- and no obstacle. A worker that claims and one that looks, each holding what the other needs, would be a deadlock. With row
-- versions on, `readpast` asks for `readcommittedlock`.

-- A job of the key that waits is answered instead of a new one. One that runs is no obstacle: it may have looked already.
-- Who enqueues a key has to wait for whoever is enqueueing it just now: without that, both would find no job and both
-- would insert one. Keys are compared by their bytes; `json_value` reads those of up to 4000 characters.
create or alter procedure vector.usp_enqueue_job
    @job_type nvarchar(50),
    @input_json nvarchar(max),
    @priority int = 100,
    @embedding_space_id uniqueidentifier = null,
    @max_attempts int = 3,
    @job_id uniqueidentifier = null,
    @now datetime2(7) = null
as
begin
    set nocount on;
    set xact_abort on;
    begin try
        begin transaction;
        set @job_id = coalesce(@job_id, newid());
        set @now = coalesce(@now, sysutcdatetime());
        declare @dedupe_key nvarchar(4000) = json_value(@input_json, '$.dedupe_key');
        declare @lock_name nvarchar(255) = concat(
            N'vector.job ',
            convert(varchar(64), hashbytes('SHA2_256', coalesce(@dedupe_key, cast(@job_id as nvarchar(36)))), 2)
        );
        declare @result int;
        exec @result = sp_getapplock
            @Resource = @lock_name, @LockMode = N'Exclusive', @LockOwner = N'Transaction';
        if @result < 0 throw 51222, N'another transaction is enqueueing a job with this dedupe_key', 1;
        declare @existing_job_id uniqueidentifier;
        declare @existing_status varchar(20);
        select top (1) @existing_job_id = j.job_id, @existing_status = j.status
        from vector.job as j with (readpast, rowlock, readcommittedlock)
        where j.status = 'NEW'
            and j.job_type = @job_type
            and cast(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.dedupe_key') end as varbinary(max))
                = cast(@dedupe_key as varbinary(max))
        order by j.created_utc, j.job_id;
        insert into vector.job (
            job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, available_utc
        )
        select @job_id, @now, 'NEW', @priority, @job_type, @input_json, @embedding_space_id, @max_attempts, @now
        where @existing_job_id is null;
        select
            coalesce(@existing_job_id, @job_id) as job_id,
            cast(case when @existing_job_id is null then 0 else 1 end as bit) as is_duplicate,
            @existing_status as existing_status;
        commit transaction;
    end try
    begin catch
        if @@trancount > 0 rollback transaction;
        throw;
    end catch
end;
GO
