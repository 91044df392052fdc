-- What a space answered to some fixed texts when it was registered. The newest canary of a space counts; older ones are
-- history, kept for comparing models over time.

if object_id(N'vector.canary', N'U') is null
    create table vector.canary (
        canary_id uniqueidentifier not null primary key,
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        repeatability float not null, -- the largest relative distance between two answers to one anchor
        runtime_json nvarchar(max) not null,
        recorded_utc datetime2(7) not null,
        completed_utc datetime2(7) null -- null while the vectors of the space are being replaced by those of this model
    );
GO

if object_id(N'vector.anchor', N'U') is null
    create table vector.anchor (
        canary_id uniqueidentifier not null references vector.canary (canary_id),
        anchor_sha256 nvarchar(64) not null, -- of its text
        kind nvarchar(50) not null,
        content nvarchar(max) not null,
        vector_binary varbinary(max) not null,
        vector_sha256 nvarchar(64) not null,
        primary key (canary_id, anchor_sha256)
    );
GO
