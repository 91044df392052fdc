-- Dispatching the queue: jobs are taken, finished and given up by kinds, never one by one. Jobs of one kind have the
-- same type and space, and their input says the same of what a run needs to know. A job is the queue's unless
-- `$.origin` of its input says that Dagster or a command recorded it.

-- name: list_waiting_work
-- What waits, by kind, and before all others what may be taken: `place` is where its first job stands in the queue, a job
-- that failed where it stood before. `is_paused`: these failed, and may not be taken before `available_utc`.
-- `is_exhausted`: no claim ever takes these, because they have no attempt left.
with waiting as (
    select
        j.job_type, j.embedding_space_id,
        cast(
            case
                when isjson(j.input_json) = 1
                    and charindex(N'{', j.input_json) between 1 and charindex(N'[', concat(j.input_json, N'[')) then 1
                else 0
            end as bit
        ) as is_object,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.space'), cast(json_query(j.input_json, '$.space') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as space,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.source'), cast(json_query(j.input_json, '$.source') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as source_prefix,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.replace'), cast(json_query(j.input_json, '$.replace') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as replaces,
        cast(
            case
                when isjson(j.input_json) = 1
                    and coalesce(
                        json_value(j.input_json, '$.source_id'),
                        cast(json_query(j.input_json, '$.source_id') as nvarchar(max))
                    ) is not null then 1
                else 0
            end as bit
        ) as names_source,
        cast(case when j.attempt_count >= j.max_attempts then 1 else 0 end as bit) as is_exhausted,
        cast(case when j.available_utc > :now then 1 else 0 end as bit) as is_paused,
        j.available_utc,
        row_number() over (
            order by
                j.priority desc, case when j.attempt_count > 0 then j.created_utc else j.available_utc end,
                j.created_utc, j.job_id
        ) as place
    from vector.job as j
    where j.status = 'NEW'
        and (j.available_utc <= :now or j.attempt_count > 0)
        and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
            not in (N'dagster', N'cli')
)
select top (:limit)
    w.job_type, w.embedding_space_id, w.is_object, w.space, w.source_prefix, w.replaces, w.names_source,
    w.is_exhausted, w.is_paused, count(*) as jobs, min(w.place) as place, min(w.available_utc) as available_utc
from waiting as w
group by w.job_type, w.embedding_space_id, w.is_object, w.space, w.source_prefix, w.replaces, w.names_source,
    w.is_exhausted, w.is_paused
order by w.is_paused, min(w.place);

-- name: list_claimed_work
-- What one dispatcher has claimed, by claim and kind; its workers' ids begin with `:claims`.
with claimed as (
    select
        j.job_type, j.embedding_space_id,
        cast(
            case
                when isjson(j.input_json) = 1
                    and charindex(N'{', j.input_json) between 1 and charindex(N'[', concat(j.input_json, N'[')) then 1
                else 0
            end as bit
        ) as is_object,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.space'), cast(json_query(j.input_json, '$.space') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as space,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.source'), cast(json_query(j.input_json, '$.source') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as source_prefix,
        case
            when isjson(j.input_json) = 1
                then coalesce(
                    json_value(j.input_json, '$.replace'), cast(json_query(j.input_json, '$.replace') as nvarchar(max))
                )
        end collate Latin1_General_100_BIN2 as replaces,
        cast(
            case
                when isjson(j.input_json) = 1
                    and coalesce(
                        json_value(j.input_json, '$.source_id'),
                        cast(json_query(j.input_json, '$.source_id') as nvarchar(max))
                    ) is not null then 1
                else 0
            end as bit
        ) as names_source,
        j.locked_by,
        coalesce(j.locked_utc, cast('1900-01-01' as datetime2(7))) as locked_utc
    from vector.job as j
    where j.status = 'RUNNING' and j.locked_by like concat(:claims, N'%')
)
select
    c.job_type, c.embedding_space_id, c.is_object, c.space, c.source_prefix, c.replaces, c.names_source, c.locked_by,
    count(*) as jobs, min(c.locked_utc) as locked_utc
from claimed as c
group by c.job_type, c.embedding_space_id, c.is_object, c.space, c.source_prefix, c.replaces, c.names_source,
    c.locked_by
order by min(c.locked_utc), c.locked_by;

-- name: get_queue_times
-- `stale`: jobs of whatever worker that `recover_stale_jobs` brings back. `later`: jobs that wait for their time;
-- `misdated`: those of them that `release_misdated_jobs` lets go.
select r.stale, w.later, w.misdated
from (
    select count(*) as stale
    from vector.job as j
    where j.status = 'RUNNING'
        and (
            j.locked_utc is null
            or j.locked_utc < dateadd(second, 0 - cast(:stale_seconds as int), cast(:now as datetime2(7)))
            or j.locked_utc > dateadd(second, cast(:stale_seconds as int), cast(:now as datetime2(7)))
        )
        and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
            not in (N'dagster', N'cli')
) as r
cross join (
    select
        count(*) as later,
        coalesce(
            sum(
                case
                    when j.available_utc > case
                        when j.attempt_count > 0 or j.last_error is not null
                            then dateadd(
                                second,
                                case
                                    when cast(:backoff_seconds as int) * j.attempt_count > cast(:least_seconds as int)
                                        then cast(:backoff_seconds as int) * j.attempt_count
                                    else cast(:least_seconds as int)
                                end,
                                cast(:now as datetime2(7))
                            )
                        when j.created_utc > :now then cast(:now as datetime2(7))
                        else j.available_utc
                    end then 1
                    else 0
                end
            ),
            0
        ) as misdated
    from vector.job as j
    where j.status = 'NEW' and j.available_utc > :now
) as w;

-- name: release_misdated_jobs
-- A clock that was put back since dated these: those that failed wait for longer than any pause, and the others were
-- enqueued in what is the future now. A new job that was enqueued for later is left to wait.
update vector.job
set available_utc = :now
where status = 'NEW'
    and available_utc > case
        when attempt_count > 0 or last_error is not null
            then dateadd(
                second,
                case
                    when cast(:backoff_seconds as int) * attempt_count > cast(:least_seconds as int)
                        then cast(:backoff_seconds as int) * attempt_count
                    else cast(:least_seconds as int)
                end,
                cast(:now as datetime2(7))
            )
        when created_utc > :now then cast(:now as datetime2(7))
        else available_utc
    end;

-- name: claim_jobs
-- The jobs of one kind that wait, the first of them, become this worker's; a row that is locked just now is another's.
with next_jobs as (
    select top (:limit) j.status, j.locked_by, j.locked_utc, j.attempt_count
    from vector.job as j with (readpast, updlock, rowlock)
    where j.status = 'NEW'
        and j.available_utc <= :now
        and j.attempt_count < j.max_attempts
        and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
            not in (N'dagster', N'cli')
        and j.job_type = :job_type
        and exists (select j.embedding_space_id intersect select cast(:embedding_space_id as uniqueidentifier))
        and case
            when isjson(j.input_json) = 1
                and charindex(N'{', j.input_json) between 1 and charindex(N'[', concat(j.input_json, N'[')) then 1
            else 0
        end = :is_object
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.space'),
                            cast(json_query(j.input_json, '$.space') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:space as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.source'),
                            cast(json_query(j.input_json, '$.source') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:source_prefix as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.replace'),
                            cast(json_query(j.input_json, '$.replace') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:replaces as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and case
            when isjson(j.input_json) = 1
                and coalesce(
                    json_value(j.input_json, '$.source_id'),
                    cast(json_query(j.input_json, '$.source_id') as nvarchar(max))
                ) is not null then 1
            else 0
        end = :names_source
    order by j.priority desc, j.available_utc, j.created_utc, j.job_id
)
update next_jobs
set status = 'RUNNING', locked_by = :worker_id, locked_utc = :now, attempt_count = attempt_count + 1;

-- name: fail_waiting_jobs
-- The jobs of one kind that wait are given up, because nobody can do them.
with next_jobs as (
    select top (:limit) j.status, j.last_error
    from vector.job as j with (readpast, updlock, rowlock)
    where j.status = 'NEW'
        and j.available_utc <= :now
        and case when j.attempt_count >= j.max_attempts then 1 else 0 end = :is_exhausted
        and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
            not in (N'dagster', N'cli')
        and j.job_type = :job_type
        and exists (select j.embedding_space_id intersect select cast(:embedding_space_id as uniqueidentifier))
        and case
            when isjson(j.input_json) = 1
                and charindex(N'{', j.input_json) between 1 and charindex(N'[', concat(j.input_json, N'[')) then 1
            else 0
        end = :is_object
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.space'),
                            cast(json_query(j.input_json, '$.space') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:space as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.source'),
                            cast(json_query(j.input_json, '$.source') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:source_prefix as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and exists (
            select
                case
                    when isjson(j.input_json) = 1
                        then coalesce(
                            json_value(j.input_json, '$.replace'),
                            cast(json_query(j.input_json, '$.replace') as nvarchar(max))
                        )
                end collate Latin1_General_100_BIN2
            intersect select cast(:replaces as nvarchar(max)) collate Latin1_General_100_BIN2
        )
        and case
            when isjson(j.input_json) = 1
                and coalesce(
                    json_value(j.input_json, '$.source_id'),
                    cast(json_query(j.input_json, '$.source_id') as nvarchar(max))
                ) is not null then 1
            else 0
        end = :names_source
    order by j.priority desc, j.available_utc, j.created_utc, j.job_id
)
update next_jobs
set status = 'DEADLETTER', last_error = left(:error, 4000);

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
            then dateadd(second, :backoff_seconds * attempt_count, cast(:now as datetime2(7)))
        else available_utc
    end,
    locked_by = case when :status = 'FAILED' and attempt_count < max_attempts then null else :done_by end,
    locked_utc = case when :status = 'FAILED' and attempt_count < max_attempts then null else locked_utc end,
    last_error = left(:error, 4000)
where status = 'RUNNING' and locked_by = :worker_id;

-- name: fail_unread_jobs
-- Those of a claim that name a source which its run could not read, or did not find. The view of candidates says the same
-- of every record there is; here it is asked of these sources alone.
update j
set status = 'DEADLETTER', locked_by = :done_by, last_error = left(u.error, 4000)
from vector.job as j
join (
    select
        q.job_id,
        case
            when x.source_id is null then concat(N'no record names the source ', q.source_id)
            else concat(
                N'the newest record of ', q.source_id, N' cannot be read, ',
                coalesce(
                    (
                        select top (1) s.reason
                        from vector.ingest_seen as k
                        join vector.ingest_seen as s on s.resource_key = k.resource_key
                        where k.ingest_id = x.ingest_id
                        order by s.fetched_at_utc desc, s.ingest_id desc
                    ),
                    N'its newest record could not be read'
                ),
                N'. When that is mended, requeue the job'
            )
        end as error
    from (
        select
            job_id,
            case when isjson(input_json) = 1 then json_value(input_json, '$.source_id') end as source_id
        from vector.job
        where status = 'RUNNING' and locked_by = :worker_id
    ) as q
    left join vector.source_registry as x on x.source_id = q.source_id
    where q.source_id is not null
        and (x.source_id is null or (x.ingest_id is not null and x.status = N'error'))
) as u on u.job_id = j.job_id
where j.status = 'RUNNING';

-- name: count_jobs
-- The queue's, by status and type.
select j.status, j.job_type, count(*) as n
from vector.job as j
where coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue') not in (N'dagster', N'cli')
group by j.status, j.job_type
order by j.status, j.job_type;

-- name: end_waiting_job
-- What waits, or what another program called FAILED: a job that runs is its worker's.
update vector.job
set status = 'DEADLETTER', last_error = :error
where job_id = :job_id
    and status in ('NEW', 'FAILED')
    and coalesce(case when isjson(input_json) = 1 then json_value(input_json, '$.origin') end, N'queue') not in (N'dagster', N'cli');

-- name: list_dead_jobs
-- The queue's dead letters that nobody cancelled, with what each asks for.
select
    j.job_id, j.job_type, j.embedding_space_id,
    cast(
        case
            when isjson(j.input_json) = 1
                and charindex(N'{', j.input_json) between 1 and charindex(N'[', concat(j.input_json, N'[')) then 1
            else 0
        end as bit
    ) as is_object,
    case
        when isjson(j.input_json) = 1
            then coalesce(json_value(j.input_json, '$.space'), cast(json_query(j.input_json, '$.space') as nvarchar(max)))
    end as space,
    case
        when isjson(j.input_json) = 1
            then coalesce(json_value(j.input_json, '$.source'), cast(json_query(j.input_json, '$.source') as nvarchar(max)))
    end as source_prefix,
    case
        when isjson(j.input_json) = 1
            then coalesce(json_value(j.input_json, '$.replace'), cast(json_query(j.input_json, '$.replace') as nvarchar(max)))
    end as replaces,
    cast(
        case
            when isjson(j.input_json) = 1
                and coalesce(
                    json_value(j.input_json, '$.source_id'),
                    cast(json_query(j.input_json, '$.source_id') as nvarchar(max))
                ) is not null then 1
            else 0
        end as bit
    ) as names_source
from vector.job as j
where j.status in ('DEADLETTER', 'FAILED')
    and coalesce(j.last_error, N'') <> :cancelled
    and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
        not in (N'dagster', N'cli');

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
            k.job_id, k.job_type, k.dedupe_key,
            row_number() over (
                partition by k.job_type, coalesce(k.dedupe_key, cast(cast(k.job_id as nvarchar(36)) as varbinary(max)))
                order by k.created_utc desc, k.job_id
            ) as age
        from (
            select
                j.job_id, j.job_type, j.created_utc,
                cast(
                    case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.dedupe_key') end
                    as varbinary(max)
                ) as dedupe_key
            from vector.job as j
            where j.status in ('DEADLETTER', 'FAILED')
                and coalesce(case when isjson(j.input_json) = 1 then json_value(j.input_json, '$.origin') end, N'queue')
                    not in (N'dagster', N'cli')
        ) as k
        where k.job_id in (
            select value from openjson(cast(:job_ids as nvarchar(max))) with (value uniqueidentifier '$')
        )
    ) as d
    where d.age = 1
        and not exists (
            select 1
            from vector.job as l
            where l.status = 'NEW'
                and l.job_type = d.job_type
                and cast(
                    case when isjson(l.input_json) = 1 then json_value(l.input_json, '$.dedupe_key') end
                    as varbinary(max)
                ) = d.dedupe_key
        )
);
