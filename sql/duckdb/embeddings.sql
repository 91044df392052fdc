-- name: count_pending_chunks
-- Current chunks whose content this space has no vector of, and how many of them are quarantined there. Digests are
-- compared by the 64-bit hashes of both, at a quarter of the cost: a chunk would be passed over once in ten million
-- stores, each with a million chunks of one content.
with pending as (
    select c.chunk_id, c.content_sha256
    from vector.chunk c
    anti join (
        select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
    ) e on hash(e.chunk_id) = hash(c.chunk_id) and hash(e.input_content_sha256) = hash(c.content_sha256)
    where c.retired_utc is null
)
select count(*) as pending, count(q.item_id) as quarantined
from pending p
left join vector.quarantine q
    on q.item_type = 'chunk' and q.item_id = p.chunk_id and q.item_version = p.content_sha256
        and q.scope = :space_scope and q.released_utc is null;

-- name: count_missing_chunks
-- Current chunks that this space neither has a vector of nor holds in quarantine, and how many of them became current
-- between two times.
with missing as (
    select c.chunk_id
    from vector.chunk c
    anti join (
        select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
        union all
        select item_id, item_version from vector.quarantine
        where item_type = 'chunk' and scope = :space_scope and released_utc is null
    ) e on hash(e.chunk_id) = hash(c.chunk_id) and hash(e.input_content_sha256) = hash(c.content_sha256)
    where c.retired_utc is null
)
select count(*) as missing, count(v.chunk_id) as came
from missing m
left join (
    select distinct chunk_id
    from vector.chunk_version
    where valid_to_utc is null and valid_from_utc > :since and valid_from_utc <= :until
) v on v.chunk_id = m.chunk_id;

-- name: list_pending_chunks
-- The pending ones less the quarantined, in storage order from a position on, so that contents are then read from few
-- places. No content here: a page of keys costs one pass over the keys, so it should be large.
select c.rowid as position, c.chunk_id
from vector.chunk c
anti join (
    select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
    union all
    select item_id, item_version from vector.quarantine
    where item_type = 'chunk' and scope = :space_scope and released_utc is null
) e on hash(e.chunk_id) = hash(c.chunk_id) and hash(e.input_content_sha256) = hash(c.content_sha256)
where (:after is null or c.rowid > :after) and c.retired_utc is null
order by c.rowid
limit :limit;

-- name: get_pending_chunk
-- Any one of them: whether there is one costs less than how many there are.
select c.chunk_id
from vector.chunk c
anti join (
    select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
    union all
    select item_id, item_version from vector.quarantine
    where item_type = 'chunk' and scope = :space_scope and released_utc is null
) e on hash(e.chunk_id) = hash(c.chunk_id) and hash(e.input_content_sha256) = hash(c.content_sha256)
where c.retired_utc is null
limit 1;

-- name: list_chunk_contents
-- Of current chunks among these ids, all of them stored between two positions.
select chunk_id, content, content_sha256
from vector.chunk
where rowid between :first_position and :last_position
    and retired_utc is null
    and chunk_id in (select unnest(:chunk_ids));

-- name: insert_embeddings
-- Only for a content that is still the chunk's own, and never twice: a run that raced this one may have won.
insert into vector.embedding (
    embedding_id, chunk_id, embedding_space_id, input_content_sha256, run_id, vector, vector_sha256, created_utc
)
select
    s.embedding_id, s.chunk_id, :embedding_space_id, s.input_content_sha256, :run_id, s.vector, s.vector_sha256, :now
from staged_embeddings s
join vector.chunk c on c.chunk_id = s.chunk_id and c.content_sha256 = s.input_content_sha256
on conflict do nothing;

-- name: mark_indexed_sources
-- Pending sources whose every current chunk has a vector in every active space, or is quarantined there: the
-- quarantine is what tells of it then. Without an active space no source is indexed.
update vector.source_registry as x
set status = 'indexed', last_indexed_utc = :now, updated_utc = :now
where x.status = 'pending'
    and x.text_sha256 is not distinct from x.content_sha256
    and exists (select 1 from vector.embedding_space where is_active)
    and not exists (
        select 1
        from (
            select c.source_id, c.chunk_id, c.content_sha256, p.embedding_space_id
            from vector.chunk c
            cross join vector.embedding_space p
            where c.retired_utc is null
                and p.is_active
                and c.source_id in (select source_id from vector.source_registry where status = 'pending')
        ) wanted
        where wanted.source_id = x.source_id
            and not exists (
                select 1 from vector.embedding e
                where e.chunk_id = wanted.chunk_id
                    and e.embedding_space_id = wanted.embedding_space_id
                    and e.input_content_sha256 = wanted.content_sha256
            )
            and not exists (
                select 1 from vector.quarantine q
                where q.item_type = 'chunk'
                    and q.item_id = wanted.chunk_id
                    and q.item_version = wanted.content_sha256
                    and q.scope = cast(wanted.embedding_space_id as varchar)
                    and q.released_utc is null
            )
    );

-- name: list_current_vectors
-- Of one space, for an exact search: every vector of what is current.
select e.chunk_id, e.vector
from vector.embedding e
join vector.chunk c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id and c.retired_utc is null;
