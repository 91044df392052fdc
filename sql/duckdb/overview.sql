-- What a person sees: counts, samples and distributions. Never more than a screenful of rows.

-- name: get_counts
select
    (select count(*) from ingest.IngestRecords) as records,
    (select count(*) from vector.source_registry where presence = 'present') as present_sources,
    (select count(*) from vector.source_registry where presence = 'vanished') as vanished_sources,
    (select count(*) from vector.source_registry where presence = 'redirect') as redirects,
    (select count(*) from vector.source_registry where presence = 'unread') as unread_sources,
    (select count(*) from vector.source_registry where status = 'error') as sources_in_error,
    (select count(*) from vector.source_registry where status = 'pending') as pending_sources,
    (select count(*) from vector.extracted_text where current_since_utc is not null and retired_utc is null)
        as current_texts,
    (select count(*) from vector.extracted_text where retired_utc is not null) as retired_texts,
    (select count(*) from vector.chunk where retired_utc is null) as current_chunks,
    (select count(*) from vector.chunk where retired_utc is not null) as retired_chunks,
    (select count(*) from vector.embedding) as embeddings;

-- name: list_embedding_counts
-- Per space, current and historic alike.
select embedding_space_id, count(*) as n
from vector.embedding
group by embedding_space_id;

-- name: list_record_kinds
select source_system, source_name, resource_type, coalesce(variant, '') as variant, count(*) as n,
    max(fetched_at_utc) as newest_fetch_utc
from ingest.IngestRecords
group by source_system, source_name, resource_type, coalesce(variant, '')
order by n desc, 1, 2, 3, 4
limit :limit;

-- name: list_sample_texts
-- The newest few, cut short. Chosen by key first: contents are read of those alone.
select source_id, title, character_count, extractor || '/' || extractor_version as extractor,
    left(content, 160) as beginning
from vector.extracted_text
where text_id in (
    select text_id
    from vector.extracted_text
    where current_since_utc is not null and retired_utc is null
    order by created_utc desc, source_id
    limit :limit
)
order by created_utc desc, source_id;

-- name: list_sample_chunks
select c.chunk_id, x.title, c.byte_count, left(c.content, 160) as beginning
from vector.chunk c
left join vector.source_registry x on x.source_id = c.source_id
where c.chunk_id in (
    select chunk_id from vector.chunk where retired_utc is null order by created_utc desc, rowid desc limit :limit
)
order by c.created_utc desc, c.rowid desc;

-- name: list_text_lengths
-- How many current texts have from `length` up to twice as many characters.
select cast(pow(2, floor(log2(greatest(character_count, 1)))) as bigint) as length, count(*) as n
from vector.extracted_text
where current_since_utc is not null and retired_utc is null
group by 1
order by 1;

-- name: list_chunk_lengths
-- How many current chunks have from `length` up to 200 more bytes.
select byte_count // 200 * 200 as length, count(*) as n
from vector.chunk
where retired_utc is null
group by 1
order by 1;
