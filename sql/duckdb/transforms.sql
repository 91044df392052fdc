-- Derived spaces: their transforms, and the vectors that are transformed.

-- name: insert_transform
-- Beside its space, in the same transaction. One that is there is left alone.
insert into vector.transform (
    embedding_space_id, source_space_id, transform_ref, kind, parameters_json, artefact, artefact_sha256, sample_json,
    created_utc
)
values (
    :embedding_space_id, :source_space_id, :transform_ref, :kind, :parameters_json, unhex(:artefact_hex),
    :artefact_sha256, :sample_json, :now
)
on conflict do nothing;

-- name: list_transforms
-- Without their artefacts, which may be large.
select
    embedding_space_id, source_space_id, transform_ref, kind, parameters_json, artefact_sha256, sample_json, created_utc
from vector.transform
order by created_utc, embedding_space_id;

-- name: list_artefacts
select embedding_space_id, artefact
from vector.transform
where embedding_space_id in (select unnest(cast(:embedding_space_ids as uuid[])));

-- name: list_embedded_chunks
-- Current chunks that a space has, in the order of ids that are hashes: the first of them are a random sample.
select c.chunk_id, c.content_sha256
from vector.embedding e
join vector.chunk c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id and c.retired_utc is null
order by c.chunk_id
limit :limit;

-- name: list_derivable_chunks
-- Chunks that are pending in a derived space and whose vector its source has, in storage order from a position on; and
-- those that the source holds in quarantine, with its reason. No vector here: a page of keys costs one pass over the
-- keys, so it should be large.
select
    c.rowid as position, c.chunk_id, c.content_sha256, case when s.chunk_id is null then q.reason end as reason
from vector.chunk c
left join (
    select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :source_space_id
) s on hash(s.chunk_id) = hash(c.chunk_id) and hash(s.input_content_sha256) = hash(c.content_sha256)
left join (
    select item_id, item_version, reason
    from vector.quarantine
    where item_type = 'chunk' and scope = :source_scope and released_utc is null
) q on q.item_id = c.chunk_id and q.item_version = c.content_sha256
anti join (
    select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
    union all
    select item_id, item_version from vector.quarantine
    where item_type = 'chunk' and scope = :space_scope and released_utc is null
) e on hash(e.chunk_id) = hash(c.chunk_id) and hash(e.input_content_sha256) = hash(c.content_sha256)
where (:after is null or c.rowid > :after)
    and c.retired_utc is null
    and (s.chunk_id is not null or q.item_id is not null)
order by c.rowid
limit :limit;

-- name: list_vectors
-- By their keys.
select chunk_id, vector, vector_sha256
from vector.embedding
where embedding_id in (select unnest(cast(:embedding_ids as uuid[])));
