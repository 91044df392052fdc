-- Comparing vectors on the server, where it has the type for them (SQL Server 2025). Each space has a table of its own,
-- because the type holds the number of dimensions: `search_of_space` and `vector(1)` stand for the space's own.

-- name: get_vector_support
select
    (select count(*) from sys.types where name = N'vector' and is_user_defined = 0) as types,
    (
        select count(*)
        from sys.tables as t
        join sys.schemas as s on s.schema_id = t.schema_id
        where s.name = N'vector' and t.name = :table_name
    ) as tables,
    cast(
        case
            when has_perms_by_name(db_name(), N'DATABASE', N'CREATE TABLE') = 1
                and has_perms_by_name(N'vector', N'SCHEMA', N'ALTER') = 1
                then 1
            else 0
        end as int
    ) as may_create;

-- name: create_search_table
create table vector.search_of_space (
    embedding_id uniqueidentifier not null primary key,
    vector_sha256 nvarchar(64) collate database_default not null,
    embedding vector(1) not null
);

-- name: count_search_differences
-- Current vectors of ours that the table lacks, and what it holds that is no longer current or was replaced since.
select
    (
        select count(*)
        from vector.embedding as e
        join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
        where e.embedding_space_id = :embedding_space_id
            and c.retired_utc is null
            and e.vector_binary is not null
            and datalength(e.vector_json) > 4
            and not exists (select 1 from vector.search_of_space as s where s.embedding_id = e.embedding_id)
    ) as lacking,
    (
        select count(*)
        from vector.search_of_space as s
        where s.embedding_id not in (
            select k.embedding_id
            from vector.search_of_space as k
            join vector.embedding as e
                on e.embedding_id = k.embedding_id and e.vector_sha256 collate database_default = k.vector_sha256
            join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
            where c.retired_utc is null
        )
    ) as left_over;

-- name: delete_search_vectors
-- Of what is no longer current, or was replaced since.
delete from vector.search_of_space
where embedding_id not in (
    select k.embedding_id
    from vector.search_of_space as k
    join vector.embedding as e
        on e.embedding_id = k.embedding_id and e.vector_sha256 collate database_default = k.vector_sha256
    join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
    where c.retired_utc is null
);

-- name: insert_search_vectors
-- Our own, of which is known that the JSON is a vector of the space. The case keeps what the conditions leave out, such as
-- another space's vector, from being converted at all.
insert into vector.search_of_space (embedding_id, vector_sha256, embedding)
select top (:limit)
    e.embedding_id,
    e.vector_sha256,
    cast(
        case
            when e.embedding_space_id = :embedding_space_id
                and e.vector_binary is not null
                and datalength(e.vector_json) > 4
                then e.vector_json
        end as vector(1)
    )
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and datalength(e.vector_json) > 4
    and not exists (select 1 from vector.search_of_space as s where s.embedding_id = e.embedding_id);

-- name: list_vectors_without_search
-- Every current vector that the table lacks, or has otherwise. Asked before the nearest in the table: one that comes in
-- between is then seen twice, and not never.
select e.chunk_id, e.vector_binary as vector
from vector.embedding as e
join vector.chunk as c on c.chunk_id = e.chunk_id and c.content_sha256 = e.input_content_sha256
where e.embedding_space_id = :embedding_space_id
    and c.retired_utc is null
    and e.vector_binary is not null
    and not exists (
        select 1
        from vector.search_of_space as s
        where s.embedding_id = e.embedding_id and s.vector_sha256 = e.vector_sha256 collate database_default
    );

-- name: nearest_search_vectors
select e.chunk_id, e.vector_binary as vector
from (
    select top (:limit) k.embedding_id
    from vector.search_of_space as s
    join vector.embedding as k
        on k.embedding_id = s.embedding_id and k.vector_sha256 collate database_default = s.vector_sha256
    join vector.chunk as c on c.chunk_id = k.chunk_id and c.content_sha256 = k.input_content_sha256
    where c.retired_utc is null
    order by vector_distance('cosine', s.embedding, cast(cast(:query as nvarchar(max)) as vector(1))), k.chunk_id
) as near
join vector.embedding as e on e.embedding_id = near.embedding_id;
