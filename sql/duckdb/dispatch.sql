-- Dispatching the queue: jobs are taken, finished and given up by kinds, never one by one. Jobs of one kind have the
-- same type and space, and their input says the same of what a run needs to know. A job is the queue's unless
-- `$.origin` of its input says that Dagster or a command recorded it.

-- name: list_waiting_work
-- What waits, by kind, and before all others what may be taken: `place` is where its first job stands in the queue, a job
-- that failed where it stood before. `is_paused`: these failed, and may not be taken before `available_utc`.
-- `is_exhausted`: no claim ever takes these, because they have no attempt left.
-- Each input is read once, because reading ten thousand of them is what this costs.
with waiting as (
    select
        n.job_type, n.embedding_space_id,
        coalesce(json_type(n.body) = 'OBJECT', false) as is_object,
        json_extract_string(n.body, ['$.origin', '$.space', '$.source', '$.replace', '$.source_id']) as said,
        n.attempt_count >= n.max_attempts as is_exhausted,
        n.available_utc > :now as is_paused,
        n.available_utc,
        row_number() over (
            order by
                n.priority desc, case when n.attempt_count > 0 then n.created_utc else n.available_utc end,
                n.created_utc, n.job_id
        ) as place
    from (
        select j.*, case when json_valid(j.input_json) then j.input_json end as body
        from vector.job j
        where j.status = 'NEW' and (j.available_utc <= :now or j.attempt_count > 0)
    ) n
),
own as (
    select
        s.job_type, s.embedding_space_id, s.is_object, s.said[2] as space, s.said[3] as source_prefix,
        s.said[4] as replaces, s.said[5] is not null as names_source, s.is_exhausted, s.is_paused, s.available_utc,
        s.place
    from waiting s
    where coalesce(s.said[1], 'queue') not in ('dagster', 'cli')
)
select
    w.job_type, w.embedding_space_id, w.is_object, w.space, w.source_prefix, w.replaces, w.names_source,
    w.is_exhausted, w.is_paused, count(*) as jobs, min(w.place) as place, min(w.available_utc) as available_utc
from own w
group by w.job_type, w.embedding_space_id, w.is_object, w.space, w.source_prefix, w.replaces, w.names_source,
    w.is_exhausted, w.is_paused
order by w.is_paused, min(w.place)
limit :limit;

-- name: list_claimed_work
-- What one dispatcher has claimed, by claim and kind; its workers' ids begin with `:claims`.
with claimed as (
    select
        n.job_type, n.embedding_space_id, coalesce(json_type(n.body) = 'OBJECT', false) as is_object,
        json_extract_string(n.body, ['$.space', '$.source', '$.replace', '$.source_id']) as said, n.locked_by,
        coalesce(n.locked_utc, timestamp '1900-01-01') as locked_utc
    from (
        select j.*, case when json_valid(j.input_json) then j.input_json end as body
        from vector.job j
        where j.status = 'RUNNING' and starts_with(j.locked_by, :claims)
    ) n
)
select
    c.job_type, c.embedding_space_id, c.is_object, c.said[1] as space, c.said[2] as source_prefix,
    c.said[3] as replaces, c.said[4] is not null as names_source, c.locked_by, count(*) as jobs,
    min(c.locked_utc) as locked_utc
from claimed c
group by c.job_type, c.embedding_space_id, c.is_object, c.said[1], c.said[2], c.said[3], c.said[4] is not null,
    c.locked_by
order by min(c.locked_utc), c.locked_by;

-- name: get_queue_times
-- `stale`: jobs of whatever worker that `recover_stale_jobs` brings back. `later`: jobs that wait for their time;
-- `misdated`: those of them that `release_misdated_jobs` lets go.
select r.stale, w.later, w.misdated
from (
    select count(*) as stale
    from vector.job j
    where j.status = 'RUNNING'
        and (
            j.locked_utc is null
            or j.locked_utc < cast(:now as timestamp) - to_seconds(:stale_seconds)
            or j.locked_utc > cast(:now as timestamp) + to_seconds(:stale_seconds)
        )
        and coalesce(case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.origin') end, 'queue')
            not in ('dagster', 'cli')
) r
cross join (
    select
        count(*) as later,
        count(*) filter (
            where j.available_utc > case
                when j.attempt_count > 0 or j.last_error is not null
                    then cast(:now as timestamp)
                        + to_seconds(greatest(:backoff_seconds * j.attempt_count, :least_seconds))
                when j.created_utc > :now then cast(:now as timestamp)
                else j.available_utc
            end
        ) as misdated
    from vector.job j
    where j.status = 'NEW' and j.available_utc > :now
) w;

-- name: release_misdated_jobs
-- A clock that was put back since dated these: those that failed wait for longer than any pause, and the others were
-- enqueued in what is the future now. A new job that was enqueued for later is left to wait.
update vector.job
set available_utc = :now
where status = 'NEW'
    and available_utc > case
        when attempt_count > 0 or last_error is not null
            then cast(:now as timestamp) + to_seconds(greatest(:backoff_seconds * attempt_count, :least_seconds))
        when created_utc > :now then cast(:now as timestamp)
        else available_utc
    end;

-- name: claim_jobs
-- The jobs of one kind that wait, the first of them, become this worker's. Found again by the number of their rows: of a
-- key, DuckDB would look up each in its index.
update vector.job
set status = 'RUNNING', locked_by = :worker_id, locked_utc = :now, attempt_count = attempt_count + 1
where rowid in (
    with asked as materialized (
        select
            n.number, n.job_id, n.priority, n.available_utc, n.created_utc,
            coalesce(json_type(n.body) = 'OBJECT', false) as is_object,
            json_extract_string(n.body, ['$.origin', '$.space', '$.source', '$.replace', '$.source_id']) as said
        from (
            select j.rowid as number, j.*, case when json_valid(j.input_json) then j.input_json end as body
            from vector.job j
            where j.status = 'NEW'
                and j.available_utc <= :now
                and j.attempt_count < j.max_attempts
                and j.job_type = :job_type
                and j.embedding_space_id is not distinct from :embedding_space_id
        ) n
    )
    select a.number
    from asked a
    where coalesce(a.said[1], 'queue') not in ('dagster', 'cli')
        and a.is_object = :is_object
        and a.said[2] is not distinct from :space
        and a.said[3] is not distinct from :source_prefix
        and a.said[4] is not distinct from :replaces
        and (a.said[5] is not null) = :names_source
    order by a.priority desc, a.available_utc, a.created_utc, a.job_id
    limit :limit
);

-- name: fail_waiting_jobs
-- The jobs of one kind that wait are given up, because nobody can do them.
update vector.job
set status = 'DEADLETTER', last_error = left(:error, 4000)
where rowid in (
    with asked as materialized (
        select
            n.number, n.job_id, n.priority, n.available_utc, n.created_utc,
            coalesce(json_type(n.body) = 'OBJECT', false) as is_object,
            json_extract_string(n.body, ['$.origin', '$.space', '$.source', '$.replace', '$.source_id']) as said
        from (
            select j.rowid as number, j.*, case when json_valid(j.input_json) then j.input_json end as body
            from vector.job j
            where j.status = 'NEW'
                and j.available_utc <= :now
                and (j.attempt_count >= j.max_attempts) = :is_exhausted
                and j.job_type = :job_type
                and j.embedding_space_id is not distinct from :embedding_space_id
        ) n
    )
    select a.number
    from asked a
    where coalesce(a.said[1], 'queue') not in ('dagster', 'cli')
        and a.is_object = :is_object
        and a.said[2] is not distinct from :space
        and a.said[3] is not distinct from :source_prefix
        and a.said[4] is not distinct from :replaces
        and (a.said[5] is not null) = :names_source
    order by a.priority desc, a.available_utc, a.created_utc, a.job_id
    limit :limit
);

-- name: renew_claim
-- The worker of all these jobs still lives.
update vector.job
set locked_utc = :now
where status = 'RUNNING' and locked_by = :worker_id;

-- name: complete_claim
-- The jobs of a claim succeeded; from now on they are locked by the run that did them, for whoever asks.
update vector.job
set status = 'SUCCEEDED', last_error = null, locked_by = :done_by
where status = 'RUNNING' and locked_by = :worker_id;

-- name: fail_claim
-- As `fail_job`, for all jobs of a claim.
update vector.job
set
    status = case when :status = 'FAILED' and attempt_count < max_attempts then 'NEW' else 'DEADLETTER' end,
    available_utc = case
        when :status = 'FAILED' and attempt_count < max_attempts
            then cast(:now as timestamp) + to_seconds(:backoff_seconds * attempt_count)
        else available_utc
    end,
    locked_by = case when :status = 'FAILED' and attempt_count < max_attempts then null else :done_by end,
    locked_utc = case when :status = 'FAILED' and attempt_count < max_attempts then null else locked_utc end,
    last_error = left(:error, 4000)
where status = 'RUNNING' and locked_by = :worker_id;

-- name: fail_unread_jobs
-- Those of a claim that name a source which its run could not read, or did not find.
update vector.job as j
set status = 'DEADLETTER', locked_by = :done_by, last_error = left(u.error, 4000)
from (
    select
        q.job_id,
        case
            when x.source_id is null then concat('no record names the source ', q.source_id)
            else concat(
                'the newest record of ', q.source_id, ' cannot be read, ', v.reason,
                '. When that is mended, requeue the job'
            )
        end as error
    from (
        select
            job_id,
            case when json_valid(input_json) then json_extract_string(input_json, '$.source_id') end as source_id
        from vector.job
        where status = 'RUNNING' and locked_by = :worker_id
    ) q
    left join vector.source_registry x on x.source_id = q.source_id
    left join vector.vw_source_candidates v on v.source_id = q.source_id and v.state = 'error'
    where q.source_id is not null and (x.source_id is null or v.state = 'error')
) u
where u.job_id = j.job_id;

-- name: count_jobs
-- The queue's, by status and type.
select j.status, j.job_type, count(*) as n
from vector.job j
where coalesce(case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.origin') end, 'queue')
    not in ('dagster', 'cli')
group by j.status, j.job_type
order by j.status, j.job_type;

-- name: end_waiting_job
-- What waits, or what another program called FAILED: a job that runs is its worker's.
update vector.job
set status = 'DEADLETTER', last_error = :error
where job_id = :job_id
    and status in ('NEW', 'FAILED')
    and coalesce(case when json_valid(input_json) then json_extract_string(input_json, '$.origin') end, 'queue')
        not in ('dagster', 'cli');

-- name: list_dead_jobs
-- The queue's dead letters that nobody cancelled, with what each asks for.
select
    n.job_id, n.job_type, n.embedding_space_id, coalesce(json_type(n.body) = 'OBJECT', false) as is_object,
    json_extract_string(n.body, '$.space') as space, json_extract_string(n.body, '$.source') as source_prefix,
    json_extract_string(n.body, '$.replace') as replaces,
    json_extract_string(n.body, '$.source_id') is not null as names_source
from (
    select j.*, case when json_valid(j.input_json) then j.input_json end as body
    from vector.job j
    where j.status in ('DEADLETTER', 'FAILED') and coalesce(j.last_error, '') <> :cancelled
) n
where coalesce(json_extract_string(n.body, '$.origin'), 'queue') not in ('dagster', 'cli');

-- name: release_dead_jobs
-- Those named wait again, with all their attempts, where they are dead letters, or FAILED as another program left them.
-- Of those with one key only the newest does, and none whose key waits again.
update vector.job
set
    status = 'NEW', attempt_count = 0, max_attempts = case when max_attempts < 1 then 1 else max_attempts end,
    available_utc = :now, locked_by = null, locked_utc = null
where job_id in (
    select d.job_id
    from (
        select
            j.job_id, j.job_type, j.dedupe_key,
            row_number() over (
                partition by j.job_type, coalesce(j.dedupe_key, cast(j.job_id as varchar))
                order by j.created_utc desc, j.job_id
            ) as age
        from (
            select
                j.job_id, j.job_type, j.created_utc,
                case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.dedupe_key') end
                    as dedupe_key
            from vector.job j
            where j.status in ('DEADLETTER', 'FAILED')
                and coalesce(
                    case when json_valid(j.input_json) then json_extract_string(j.input_json, '$.origin') end, 'queue'
                ) not in ('dagster', 'cli')
        ) j
        where j.job_id in (select unnest(cast(:job_ids as uuid[])))
    ) d
    where d.age = 1
        and not exists (
            select 1
            from vector.job l
            where l.status = 'NEW'
                and l.job_type = d.job_type
                and case when json_valid(l.input_json) then json_extract_string(l.input_json, '$.dedupe_key') end
                    = d.dedupe_key
        )
);
