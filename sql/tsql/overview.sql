-- What a person sees: counts, samples and distributions. Never more than a screenful of rows, and no chunks that
-- other programs made.

-- name: get_counts
select
    (select count(*) from ingest.IngestRecords) as records,
    (select count(*) from vector.source_registry where presence = N'present') as present_sources,
    (select count(*) from vector.source_registry where presence = N'vanished') as vanished_sources,
    (select count(*) from vector.source_registry where presence = N'redirect') as redirects,
    (select count(*) from vector.source_registry where presence = N'unread') as unread_sources,
    (select count(*) from vector.source_registry where status = N'error') as sources_in_error,
    (select count(*) from vector.source_registry where status = N'pending') as pending_sources,
    (select count(*) from vector.extracted_text where current_since_utc is not null and retired_utc is null)
        as current_texts,
    (select count(*) from vector.extracted_text where retired_utc is not null) as retired_texts,
    (select count(*) from vector.chunk where retired_utc is null and text_sha256 is not null) as current_chunks,
    (select count(*) from vector.chunk) - (select count(*) from vector.chunk where retired_utc is null)
        as retired_chunks,
    (select count(*) from vector.embedding) as embeddings;

-- name: list_embedding_counts
-- Per space, current and historic alike.
select embedding_space_id, count(*) as n
from vector.embedding
group by embedding_space_id;

-- name: list_record_kinds
select top (:limit)
    source_system, source_name, resource_type, coalesce(variant, N'') as variant, count(*) as n,
    max(fetched_at_utc) as newest_fetch_utc
from ingest.IngestRecords
group by source_system, source_name, resource_type, coalesce(variant, N'')
order by n desc, source_system, source_name, resource_type, coalesce(variant, N'');

-- name: list_sample_texts
-- The newest few, cut short, between characters and not within one. Chosen by key first: contents are read of those alone.
select
    source_id, title, character_count, concat(extractor, N'/', extractor_version) as extractor,
    left(content collate Latin1_General_100_CI_AS_SC, 160) as beginning
from vector.extracted_text
where text_id in (
    select top (:limit) text_id
    from vector.extracted_text
    where current_since_utc is not null and retired_utc is null
    order by created_utc desc, source_id
)
order by created_utc desc, source_id;

-- name: list_sample_chunks
select c.chunk_id, x.title, c.byte_count, left(c.content collate Latin1_General_100_CI_AS_SC, 160) as beginning
from vector.chunk as c
left join vector.source_registry as x on x.source_id = c.source_id
where c.chunk_id in (
    select top (:limit) chunk_id
    from vector.chunk
    where retired_utc is null and text_sha256 is not null
    order by created_utc desc, chunk_id
)
order by c.created_utc desc, c.chunk_id;

-- name: list_text_lengths
-- How many current texts have from `length` up to twice as many characters.
select length, count(*) as n
from (
    select
        power(
            cast(2 as bigint),
            cast(floor(log(case when character_count > 1 then character_count else 1 end, 2) + 0.0000001) as int)
        ) as length
    from vector.extracted_text
    where current_since_utc is not null and retired_utc is null
) as lengths
group by length
order by length;

-- name: list_chunk_lengths
-- How many current chunks have from `length` up to 200 more bytes.
select length, count(*) as n
from (
    select byte_count / 200 * 200 as length
    from vector.chunk
    where retired_utc is null and text_sha256 is not null
) as lengths
group by length
order by length;
