-- name: insert_ingest_records
-- Records are immutable: an id that is stored already is left as it is. Looked up one by one, here and wherever rows are
-- inserted under `updlock, holdlock`: a scan of an index would be cheaper, and lock all of it, and so crawlers out.
insert into ingest.IngestRecords (
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers, payload, content_type, content_length,
    fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message, error_type, duration_ms,
    file_path, request_timestamp, response_timestamp, rank
)
select
    s.ingest_id, s.source_system, s.source_name, s.resource_type, s.resource_id, s.variant, s.request_uri,
    s.request_method, s.request_headers, s.request_body, s.status_code, s.response_headers, s.payload, s.content_type,
    s.content_length, s.fetched_at_utc, s.hash_sha256, s.run_id, s.work_item_id, s.attempt, s.error_message,
    s.error_type, s.duration_ms, s.file_path, s.request_timestamp, s.response_timestamp, s.rank
from (
    select *, row_number() over (partition by ingest_id order by fetched_at_utc, hash_sha256) as copy
    from #staged_records
) as s
where s.copy = 1
    and not exists (
        select 1 from ingest.IngestRecords as r with (updlock, holdlock) where r.ingest_id = s.ingest_id
    )
option (loop join);

-- name: list_conflicting_records
-- Staged records whose id is stored with another content: kept out, and worth a warning.
select r.ingest_id
from #staged_records as s
join ingest.IngestRecords as r on r.ingest_id = s.ingest_id
where r.hash_sha256 <> s.hash_sha256
order by r.ingest_id;

-- name: list_newest_hashes
-- What was last stored of some resources, for records that bring no fetch time of their own. Resources are told apart
-- by their bytes: the database may call titles equal that differ in case.
select source_system, source_name, resource_type, resource_id, variant, hash_sha256
from (
    select
        r.source_system, r.source_name, r.resource_type, r.resource_id, r.variant, r.hash_sha256,
        row_number() over (
            partition by
                r.source_system, r.source_name, r.resource_type, cast(r.resource_id as varbinary(1000)), r.variant
            order by r.fetched_at_utc desc, r.ingest_id desc
        ) as age
    from ingest.IngestRecords as r
    where r.resource_id in (
        select value from openjson(cast(:resource_ids as nvarchar(max))) with (value nvarchar(500) '$')
    )
) as newest
where age = 1;

-- name: list_newest_row_hashes
-- What was last stored of every row of a SQL source. Ids are told apart by their bytes, as above.
select resource_id, hash_sha256
from (
    select
        r.resource_id, r.hash_sha256,
        row_number() over (
            partition by cast(r.resource_id as varbinary(1000)) order by r.fetched_at_utc desc, r.ingest_id desc
        ) as age
    from ingest.IngestRecords as r
    where r.source_system = N'sql' and r.source_name = :source_name and r.resource_type = N'row'
) as newest
where age = 1;

-- name: count_ingest_records
-- Every record, and those that did not come from the bundled sample.
select
    count(*) as records,
    coalesce(sum(case when source_name <> :sample_source_name then 1 else 0 end), 0) as records_from_elsewhere
from ingest.IngestRecords;

-- name: get_ingest_hint
-- What a sensor looks at: the narrowest index counts, and one row of IX_IngestRecords_FetchedAt is the newest. Recorded
-- runs become fewer only where the store is restored or replaced.
select
    (select count(*) from ingest.IngestRecords) as records,
    (select max(fetched_at_utc) from ingest.IngestRecords) as newest_fetch_utc,
    (select count(*) from vector.run) as recorded_runs;

-- name: get_fetch_freshness
-- The newest fetch that is not of the future, and how many are: one clock that was wrong must not hide all the others.
select
    (select max(fetched_at_utc) from ingest.IngestRecords where fetched_at_utc <= :now) as newest_fetch_utc,
    (select count(*) from ingest.IngestRecords where fetched_at_utc > :now) as future_fetches;

-- name: count_pending_records
-- Never examined, or wanted now or examined by an extractor that has changed since: two questions, each answered
-- from ids alone. The extractors are joined: beside the "or", "not in" would read their list anew for each record.
select
    (
        select count(*)
        from ingest.IngestRecords as r
        where not exists (select 1 from vector.ingest_seen as s where s.ingest_id = r.ingest_id)
    ) + (
        select count(*)
        from vector.ingest_seen as s
        join ingest.IngestRecords as r on r.ingest_id = s.ingest_id
        left join (
            select distinct value
            from openjson(cast(:extractors as nvarchar(max))) with (value nvarchar(200) '$')
        ) as x on x.value = concat(s.extractor, N'/', s.extractor_version)
        where s.outcome = N'wanted' or x.value is null
    ) as n;

-- name: list_pending_records
-- The records of one resource come together, so that only one of its variants need be read.
select
    r.ingest_id, r.source_system, r.source_name, r.resource_type, r.resource_id, r.variant, r.content_type,
    r.request_uri, r.status_code, r.fetched_at_utc,
    cast(case when s.outcome = N'wanted' then 1 else 0 end as bit) as wanted
from ingest.IngestRecords as r
left join vector.ingest_seen as s on s.ingest_id = r.ingest_id
left join (
    select distinct value
    from openjson(cast(:extractors as nvarchar(max))) with (value nvarchar(200) '$')
) as x on x.value = concat(s.extractor, N'/', s.extractor_version)
where s.ingest_id is null or s.outcome = N'wanted' or x.value is null
order by
    r.source_system, r.source_name, r.resource_id, cast(r.resource_id as varbinary(1000)), r.fetched_at_utc,
    r.ingest_id
offset :offset rows fetch next :limit rows only;

-- name: list_payloads
-- A payload over the limit is measured and not returned. Measured in UTF-16 code units: as many as there are bytes of
-- UTF-8 in plain English, a third in Chinese.
select
    ingest_id,
    datalength(payload) / 2 as payload_bytes,
    case when datalength(payload) / 2 <= :max_bytes then payload end as payload
from ingest.IngestRecords
where ingest_id in (
    select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: count_exportable_records
-- Every record, or those of one source name, of one resource type, or of both.
select count(*) as n
from ingest.IngestRecords as r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type);

-- name: list_exportable_records
-- The ids after a given record, in the order of their fetch: one page of narrow columns, however large the payloads.
-- Times in microseconds, as clients have them: by a finer one the last record of a page would be on the next again.
-- Ids in the order of their digits, which is not that of the type.
select top (:limit) r.ingest_id, cast(r.fetched_at_utc as datetime2(6)) as fetched_at_utc
from ingest.IngestRecords as r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type)
    and (
        cast(r.fetched_at_utc as datetime2(6)) > cast(:after_fetched_at_utc as datetime2(6))
        or (
            cast(r.fetched_at_utc as datetime2(6)) = cast(:after_fetched_at_utc as datetime2(6))
            and cast(r.ingest_id as nvarchar(36)) > cast(cast(:after_ingest_id as uniqueidentifier) as nvarchar(36))
        )
    )
order by cast(r.fetched_at_utc as datetime2(6)), cast(r.ingest_id as nvarchar(36));

-- name: list_ingest_records
-- Whole records. A payload over the limit is not returned.
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers,
    case when datalength(payload) / 2 <= :max_bytes then payload end as payload,
    content_type, content_length, fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message,
    error_type, duration_ms, file_path, request_timestamp, response_timestamp, rank
from ingest.IngestRecords
where ingest_id in (
    select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: list_ingest_files
select path, size_bytes, modified_ns, record_count, rejected_count
from vector.ingest_file;

-- name: upsert_ingest_files
merge vector.ingest_file with (holdlock) as t
using (
    select
        convert(varchar(64), hashbytes('SHA2_256', path), 2) as path_key, path, size_bytes, modified_ns, record_count,
        rejected_count
    from #staged_ingest_files
) as s on t.path_key = s.path_key
when matched then update set
    size_bytes = s.size_bytes,
    modified_ns = s.modified_ns,
    record_count = s.record_count,
    rejected_count = s.rejected_count,
    run_id = :run_id,
    loaded_utc = :now
when not matched then insert (
    path_key, path, size_bytes, modified_ns, record_count, rejected_count, run_id, loaded_utc
)
values (s.path_key, s.path, s.size_bytes, s.modified_ns, s.record_count, s.rejected_count, :run_id, :now);
