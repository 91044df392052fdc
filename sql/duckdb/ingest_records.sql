-- name: insert_ingest_records
-- Records are immutable: an id that is stored already is left as it is.
insert into ingest.IngestRecords (
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers, payload, content_type, content_length,
    fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message, error_type, duration_ms,
    file_path, request_timestamp, response_timestamp, rank
)
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers, payload, content_type, content_length,
    fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message, error_type, duration_ms,
    file_path, request_timestamp, response_timestamp, rank
from staged_records
on conflict do nothing;

-- name: list_conflicting_records
-- Staged records whose id is stored with another content: kept out, and worth a warning.
select r.ingest_id
from staged_records s
join ingest.IngestRecords r on r.ingest_id = cast(s.ingest_id as uuid)
where r.hash_sha256 <> s.hash_sha256
order by r.ingest_id;

-- name: list_newest_hashes
-- What was last stored of some resources, for records that bring no fetch time of their own.
select source_system, source_name, resource_type, resource_id, variant, hash_sha256
from (
    select
        r.source_system, r.source_name, r.resource_type, r.resource_id, r.variant, r.hash_sha256,
        row_number() over (
            partition by r.source_system, r.source_name, r.resource_type, r.resource_id, r.variant
            order by r.fetched_at_utc desc, r.ingest_id desc
        ) as age
    from ingest.IngestRecords r
    where r.resource_id in (select unnest(:resource_ids))
) newest
where age = 1;

-- name: list_newest_row_hashes
-- What was last stored of every row of a SQL source.
select resource_id, hash_sha256
from (
    select
        r.resource_id, r.hash_sha256,
        row_number() over (partition by r.resource_id order by r.fetched_at_utc desc, r.ingest_id desc) as age
    from ingest.IngestRecords r
    where r.source_system = 'sql' and r.source_name = :source_name and r.resource_type = 'row'
) newest
where age = 1;

-- name: count_ingest_records
-- Every record, and those that did not come from the bundled sample.
select
    count(*) as records,
    count(*) filter (where source_name <> :sample_source_name) as records_from_elsewhere
from ingest.IngestRecords;

-- name: get_ingest_hint
-- What a sensor looks at: cheap at millions of rows, because no payload and no second table is read. Recorded runs become
-- fewer only where the store is restored or replaced.
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
-- from ids alone.
select
    (
        select count(*)
        from ingest.IngestRecords
        where ingest_id not in (select ingest_id from vector.ingest_seen)
    ) + (
        select count(*)
        from ingest.IngestRecords
        where ingest_id in (
            select ingest_id
            from vector.ingest_seen
            where outcome = 'wanted' or extractor || '/' || extractor_version not in (select unnest(:extractors))
        )
    ) as n;

-- name: list_pending_records
-- The records of one resource come together, so that only one of its variants need be read.
select
    r.ingest_id, r.source_system, r.source_name, r.resource_type, r.resource_id, r.variant, r.content_type,
    r.request_uri, r.status_code, r.fetched_at_utc, coalesce(s.outcome = 'wanted', false) as wanted
from ingest.IngestRecords r
left join vector.ingest_seen s on s.ingest_id = r.ingest_id
where s.ingest_id is null
    or s.outcome = 'wanted'
    or s.extractor || '/' || s.extractor_version not in (select unnest(:extractors))
order by r.source_system, r.source_name, r.resource_id, r.fetched_at_utc, r.ingest_id
limit :limit offset :offset;

-- name: list_payloads
-- A payload over the limit is measured and not returned.
select
    ingest_id,
    strlen(payload) as payload_bytes,
    case when strlen(payload) <= :max_bytes then payload end as payload
from ingest.IngestRecords
where ingest_id in (select unnest(cast(:ingest_ids as uuid[])));

-- name: count_exportable_records
-- Every record, or those of one source name, of one resource type, or of both.
select count(*) as n
from ingest.IngestRecords r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type);

-- name: list_exportable_records
-- The ids after a given record, in the order of their fetch: one page of narrow columns, however large the payloads.
select r.ingest_id, r.fetched_at_utc
from ingest.IngestRecords r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type)
    and (
        r.fetched_at_utc > :after_fetched_at_utc
        or (r.fetched_at_utc = :after_fetched_at_utc and r.ingest_id > :after_ingest_id)
    )
order by r.fetched_at_utc, r.ingest_id
limit :limit;

-- name: list_ingest_records
-- Whole records. A payload over the limit is not returned: a condition on it would read the payloads of all others.
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers,
    case when strlen(payload) <= :max_bytes then payload end as payload,
    content_type, content_length, fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message,
    error_type, duration_ms, file_path, request_timestamp, response_timestamp, rank
from ingest.IngestRecords
where ingest_id in (select unnest(cast(:ingest_ids as uuid[])));

-- name: list_ingest_files
select path, size_bytes, modified_ns, record_count, rejected_count
from vector.ingest_file;

-- name: upsert_ingest_files
insert into vector.ingest_file (path, size_bytes, modified_ns, record_count, rejected_count, run_id, loaded_utc)
select path, size_bytes, modified_ns, record_count, rejected_count, :run_id, :now
from staged_ingest_files
on conflict (path) do update set
    size_bytes = excluded.size_bytes,
    modified_ns = excluded.modified_ns,
    record_count = excluded.record_count,
    rejected_count = excluded.rejected_count,
    run_id = excluded.run_id,
    loaded_utc = excluded.loaded_utc;
