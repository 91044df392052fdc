-- name: count_current_embeddings
-- Of one space and of sources whose id begins in some way, beyond a position.
select count(*) as n
from vector.chunk as c
join vector.embedding as e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and concat(left(coalesce(c.source_id, N''), len(concat(:source_prefix, N'x')) - 1), N'x')
        collate Latin1_General_BIN2 = concat(:source_prefix, N'x')
    and c.chunk_id > coalesce(:after, N'');

-- name: list_current_embeddings
-- The same ones, in order of their key. No content and no vector here: a page of keys costs one pass over the keys.
select top (:limit) c.chunk_id as position, c.chunk_id, e.input_content_sha256 as content_sha256, e.embedding_id,
    e.vector_sha256
from vector.chunk as c
join vector.embedding as e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and concat(left(coalesce(c.source_id, N''), len(concat(:source_prefix, N'x')) - 1), N'x')
        collate Latin1_General_BIN2 = concat(:source_prefix, N'x')
    and c.chunk_id > coalesce(:after, N'')
order by c.chunk_id;

-- name: insert_replacements
insert into vector.embedding_replacement (
    run_id, embedding_id, chunk_id, old_vector_sha256, new_vector_sha256, replaced_utc
)
select :run_id, e.embedding_id, e.chunk_id, e.vector_sha256, s.new_vector_sha256, :now
from #staged_replacements as s
join vector.embedding as e on e.embedding_id = s.embedding_id and e.vector_sha256 = s.old_vector_sha256
where not exists (
    select 1 from vector.embedding_replacement as r where r.run_id = :run_id and r.embedding_id = e.embedding_id
);

-- name: update_embedding_vectors
update e
set
    vector_json = s.vector_json, vector_binary = s.vector, vector_sha256 = s.new_vector_sha256, run_id = :run_id
from vector.embedding as e
join #staged_replacements as s on s.embedding_id = e.embedding_id
where e.vector_sha256 = s.old_vector_sha256 and s.new_vector_sha256 is not null;

-- name: delete_derived_embeddings
-- What spaces that are derived from this one made of the vectors that change: it is pending there again.
delete from vector.embedding
where embedding_space_id in (
        select value from openjson(cast(:derived_space_ids as nvarchar(max))) with (value uniqueidentifier '$')
    )
    and embedding_id in (
        select e.embedding_id
        from #staged_replacements as s
        join vector.embedding as k on k.embedding_id = s.embedding_id
        join vector.embedding as e on e.chunk_id = k.chunk_id and e.input_content_sha256 = k.input_content_sha256
    );

-- name: delete_rejected_embeddings
delete from vector.embedding
where exists (
    select 1
    from #staged_replacements s
    where s.embedding_id = vector.embedding.embedding_id
        and s.new_vector_sha256 is null
        and s.old_vector_sha256 = vector.embedding.vector_sha256
);

-- name: list_sampled_embeddings
-- Those of some chunks, in the same order.
select c.chunk_id as position, c.chunk_id, e.input_content_sha256 as content_sha256, e.embedding_id,
    e.vector_sha256
from vector.chunk as c
join vector.embedding as e on e.chunk_id = c.chunk_id and e.input_content_sha256 = c.content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and c.chunk_id in (
        select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
    )
order by c.chunk_id;

-- name: list_reembeddings
select top (:limit) r.status, r.options_json
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where j.job_type = N'REEMBED_SPACE' and r.embedding_space_id = :embedding_space_id
order by r.started_utc desc, r.run_id;

-- name: list_history_embeddings
-- Of contents that their chunks no longer have, and of chunks that are no longer current.
select top (:limit) e.embedding_id, e.vector_sha256 as old_vector_sha256
from vector.embedding as e
where e.embedding_space_id = :embedding_space_id
    and e.vector_binary is not null
    and not exists (
        select 1
        from vector.chunk as c
        where c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256 and c.retired_utc is null
    );

-- name: delete_some_embeddings
delete from vector.embedding
where embedding_id in (
    select top (:limit) e.embedding_id
    from vector.embedding as e
    where e.embedding_space_id in (
        select value from openjson(cast(:space_ids as nvarchar(max))) with (value uniqueidentifier '$')
    )
);
