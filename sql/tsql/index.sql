-- What a search index is made of: the current vectors of one space, with what there is to show of their chunks.

-- name: get_index_state
-- Changes with whatever an index of the space holds: vectors come, go and are replaced, chunks get versions and lose
-- them or are changed in place by other programs, sources are described anew. Times are added up, because the newest
-- says nothing where clocks differ; so are checksums, because of an even number of rows that change alike (in their run)
-- `checksum_agg`, which is an exclusive or, would say nothing.
select
    (select count_big(*) from vector.embedding where embedding_space_id = :embedding_space_id) as embedding_count,
    (
        select sum(cast(checksum(chunk_id, run_id) as bigint))
        from vector.embedding
        where embedding_space_id = :embedding_space_id
    ) as embedding_checksum,
    (select count_big(*) from vector.embedding_replacement) as replacement_count,
    (
        select sum(cast(datediff_big(microsecond, '2020-01-01', replaced_utc) as decimal(38, 0)))
        from vector.embedding_replacement
    ) as replacement_times,
    (select count_big(*) from vector.chunk where retired_utc is null) as current_chunk_count,
    (
        select sum(cast(checksum(chunk_id, content_sha256) as bigint))
        from vector.chunk
        where retired_utc is null
    ) as chunk_checksum,
    (select count_big(*) from vector.chunk_version) as version_count,
    (select count_big(valid_to_utc) from vector.chunk_version) as closed_version_count,
    (select count_big(*) from vector.source_registry) as source_count,
    (
        select sum(cast(datediff_big(microsecond, '2020-01-01', updated_utc) as decimal(38, 0)))
        from vector.source_registry
    ) as source_times;

-- name: list_index_keys
-- `row_version` differs when anything of a row does: whoever writes a chunk's reference and offsets sets its run. Of
-- chunks and vectors all that it is made of is in indexes. In no order: that takes longer than finding them.
select
    c.chunk_id,
    convert(
        varchar(64),
        hashbytes(
            'SHA2_256',
            concat(
                c.content_sha256, N'|', c.run_id, N'|', c.source_id, N'|', e.vector_sha256, N'|', x.title, N'|',
                x.tags_json, N'|', x.ingest_id
            )
        ),
        2
    ) as row_version,
    coalesce(c.source_id, N'') as source_id
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
left join vector.source_registry as x on x.source_id = c.source_id
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null;

-- name: list_index_rows
-- `row_version` as above, of the row as it is read here.
select
    c.chunk_id, c.content_sha256, coalesce(c.source_id, N'') as source_id, c.source_type, x.title, x.tags_json,
    c.source_ref_json, c.offsets_json, r.fetched_at_utc, c.content, e.vector_binary as vector,
    convert(
        varchar(64),
        hashbytes(
            'SHA2_256',
            concat(
                c.content_sha256, N'|', c.run_id, N'|', c.source_id, N'|', e.vector_sha256, N'|', x.title, N'|',
                x.tags_json, N'|', x.ingest_id
            )
        ),
        2
    ) as row_version
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
left join vector.source_registry as x on x.source_id = c.source_id
left join ingest.IngestRecords as r on r.ingest_id = x.ingest_id
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and c.chunk_id in (
        select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
    )
order by c.chunk_id;
