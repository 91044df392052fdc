-- So that a search reads keys, and no vectors but those it compares.

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_embedding_search' and object_id = object_id(N'vector.embedding')
)
    create index IX_vector_embedding_search
        on vector.embedding (embedding_space_id, embedding_id)
        include (chunk_id, input_content_sha256, vector_sha256)
        where vector_binary is not null;
GO
