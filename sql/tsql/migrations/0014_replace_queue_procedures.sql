-- What 0004 made, with other rules: a job that runs is no obstacle to enqueueing its key, a job is the queue's unless its
-- `$.origin` says that Dagster or a command recorded it, and a lock without a time or of the future is nobody's.

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
        from vector.job as j
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

-- The next job, or no row. `@job_types` is a JSON array of those that the worker can do; null means all.
create or alter procedure vector.usp_claim_next_job
    @worker_id nvarchar(200),
    @job_types nvarchar(max) = null,
    @now datetime2(7) = null
as
begin
    set nocount on;
    set xact_abort on;
    begin try
        begin transaction;
        set @now = coalesce(@now, sysutcdatetime());
        with next_job as (
            select top (1)
                j.job_id, j.created_utc, j.status, j.priority, j.job_type, j.input_json, j.embedding_space_id,
                j.max_attempts, j.attempt_count, j.available_utc, j.locked_by, j.locked_utc, j.last_error
            from vector.job as j with (readpast, updlock, rowlock)
            where j.status = 'NEW'
                and j.available_utc <= @now
                and j.attempt_count < j.max_attempts
                and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
                    not in (N'dagster', N'cli')
                and (
                    @job_types is null
                    or j.job_type in (select value from openjson(@job_types) with (value nvarchar(50) '$'))
                )
            order by j.priority desc, j.available_utc, j.created_utc, j.job_id
        )
        update next_job
        set status = 'RUNNING', locked_by = @worker_id, locked_utc = @now, attempt_count = attempt_count + 1
        output
            inserted.job_id, inserted.created_utc, inserted.status, inserted.priority, inserted.job_type,
            inserted.input_json, inserted.embedding_space_id, inserted.max_attempts, inserted.attempt_count,
            inserted.available_utc, inserted.locked_by, inserted.locked_utc, inserted.last_error;
        commit transaction;
    end try
    begin catch
        if @@trancount > 0 rollback transaction;
        throw;
    end catch
end;
GO

-- Jobs whose worker has not renewed its lock for so long that it must be dead, or has a lock without a time, or of the
-- future, which never grows old. The attempt counts: a job that kills its workers ends as a dead letter. A row that is locked just now has a worker that lives.
create or alter procedure vector.usp_recover_stale_jobs
    @stale_seconds int,
    @now datetime2(7) = null
as
begin
    set nocount on;
    set xact_abort on;
    begin try
        begin transaction;
        set @now = coalesce(@now, sysutcdatetime());
        update j
        set
            status = case when j.attempt_count < j.max_attempts then 'NEW' else 'DEADLETTER' end,
            available_utc = case when j.attempt_count < j.max_attempts then @now else j.available_utc end,
            locked_by = case when j.attempt_count < j.max_attempts then null else j.locked_by end,
            locked_utc = case when j.attempt_count < j.max_attempts then null else j.locked_utc end,
            last_error = concat(
                N'its worker ', coalesce(j.locked_by, N'without a name'), N' did not renew its lock for more than ', @stale_seconds, N' s'
            )
        output inserted.job_id, inserted.status as final_status
        from vector.job as j with (readpast, updlock, rowlock)
        where j.status = 'RUNNING'
            and (
                j.locked_utc is null
                or j.locked_utc < dateadd(second, -@stale_seconds, @now)
                or j.locked_utc > dateadd(second, @stale_seconds, @now)
            )
            and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
                not in (N'dagster', N'cli');
        commit transaction;
    end try
    begin catch
        if @@trancount > 0 rollback transaction;
        throw;
    end catch
end;
GO
