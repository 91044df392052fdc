-- The job queue: the procedures that every program calls, from `migrations/0004_create_queue_procedures.sql`, and what
-- is asked beside them. A job is the queue's unless `$.origin` of its input says that Dagster or a command
-- recorded it.

-- name: enqueue_job
exec vector.usp_enqueue_job
    @job_type = :job_type, @input_json = :input_json, @priority = :priority, @embedding_space_id = :embedding_space_id,
    @max_attempts = :max_attempts, @job_id = :job_id, @now = :now;

-- name: claim_next_job
exec vector.usp_claim_next_job @worker_id = :worker_id, @job_types = :job_types, @now = :now;

-- name: complete_job
exec vector.usp_complete_job @job_id = :job_id, @worker_id = :worker_id, @status = 'SUCCEEDED';

-- name: fail_job
exec vector.usp_complete_job
    @job_id = :job_id, @worker_id = :worker_id, @status = :status, @error = :error, @backoff_seconds = :backoff_seconds,
    @now = :now;

-- name: recover_stale_jobs
exec vector.usp_recover_stale_jobs @stale_seconds = :stale_seconds, @now = :now;

-- name: renew_job_lock
-- Only its worker's own: a job that was recovered meanwhile may be another's.
update vector.job
set locked_utc = :now
where job_id = :job_id and status = 'RUNNING' and locked_by = :worker_id;

-- name: get_job
select
    job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, attempt_count,
    available_utc, locked_by, locked_utc, last_error
from vector.job
where job_id = :job_id;

-- name: list_jobs
-- The queue's own, the newest first.
select top (:limit)
    job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, attempt_count,
    available_utc, locked_by, locked_utc, last_error
from vector.job
where (:status is null or status = :status)
    and coalesce(case when isjson(input_json) = 1 then json_value(input_json, '$.origin') end, N'queue') not in (N'dagster', N'cli')
order by created_utc desc, job_id;
