-- How the vectors of a derived space are made of those of another. The artefact is all that is needed to apply it;
-- what it was fitted on is in sample_json.

if object_id(N'vector.transform', N'U') is null
    create table vector.transform (
        embedding_space_id uniqueidentifier not null primary key references vector.embedding_space (embedding_space_id),
        source_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        transform_ref nvarchar(200) not null,
        kind nvarchar(50) not null,
        parameters_json nvarchar(max) not null,
        artefact varbinary(max) not null,
        artefact_sha256 nvarchar(64) not null,
        sample_json nvarchar(max) not null,
        created_utc datetime2(7) not null
    );
GO
