-- name: count_current_embeddings
-- Of one space and of sources whose id begins in some way, beyond a position.
select count(*) as n
from vector.chunk c
join vector.embedding e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and starts_with(coalesce(c.source_id, ''), :source_prefix)
    and (:after is null or c.rowid > :after);

-- name: list_current_embeddings
-- The same ones, in storage order. No content and no vector here: a page of keys costs one pass over the keys.
select c.rowid as position, c.chunk_id, e.input_content_sha256 as content_sha256, e.embedding_id,
    e.vector_sha256
from vector.chunk c
join vector.embedding e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and starts_with(coalesce(c.source_id, ''), :source_prefix)
    and (:after is null or c.rowid > :after)
order by c.rowid
limit :limit;

-- name: insert_replacements
insert into vector.embedding_replacement (
    run_id, embedding_id, chunk_id, old_vector_sha256, new_vector_sha256, replaced_utc
)
select :run_id, e.embedding_id, e.chunk_id, e.vector_sha256, s.new_vector_sha256, :now
from staged_replacements s
join vector.embedding e on e.embedding_id = s.embedding_id and e.vector_sha256 = s.old_vector_sha256
where not exists (
    select 1 from vector.embedding_replacement r where r.run_id = :run_id and r.embedding_id = e.embedding_id
);

-- name: update_embedding_vectors
update vector.embedding as e
set vector = s.vector, vector_sha256 = s.new_vector_sha256, run_id = :run_id
from staged_replacements s
where e.embedding_id = s.embedding_id and e.vector_sha256 = s.old_vector_sha256 and s.new_vector_sha256 is not null;

-- name: delete_derived_embeddings
-- What spaces that are derived from this one made of the vectors that change: it is pending there again.
delete from vector.embedding
where embedding_space_id in (select unnest(cast(:derived_space_ids as uuid[])))
    and (chunk_id, input_content_sha256) in (
        select k.chunk_id, k.input_content_sha256
        from staged_replacements s
        join vector.embedding k on k.embedding_id = s.embedding_id
    );

-- name: delete_rejected_embeddings
delete from vector.embedding
where exists (
    select 1
    from staged_replacements s
    where cast(s.embedding_id as uuid) = vector.embedding.embedding_id
        and s.new_vector_sha256 is null
        and s.old_vector_sha256 = vector.embedding.vector_sha256
);

-- name: list_sampled_embeddings
-- Those of some chunks, in the same order.
select c.rowid as position, c.chunk_id, e.input_content_sha256 as content_sha256, e.embedding_id,
    e.vector_sha256
from vector.chunk c
join vector.embedding e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and c.chunk_id in (select unnest(:chunk_ids))
order by c.rowid;

-- name: list_reembeddings
select r.status, r.options_json
from vector.run r
join vector.job j on j.job_id = r.job_id
where j.job_type = 'REEMBED_SPACE' and r.embedding_space_id = :embedding_space_id
order by r.started_utc desc, r.run_id
limit :limit;

-- name: list_history_embeddings
-- Of contents that their chunks no longer have, and of chunks that are no longer current.
select e.embedding_id, e.vector_sha256 as old_vector_sha256
from vector.embedding e
where e.embedding_space_id = :embedding_space_id
    and not exists (
        select 1
        from vector.chunk c
        where c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256 and c.retired_utc is null
    )
limit :limit;

-- name: delete_some_embeddings
delete from vector.embedding
where embedding_id in (
    select embedding_id
    from vector.embedding
    where embedding_space_id in (select unnest(cast(:space_ids as uuid[])))
    limit :limit
);
