-- What 0002 made, with the column that it filters by. For `is null` the server looks that column up in the table even for
-- rows of a filtered index, unless the index holds it: a million lookups, or a scan of every chunk with its content.

if exists (
    select 1 from sys.indexes where name = N'IX_vector_chunk_current' and object_id = object_id(N'vector.chunk')
)
    drop index IX_vector_chunk_current on vector.chunk;
GO

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_chunk_current' and object_id = object_id(N'vector.chunk')
)
    create index IX_vector_chunk_current
        on vector.chunk (chunk_id)
        include (content_sha256, source_id, text_sha256, run_id, byte_count, created_utc, retired_utc)
        where retired_utc is null;
GO
