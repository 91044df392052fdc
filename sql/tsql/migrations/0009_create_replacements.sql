-- Vectors that a re-embedding replaced, or took away because the model rejects the text now.

if object_id(N'vector.embedding_replacement', N'U') is null
    create table vector.embedding_replacement (
        run_id uniqueidentifier not null references vector.run (run_id),
        embedding_id uniqueidentifier not null,
        chunk_id nvarchar(128) not null,
        old_vector_sha256 nvarchar(64) not null,
        new_vector_sha256 nvarchar(64) null, -- null: it was taken away
        replaced_utc datetime2(7) not null,
        primary key (run_id, embedding_id)
    );
GO
