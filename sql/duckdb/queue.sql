-- The job queue. One process writes at a time here, so a claim needs no locks. A job is the queue's unless `$.origin`
-- of its input says that Dagster or a command recorded it.
--
-- Which rows a write concerns is noted before it, in a temporary table of the session: `returning` would make DuckDB
-- write the whole row anew, which a foreign key forbids as soon as the job has a run.

-- name: enqueue_job
-- A job with the same type and key that waits is answered instead of a new one. One that has ended is no obstacle, and
-- nor is one that runs: it may have looked already.
insert into vector.job (
    job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, available_utc
)
select
    :job_id, :now, 'NEW', :priority, :job_type, :input_json, :embedding_space_id, :max_attempts, :now
where not exists (
    select 1
    from vector.job j
    where j.status = 'NEW'
        and j.job_type = :job_type
        and case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.dedupe_key') end
            = json_extract_string(:input_json, '$.dedupe_key')
);
select
    j.job_id, j.job_id <> :job_id as is_duplicate,
    case when j.job_id <> :job_id then j.status end as existing_status
from vector.job j
where j.job_id = :job_id
    or (
        j.status = 'NEW'
        and j.job_type = :job_type
        and case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.dedupe_key') end
            = json_extract_string(:input_json, '$.dedupe_key')
    )
order by j.created_utc, j.job_id
limit 1;

-- name: claim_next_job
create or replace temp table claimed_job as
select j.job_id
from vector.job j
where j.status = 'NEW'
    and j.available_utc <= :now
    and j.attempt_count < j.max_attempts
    and coalesce(case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.origin') end, 'queue')
        not in ('dagster', 'cli')
    and (:job_types is null or j.job_type in (select unnest(cast(:job_types as varchar[]))))
order by j.priority desc, j.available_utc, j.created_utc, j.job_id
limit 1;
update vector.job
set status = 'RUNNING', locked_by = :worker_id, locked_utc = :now, attempt_count = attempt_count + 1
where job_id in (select job_id from claimed_job);
select
    job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, attempt_count,
    available_utc, locked_by, locked_utc, last_error
from vector.job
where job_id in (select job_id from claimed_job);

-- name: complete_job
-- Nothing where the job is not this worker's: it was recovered, and another may have it.
create or replace temp table finished_job as
select job_id
from vector.job
where job_id = :job_id and status = 'RUNNING' and locked_by = :worker_id;
update vector.job
set status = 'SUCCEEDED', last_error = null
where job_id in (select job_id from finished_job);
select status as final_status
from vector.job
where job_id in (select job_id from finished_job);

-- name: fail_job
-- FAILED brings the job back later, as long as it has attempts left; DEADLETTER is for an error that no retry mends.
create or replace temp table finished_job as
select job_id, :status = 'FAILED' and attempt_count < max_attempts as is_retried
from vector.job
where job_id = :job_id and status = 'RUNNING' and locked_by = :worker_id;
update vector.job as j
set
    status = case when f.is_retried then 'NEW' else 'DEADLETTER' end,
    available_utc = case
        when f.is_retried then cast(:now as timestamp) + to_seconds(:backoff_seconds * j.attempt_count)
        else j.available_utc
    end,
    locked_by = case when f.is_retried then null else j.locked_by end,
    locked_utc = case when f.is_retried then null else j.locked_utc end,
    last_error = left(:error, 4000)
from finished_job f
where f.job_id = j.job_id;
select status as final_status
from vector.job
where job_id in (select job_id from finished_job);

-- name: recover_stale_jobs
-- Jobs whose worker has not renewed its lock for so long that it must be dead, or has a lock without a time, or of the
-- future, which never grows old. The attempt counts: a job that kills its workers ends as a dead letter.
create or replace temp table stale_job as
select job_id, attempt_count < max_attempts as is_retried
from vector.job
where status = 'RUNNING'
    and (
        locked_utc is null
        or locked_utc < cast(:now as timestamp) - to_seconds(:stale_seconds)
        or locked_utc > cast(:now as timestamp) + to_seconds(:stale_seconds)
    )
    and coalesce(case when json_valid(input_json) then json_extract_string(input_json, '$.origin') end, 'queue')
        not in ('dagster', 'cli');
update vector.job as j
set
    status = case when s.is_retried then 'NEW' else 'DEADLETTER' end,
    available_utc = case when s.is_retried then :now else j.available_utc end,
    locked_by = case when s.is_retried then null else j.locked_by end,
    locked_utc = case when s.is_retried then null else j.locked_utc end,
    last_error = concat('its worker ', coalesce(j.locked_by, 'without a name'), ' did not renew its lock for more than ', :stale_seconds, ' s')
from stale_job s
where s.job_id = j.job_id;
select job_id, status as final_status
from vector.job
where job_id in (select job_id from stale_job);

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
select
    job_id, created_utc, status, priority, job_type, input_json, embedding_space_id, max_attempts, attempt_count,
    available_utc, locked_by, locked_utc, last_error
from vector.job
where (:status is null or status = :status)
    and coalesce(case when json_valid(input_json) then json_extract_string(input_json, '$.origin') end, 'queue')
        not in ('dagster', 'cli')
order by created_utc desc, job_id
limit :limit;
