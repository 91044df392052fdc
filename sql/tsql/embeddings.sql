-- name: count_pending_chunks
-- Current chunks whose content this space has no vector of, and how many of them are quarantined there. Those that other
-- programs made name no text, and are left alone, here and below.
with pending as (
    select c.chunk_id, c.content_sha256
    from vector.chunk as c
    where c.retired_utc is null
        and c.text_sha256 is not null
        and not exists (
            select 1
            from vector.embedding as e
            where e.embedding_space_id = :embedding_space_id
                and e.chunk_id = c.chunk_id
                and e.input_content_sha256 = c.content_sha256
        )
)
select count(*) as pending, count(q.item_key) as quarantined
from pending as p
left join vector.quarantine as q
    on q.item_type = N'chunk'
        and cast(q.item_id as nvarchar(128)) = p.chunk_id
        and q.item_version = p.content_sha256
        and q.scope = :space_scope
        and q.released_utc is null;

-- name: count_missing_chunks
-- Current chunks that this space neither has a vector of nor holds in quarantine, and how many of them became current
-- between two times.
with missing as (
    select c.chunk_id
    from vector.chunk as c
    where c.retired_utc is null
        and c.text_sha256 is not null
        and not exists (
            select 1
            from vector.embedding as e
            where e.embedding_space_id = :embedding_space_id
                and e.chunk_id = c.chunk_id
                and e.input_content_sha256 = c.content_sha256
        )
        and not exists (
            select 1
            from vector.quarantine as q
            where q.item_type = N'chunk'
                and q.scope = :space_scope
                and q.released_utc is null
                and cast(q.item_id as nvarchar(128)) = c.chunk_id
                and q.item_version = c.content_sha256
        )
)
select count(*) as missing, count(v.chunk_id) as came
from missing as m
left join (
    select distinct chunk_id
    from vector.chunk_version
    where valid_to_utc is null and valid_from_utc > :since and valid_from_utc <= :until
) as v on v.chunk_id = m.chunk_id;

-- name: list_pending_chunks
-- The pending ones less the quarantined, in order of their key from a position on. No content here: a page of keys
-- costs one pass over the keys, so it should be large.
select top (:limit) c.chunk_id as position, c.chunk_id
from vector.chunk as c
where c.retired_utc is null
    and c.text_sha256 is not null
    and c.chunk_id > coalesce(:after, N'')
    and not exists (
        select 1
        from vector.embedding as e
        where e.embedding_space_id = :embedding_space_id
            and e.chunk_id = c.chunk_id
            and e.input_content_sha256 = c.content_sha256
    )
    and not exists (
        select 1
        from vector.quarantine as q
        where q.item_type = N'chunk'
            and q.scope = :space_scope
            and q.released_utc is null
            and cast(q.item_id as nvarchar(128)) = c.chunk_id
            and q.item_version = c.content_sha256
    )
order by c.chunk_id;

-- name: get_pending_chunk
-- Any one of them: whether there is one costs less than how many there are.
select top (1) c.chunk_id
from vector.chunk as c
where c.retired_utc is null
    and c.text_sha256 is not null
    and not exists (
        select 1
        from vector.embedding as e
        where e.embedding_space_id = :embedding_space_id
            and e.chunk_id = c.chunk_id
            and e.input_content_sha256 = c.content_sha256
    )
    and not exists (
        select 1
        from vector.quarantine as q
        where q.item_type = N'chunk'
            and q.scope = :space_scope
            and q.released_utc is null
            and cast(q.item_id as nvarchar(128)) = c.chunk_id
            and q.item_version = c.content_sha256
    );

-- name: list_chunk_contents
-- Of current chunks among these ids, all of them stored between two positions.
select chunk_id, content, content_sha256
from vector.chunk
where chunk_id between :first_position and :last_position
    and retired_utc is null
    and chunk_id in (
        select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
    );

-- name: insert_embeddings
-- Only for a content that is still the chunk's own, and never twice: a run that raced this one may have won.
insert into vector.embedding (
    embedding_id, chunk_id, embedding_space_id, input_content_sha256, run_id, vector_json, vector_binary, vector_sha256,
    created_utc
)
select
    s.embedding_id, s.chunk_id, :embedding_space_id, s.input_content_sha256, :run_id, s.vector_json, s.vector,
    s.vector_sha256, :now
from #staged_embeddings as s
join vector.chunk as c on c.chunk_id = s.chunk_id and c.content_sha256 = s.input_content_sha256
where not exists (
    select 1
    from vector.embedding as e with (updlock, holdlock)
    where e.chunk_id = s.chunk_id
        and e.embedding_space_id = :embedding_space_id
        and e.input_content_sha256 = s.input_content_sha256
)
option (loop join);

-- name: mark_indexed_sources
-- Pending sources whose every current chunk has a vector in every active space, or is quarantined there: the
-- quarantine is what tells of it then. Without an active space of ours no source is indexed, and none of other programs,
-- which no record describes.
update x
set status = N'indexed', last_indexed_utc = :now, updated_utc = :now
from vector.source_registry as x
where x.status = N'pending'
    and x.ingest_id is not null
    and (x.text_sha256 = x.content_sha256 or (x.text_sha256 is null and x.content_sha256 is null))
    and exists (
        select 1 from vector.embedding_space where is_active = 1 and model_tag is not null and model_digest is not null
    )
    and not exists (
        select 1
        from vector.chunk as c
        cross join vector.embedding_space as p
        where c.source_id = x.source_id
            and c.retired_utc is null
            and p.is_active = 1
            and p.model_tag is not null
            and p.model_digest is not null
            and not exists (
                select 1
                from vector.embedding as e
                where e.chunk_id = c.chunk_id
                    and e.embedding_space_id = p.embedding_space_id
                    and e.input_content_sha256 = c.content_sha256
            )
            and not exists (
                select 1
                from vector.quarantine as q
                where q.item_type = N'chunk'
                    and cast(q.item_id as nvarchar(128)) = c.chunk_id
                    and q.item_version = c.content_sha256
                    and q.scope = lower(cast(p.embedding_space_id as nvarchar(64)))
                    and q.released_utc is null
            )
    );

-- name: list_current_vectors
-- Of one space, for an exact search: every vector of what is current.
select e.chunk_id, e.vector_binary as vector
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id and c.retired_utc is null and e.vector_binary is not null;
