-- Facts that must hold. A `count_` here counts violations over keys, hashes and counts alone; a `list_written_`
-- reads back what some runs wrote (every run, when none are given). Digests are compared by 64-bit hashes where a
-- collision could only hide a fault: half the cost, and less than one in ten million that it hides any in a million rows.

-- name: count_duplicate_records
select count(*) - count(distinct ingest_id) as n
from ingest.IngestRecords;

-- name: list_text_disagreements
-- Sources whose registered text is not their one current text, and current texts of no such source.
select distinct coalesce(x.source_id, t.source_id) as source_id
from (
    select source_id, text_sha256 from vector.source_registry where text_sha256 is not null
) x
full join (
    select source_id, text_sha256 from vector.extracted_text
    where current_since_utc is not null and retired_utc is null
) t on t.source_id = x.source_id and t.text_sha256 = x.text_sha256
where x.source_id is null or t.source_id is null
order by 1
limit :limit;

-- name: count_duplicate_chunks
select count(*) - count(distinct chunk_id) as n
from vector.chunk;

-- name: list_count_disagreements
-- Sources whose registered number of chunks is not the number that is current.
select coalesce(x.source_id, c.source_id) as source_id, coalesce(x.chunk_count, 0) as registered, coalesce(c.n, 0) as n
from (select source_id, chunk_count from vector.source_registry where chunk_count > 0) x
full join (
    select source_id, count(*) as n from vector.chunk where retired_utc is null group by source_id
) c on c.source_id = x.source_id
where coalesce(x.chunk_count, 0) <> coalesce(c.n, 0)
order by 1
limit :limit;

-- name: list_stray_chunks
-- Current chunks of a source that is not registered, or that is gone and was chunked since. Sources are compared first:
-- there are fewer of them.
select chunk_id, source_id
from vector.chunk
where retired_utc is null
    and (
        source_id is null
        or source_id in (
            select source_id from vector.chunk where retired_utc is null
            except
            select source_id from vector.source_registry where text_sha256 is not null or content_sha256 is not null
        )
    )
order by chunk_id
limit :limit;

-- name: get_version_agreement
-- Whether the current chunks and the open versions are the same set, by count and by sum of 64-bit hashes: two passes
-- instead of a join of everything with everything.
select
    (
        select (count(*), coalesce(sum(hash(chunk_id, content_sha256)), 0))
        from vector.chunk
        where retired_utc is null
    ) = (
        select (count(*), coalesce(sum(hash(chunk_id, content_sha256)), 0))
        from vector.chunk_version
        where valid_to_utc is null
    ) as agree;

-- name: list_version_disagreements
-- Current chunks without exactly one open version of the same content, and open versions of no current chunk.
select distinct coalesce(c.chunk_id, v.chunk_id) as chunk_id, coalesce(c.source_id, v.source_id) as source_id
from (
    select chunk_id, source_id, content_sha256 from vector.chunk where retired_utc is null
) c
full join (
    select chunk_id, min(source_id) as source_id, content_sha256, count(*) as versions
    from vector.chunk_version
    where valid_to_utc is null
    group by chunk_id, content_sha256
) v on v.chunk_id = c.chunk_id and v.content_sha256 = c.content_sha256
where c.chunk_id is null or v.chunk_id is null or v.versions <> 1
order by 1
limit :limit;

-- name: list_duplicate_embeddings
-- All but the oldest of each idempotency key. Grouping by hash first leaves next to nothing to compare.
select embedding_id
from (
    select
        embedding_id,
        row_number() over (
            partition by chunk_id, embedding_space_id, input_content_sha256 order by created_utc, embedding_id
        ) as copy
    from vector.embedding
    where hash(chunk_id, embedding_space_id, input_content_sha256) in (
        select hash(chunk_id, embedding_space_id, input_content_sha256)
        from vector.embedding
        group by all
        having count(*) > 1
    )
) copies
where copy > 1
limit :limit;

-- name: list_unmatched_embeddings
-- Embeddings of a content that their chunk never had.
select e.embedding_id
from vector.embedding e
anti join vector.chunk_version v
    on hash(v.chunk_id) = hash(e.chunk_id) and hash(v.content_sha256) = hash(e.input_content_sha256)
limit :limit;

-- name: list_embeddings_without_lineage
-- Whose run is not recorded, or has no job, or was a run of another space.
select e.embedding_id
from vector.embedding e
join (
    select g.run_id, g.embedding_space_id
    from (select distinct run_id, embedding_space_id from vector.embedding) g
    left join vector.run r on r.run_id = g.run_id and r.embedding_space_id = g.embedding_space_id
    left join vector.job j on j.job_id = r.job_id
    where j.job_id is null
) lost on lost.run_id = e.run_id and lost.embedding_space_id = e.embedding_space_id
order by 1
limit :limit;

-- name: list_texts_without_record
-- Texts, current or historic, whose ingest record is no longer stored.
select text_id
from vector.extracted_text
where ingest_id not in (select ingest_id from ingest.IngestRecords)
order by text_id
limit :limit;

-- name: list_written_texts
select text_id, source_id, text_sha256, content, ingest_id
from vector.extracted_text
where :every_run or run_id in (select unnest(cast(:run_ids as uuid[])));

-- name: list_written_chunks
-- In the order in which they are stored: contents are too large to be sorted.
select
    c.chunk_id, c.source_id, c.content, c.content_sha256,
    cast(json_extract(c.offsets_json, '$.chunk_index') as integer) as chunk_index,
    cast(json_extract(c.offsets_json, '$.start_offset') as integer) as start_offset,
    cast(json_extract(c.offsets_json, '$.end_offset') as integer) as end_offset,
    json_extract_string(c.policy_json, '$.version') as policy_version
from vector.chunk c
where c.retired_utc is null and (:every_run or c.run_id in (select unnest(cast(:run_ids as uuid[]))));

-- name: list_written_spans
-- All chunks of each source of which these runs wrote any that is current, together, with the length of the text they
-- were cut from.
select
    c.source_id,
    cast(json_extract(c.offsets_json, '$.chunk_index') as integer) as chunk_index,
    cast(json_extract(c.offsets_json, '$.start_offset') as integer) as start_offset,
    cast(json_extract(c.offsets_json, '$.end_offset') as integer) as end_offset,
    coalesce(
        json_extract_string(c.policy_json, '$.algorithm'), json_extract_string(c.policy_json, '$.version')
    ) as algorithm,
    t.character_count - x.omitted_character_count as expected_end
from vector.chunk c
join vector.source_registry x on x.source_id = c.source_id
left join vector.extracted_text t on t.source_id = c.source_id and t.text_sha256 = c.text_sha256
where c.retired_utc is null
    and (
        :every_run
        or c.source_id in (
            select source_id
            from vector.chunk
            where retired_utc is null and run_id in (select unnest(cast(:run_ids as uuid[])))
        )
    )
order by c.source_id, chunk_index;

-- name: list_written_embeddings
select e.embedding_id, e.chunk_id, e.input_content_sha256, e.vector, e.vector_sha256
from vector.embedding e
where e.embedding_space_id = :embedding_space_id
    and (:every_run or e.run_id in (select unnest(cast(:run_ids as uuid[]))));

-- name: delete_embeddings
-- Repair: what is deleted is pending again, and made anew by the next run.
delete from vector.embedding
where embedding_id in (select unnest(cast(:embedding_ids as uuid[])));

-- name: request_examination_of_sources
-- Repair: every record that names these sources is read again.
update vector.ingest_seen
set extractor_version = ''
where source_id in (select unnest(:source_ids));

-- name: end_chunk_versions
-- Repair: whatever versions of these chunks are open end now.
update vector.chunk_version
set valid_to_utc = :now
where chunk_id in (select unnest(:chunk_ids)) and valid_to_utc is null;

-- name: delete_texts
-- Repair: a text that is not what its hash says.
delete from vector.extracted_text
where text_id in (select unnest(cast(:text_ids as uuid[])));

-- name: request_chunking
-- Repair: these sources are cut again by the next run.
update vector.source_registry
set content_sha256 = null, policy_version = null, status = 'pending', updated_utc = :now
where source_id in (select unnest(:source_ids));

-- name: retire_chunks_by_id
-- Repair: these are no longer retrieved, and are written anew if their source is cut into them again.
update vector.chunk
set retired_utc = :now
where chunk_id in (select unnest(:chunk_ids)) and retired_utc is null;
