-- Derived spaces: their transforms, and the vectors that are transformed.

-- name: insert_transform
-- Beside its space, in the same transaction. One that is there is left alone.
insert into vector.transform (
    embedding_space_id, source_space_id, transform_ref, kind, parameters_json, artefact, artefact_sha256, sample_json,
    created_utc
)
select
    :embedding_space_id, :source_space_id, :transform_ref, :kind, :parameters_json,
    convert(varbinary(max), :artefact_hex, 2), :artefact_sha256, :sample_json, :now
where not exists (
    select 1 from vector.transform as t with (updlock, holdlock) where t.embedding_space_id = :embedding_space_id
);

-- name: list_transforms
-- Without their artefacts, which may be large.
select
    embedding_space_id, source_space_id, transform_ref, kind, parameters_json, artefact_sha256, sample_json, created_utc
from vector.transform
order by created_utc, embedding_space_id;

-- name: list_artefacts
select embedding_space_id, artefact
from vector.transform
where embedding_space_id in (
    select value from openjson(cast(:embedding_space_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: list_embedded_chunks
-- Current chunks that a space has, in the order of ids that are hashes: the first of them are a random sample.
select top (:limit) c.chunk_id, c.content_sha256
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id and c.retired_utc is null and e.vector_binary is not null
order by c.chunk_id;

-- name: list_derivable_chunks
-- Chunks that are pending in a derived space and whose vector its source has, in order of their key from a position on;
-- and those that the source holds in quarantine, with its reason. No vector here: a page of keys costs one pass over the
-- keys, so it should be large.
select top (:limit)
    c.chunk_id as position, c.chunk_id, c.content_sha256, case when s.chunk_id is null then q.reason end as reason
from vector.chunk as c
left join vector.embedding as s
    on s.embedding_space_id = :source_space_id
        and s.chunk_id = c.chunk_id
        and s.input_content_sha256 = c.content_sha256
left join vector.quarantine as q
    on q.item_type = N'chunk'
        and q.scope = :source_scope
        and q.released_utc is null
        and cast(q.item_id as nvarchar(128)) = c.chunk_id
        and q.item_version = c.content_sha256
where c.retired_utc is null
    and c.chunk_id > coalesce(:after, N'')
    and (s.chunk_id is not null or q.item_key is not null)
    and not exists (
        select 1
        from vector.embedding as e
        where e.embedding_space_id = :embedding_space_id
            and e.chunk_id = c.chunk_id
            and e.input_content_sha256 = c.content_sha256
    )
    and not exists (
        select 1
        from vector.quarantine as h
        where h.item_type = N'chunk'
            and h.scope = :space_scope
            and h.released_utc is null
            and cast(h.item_id as nvarchar(128)) = c.chunk_id
            and h.item_version = c.content_sha256
    )
order by c.chunk_id;

-- name: list_vectors
-- By their keys. What other programs wrote has no vector to read here.
select chunk_id, vector_binary as vector, vector_sha256
from vector.embedding
where vector_binary is not null
    and embedding_id in (
        select value from openjson(cast(:embedding_ids as nvarchar(max))) with (value uniqueidentifier '$')
    );
