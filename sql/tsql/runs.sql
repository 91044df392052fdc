-- name: insert_job
-- Work that Dagster or the command line started itself: running from birth, never for a queue worker to claim.
-- Once only, although asked again by who cannot know that it was committed; so is the run below.
insert into vector.job (
    job_id, created_utc, status, job_type, input_json, embedding_space_id, attempt_count, available_utc, locked_by,
    locked_utc
)
select :job_id, :now, 'RUNNING', :job_type, :input_json, :embedding_space_id, 1, :now, :locked_by, :now
where not exists (select 1 from vector.job where job_id = :job_id);

-- name: insert_run
-- The contract keeps the model's name shorter here than in the space, which the run names too.
insert into vector.run (
    run_id, job_id, started_utc, status, worker_id, embedding_space_id, model_name, model_tag,
    model_digest, options_json
)
select
    :run_id, :job_id, :now, 'RUNNING', :worker_id, :embedding_space_id, left(cast(:model_name as nvarchar(200)), 100), :model_tag,
    :model_digest, :options_json
where not exists (select 1 from vector.run where run_id = :run_id);

-- name: update_run_options
update vector.run
set options_json = :options_json
where run_id = :run_id;

-- name: finish_run
update vector.run
set status = :status, completed_utc = :now, metrics_json = :metrics_json, error = :error
where run_id = :run_id and status = 'RUNNING';

-- name: finish_job
update vector.job
set status = :status, last_error = :error
where job_id = :job_id and status = 'RUNNING';

-- name: list_running_runs
-- Candidates for recovery: whoever started them may be gone. A queued job is for the queue to recover.
select
    r.run_id, r.job_id, r.worker_id, r.started_utc, j.job_type, j.input_json, j.locked_by,
    cast(
        case
            when coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
                not in (N'dagster', N'cli') then 1
            else 0
        end as bit
    ) as is_queued
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where r.status = 'RUNNING'
order by r.started_utc;

-- name: list_recent_runs
select top (:limit)
    r.run_id, j.job_type, j.input_json, r.status, r.started_utc, r.completed_utc, r.embedding_space_id,
    r.metrics_json, r.error, j.locked_by
from vector.run as r
join vector.job as j on j.job_id = r.job_id
order by r.started_utc desc, r.run_id;

-- name: list_runs_of_stage
-- Those of a stage that ended since a time, or did not, and those that one Dagster run (or one command) recorded.
select r.run_id
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where (:since is null or r.completed_utc is null or r.completed_utc >= :since or j.locked_by = :locked_by)
    and case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.stage') end = :stage
order by r.started_utc, r.run_id;

-- name: list_last_successes
-- When a run of each stage last succeeded.
select
    coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.stage') end, N'') as stage,
    max(r.completed_utc) as completed_utc
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where r.status = N'SUCCEEDED'
group by coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.stage') end, N'')
order by completed_utc desc, stage;
