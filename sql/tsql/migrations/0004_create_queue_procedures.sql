-- The job queue, for every program that can call a procedure. Parameters and results are those of the llm.usp_*
-- procedures where they correspond (docs/decisions/0010-job-queue.md). A job is the queue's unless `$.origin` of its
-- input names another. Each procedure is a transaction of its own, or a part of the caller's.

-- In the order in which jobs are claimed: a claim reads, and so locks, the one row that it takes. Sorting would lock
-- every job that waits, and other workers would find nothing.
if not exists (
    select 1 from sys.indexes where name = N'IX_vector_job_next' and object_id = object_id(N'vector.job')
)
    create index IX_vector_job_next
        on vector.job (priority desc, available_utc, created_utc, job_id)
        include (job_type, attempt_count, max_attempts)
        where status = 'NEW';
GO

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
        where j.status in ('NEW', 'RUNNING')
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
                    = N'queue'
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

-- SUCCEEDED ends a job, and so does DEADLETTER, for an error that no retry will mend. FAILED brings it back later, as
-- long as it has attempts left. No row where the job is not this worker's: it was recovered, and another may have it.
create or alter procedure vector.usp_complete_job
    @job_id uniqueidentifier,
    @worker_id nvarchar(200),
    @status varchar(20),
    @error nvarchar(max) = null,
    @backoff_seconds int = 60,
    @now datetime2(7) = null
as
begin
    set nocount on;
    set xact_abort on;
    begin try
        begin transaction;
        set @now = coalesce(@now, sysutcdatetime());
        if @status not in ('SUCCEEDED', 'FAILED', 'DEADLETTER')
            throw 51000, N'a job is completed with SUCCEEDED, FAILED or DEADLETTER', 1;
        declare @retried bit;
        select @retried = case when @status = 'FAILED' and j.attempt_count < j.max_attempts then 1 else 0 end
        from vector.job as j with (updlock, rowlock)
        where j.job_id = @job_id;
        update vector.job
        set
            status = case when @retried = 1 then 'NEW' when @status = 'FAILED' then 'DEADLETTER' else @status end,
            available_utc = case
                when @retried = 1 then dateadd(second, @backoff_seconds * attempt_count, @now) else available_utc
            end,
            locked_by = case when @retried = 1 then null else locked_by end,
            locked_utc = case when @retried = 1 then null else locked_utc end,
            last_error = left(@error collate Latin1_General_100_CI_AS_SC, 4000)
        output inserted.status as final_status
        where job_id = @job_id and status = 'RUNNING' and locked_by = @worker_id;
        commit transaction;
    end try
    begin catch
        if @@trancount > 0 rollback transaction;
        throw;
    end catch
end;
GO

-- Jobs whose worker has not renewed its lock for so long that it must be dead. The attempt counts: a job that kills its
-- workers ends as a dead letter. A row that is locked just now has a worker that lives.
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
                N'its worker ', j.locked_by, N' did not renew its lock for more than ', @stale_seconds, N' s'
            )
        output inserted.job_id, inserted.status as final_status
        from vector.job as j with (readpast, updlock, rowlock)
        where j.status = 'RUNNING'
            and j.locked_utc < dateadd(second, -@stale_seconds, @now)
            and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
                = N'queue';
        commit transaction;
    end try
    begin catch
        if @@trancount > 0 rollback transaction;
        throw;
    end catch
end;
GO
