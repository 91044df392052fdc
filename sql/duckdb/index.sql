-- What a search index is made of: the current vectors of one space, with what there is to show of their chunks.

-- name: get_index_state
-- Changes with whatever an index of the space holds: vectors come, go and are replaced, chunks get versions and lose
-- them or are changed in place by other programs, sources are described anew. Times are added up, because the newest
-- says nothing where clocks differ; so are hashes, because of an even number of rows that change alike (in their run) an
-- exclusive or would say nothing.
select
    (select count(*) from vector.embedding where embedding_space_id = :embedding_space_id) as embedding_count,
    (
        select sum(hash(chunk_id, run_id))
        from vector.embedding
        where embedding_space_id = :embedding_space_id
    ) as embedding_checksum,
    (select count(*) from vector.embedding_replacement) as replacement_count,
    (select sum(epoch_us(replaced_utc)) from vector.embedding_replacement) as replacement_times,
    (select count(*) from vector.chunk where retired_utc is null) as current_chunk_count,
    (select sum(hash(chunk_id, content_sha256)) from vector.chunk where retired_utc is null) as chunk_checksum,
    (select count(*) from vector.chunk_version) as version_count,
    (select count(valid_to_utc) from vector.chunk_version) as closed_version_count,
    (select count(*) from vector.source_registry) as source_count,
    (select sum(epoch_us(updated_utc)) from vector.source_registry) as source_times;

-- name: list_index_keys
-- `row_version` differs when anything of a row does: whoever writes a chunk's reference and offsets sets its run. In no
-- order: putting all in order takes longer than finding them.
select
    c.chunk_id,
    hash(c.content_sha256, c.run_id, c.source_id, e.vector_sha256, x.title, x.tags_json, x.ingest_id) as row_version,
    coalesce(c.source_id, '') as source_id
from vector.embedding e
join vector.chunk c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
left join vector.source_registry x on x.source_id = c.source_id
where e.embedding_space_id = :embedding_space_id and c.retired_utc is null;

-- name: list_index_rows
-- `row_version` as above, of the row as it is read here.
select
    c.chunk_id, c.content_sha256, coalesce(c.source_id, '') as source_id, c.source_type, x.title, x.tags_json,
    c.source_ref_json, c.offsets_json, r.fetched_at_utc, c.content, e.vector,
    hash(c.content_sha256, c.run_id, c.source_id, e.vector_sha256, x.title, x.tags_json, x.ingest_id) as row_version
from vector.embedding e
join vector.chunk c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
left join vector.source_registry x on x.source_id = c.source_id
left join ingest.IngestRecords r on r.ingest_id = x.ingest_id
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and c.chunk_id in (select unnest(:chunk_ids))
order by c.chunk_id;
