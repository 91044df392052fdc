-- Windows of a space's history, and snapshots of what it held.

-- name: list_window_chunks
-- What was current at a time and had a vector by then, of texts that were fetched in a while, in no order: sorting takes
-- memory that the joins need.
select
    v.chunk_id, v.content_sha256, v.source_id, c.byte_count,
    case when json_valid(c.source_ref_json) then json_extract_string(c.source_ref_json, '$.language') end as language,
    concat(r.source_system, ':', r.source_name) as origin, coalesce(r.fetched_at_utc, v.valid_from_utc) as fetched_utc
from vector.chunk_version v
join vector.embedding e on e.chunk_id = v.chunk_id and e.input_content_sha256 = v.content_sha256
join vector.chunk c on c.chunk_id = v.chunk_id
left join vector.extracted_text x on x.source_id = v.source_id and x.text_sha256 = v.text_sha256
left join ingest.IngestRecords r on r.ingest_id = x.ingest_id
where e.embedding_space_id = :embedding_space_id
    and e.created_utc <= :as_of
    and v.valid_from_utc <= :as_of
    and (v.valid_to_utc is null or v.valid_to_utc > :as_of)
    and coalesce(r.fetched_at_utc, v.valid_from_utc) >= :since
    and coalesce(r.fetched_at_utc, v.valid_from_utc) < :until;

-- name: list_snapshot_window
-- The same of what a snapshot holds, also of chunks that are retired by now: their vectors are history, and stay. Where
-- and when they came from is what was current when it was taken.
select
    s.chunk_id, s.content_sha256, c.source_id, c.byte_count,
    case when json_valid(c.source_ref_json) then json_extract_string(c.source_ref_json, '$.language') end as language,
    concat(r.source_system, ':', r.source_name) as origin,
    coalesce(r.fetched_at_utc, v.valid_from_utc, c.created_utc) as fetched_utc
from vector.drift_snapshot_chunk s
join vector.drift_snapshot d on d.snapshot_id = s.snapshot_id
join vector.embedding e on e.chunk_id = s.chunk_id and e.input_content_sha256 = s.content_sha256
join vector.chunk c on c.chunk_id = s.chunk_id
left join vector.chunk_version v on v.chunk_id = s.chunk_id
    and v.valid_from_utc <= d.created_utc
    and (v.valid_to_utc is null or v.valid_to_utc > d.created_utc)
left join vector.extracted_text x on x.source_id = v.source_id and x.text_sha256 = v.text_sha256
left join ingest.IngestRecords r on r.ingest_id = x.ingest_id
where s.snapshot_id = :snapshot_id
    and e.embedding_space_id = :embedding_space_id
    and e.created_utc <= :as_of;

-- name: list_snapshot_chunks
-- In no order.
select s.chunk_id, s.content_sha256
from vector.drift_snapshot_chunk s
where s.snapshot_id = :snapshot_id;

-- name: count_vanished_documents
-- Documents of a snapshot of which nothing was current any more at a time.
select count(distinct c.source_id) as n
from vector.drift_snapshot_chunk s
join vector.chunk c on c.chunk_id = s.chunk_id
where s.snapshot_id = :snapshot_id
    and not exists (
        select 1
        from vector.chunk_version v
        where v.source_id = c.source_id
            and v.valid_from_utc <= :as_of
            and (v.valid_to_utc is null or v.valid_to_utc > :as_of)
    );

-- name: list_space_vectors
-- Of contents that were current at a time or that a snapshot holds, in no order.
select e.chunk_id, e.input_content_sha256 as content_sha256, e.vector
from vector.embedding e
where e.embedding_space_id = :embedding_space_id
    and e.created_utc <= :as_of
    and (
        exists (
            select 1
            from vector.chunk_version v
            where v.chunk_id = e.chunk_id
                and v.content_sha256 = e.input_content_sha256
                and v.valid_from_utc <= :as_of
                and (v.valid_to_utc is null or v.valid_to_utc > :as_of)
        )
        or exists (
            select 1
            from vector.drift_snapshot_chunk s
            where s.snapshot_id = :snapshot_id
                and s.chunk_id = e.chunk_id
                and s.content_sha256 = e.input_content_sha256
        )
    );

-- name: get_newest_fetch
-- Of the records that the current texts of a space came with first: one that is fetched again unchanged is not new.
-- Not those of a clock that is ahead.
select max(r.fetched_at_utc) as fetched_at_utc
from vector.extracted_text x
join ingest.IngestRecords r on r.ingest_id = x.ingest_id
where r.fetched_at_utc <= :as_of
    and exists (
        select 1
        from vector.chunk_version v
        join vector.embedding e on e.chunk_id = v.chunk_id and e.input_content_sha256 = v.content_sha256
        where v.source_id = x.source_id
            and v.text_sha256 = x.text_sha256
            and v.valid_from_utc <= :as_of
            and (v.valid_to_utc is null or v.valid_to_utc > :as_of)
            and e.embedding_space_id = :embedding_space_id
            and e.created_utc <= :as_of
    );

-- name: list_chunk_titles
-- Or how a chunk begins, where its source has none.
select c.chunk_id, coalesce(g.title, left(c.content, 80)) as title
from vector.chunk c
left join vector.source_registry g on g.source_id = c.source_id
where c.chunk_id in (select unnest(:chunk_ids));

-- name: insert_snapshot_chunks
-- What `list_window_chunks` lists of all times.
insert into vector.drift_snapshot_chunk (snapshot_id, chunk_id, content_sha256)
select :snapshot_id, v.chunk_id, v.content_sha256
from vector.chunk_version v
join vector.embedding e on e.chunk_id = v.chunk_id and e.input_content_sha256 = v.content_sha256
where e.embedding_space_id = :embedding_space_id
    and e.created_utc <= :as_of
    and v.valid_from_utc <= :as_of
    and (v.valid_to_utc is null or v.valid_to_utc > :as_of);

-- name: insert_snapshot
insert into vector.drift_snapshot (
    snapshot_id, embedding_space_id, name, document_count, chunk_count, membership_sha256, created_utc
)
select :snapshot_id, :embedding_space_id, :name, :document_count, :chunk_count, :membership_sha256, :now
where not exists (
    select 1 from vector.drift_snapshot where embedding_space_id = :embedding_space_id and lower(name) = lower(:name)
);

-- name: list_snapshots
select snapshot_id, embedding_space_id, name, document_count, chunk_count, membership_sha256, created_utc
from vector.drift_snapshot
order by created_utc, snapshot_id;
