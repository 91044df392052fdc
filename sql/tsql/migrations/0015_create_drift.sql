-- Drift: named, immutable lists of what a space held, and reports of how far contents, models and spaces moved.

if object_id(N'vector.drift_snapshot', N'U') is null
    create table vector.drift_snapshot (
        snapshot_id uniqueidentifier not null primary key,
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        name nvarchar(100) not null,
        document_count bigint not null,
        chunk_count bigint not null,
        membership_sha256 nvarchar(64) not null, -- of `chunk_id:content_sha256` and a line feed for each, by chunk id
        created_utc datetime2(7) not null,
        unique (embedding_space_id, name)
    );
GO

if object_id(N'vector.drift_snapshot_chunk', N'U') is null
    create table vector.drift_snapshot_chunk (
        snapshot_id uniqueidentifier not null, -- written with its snapshot, in the same transaction
        chunk_id nvarchar(128) not null,
        content_sha256 nvarchar(64) not null,
        primary key (snapshot_id, chunk_id)
    );
GO

if object_id(N'vector.drift_report', N'U') is null
    create table vector.drift_report (
        report_id uniqueidentifier not null primary key,
        run_id uniqueidentifier not null references vector.run (run_id),
        kind nvarchar(20) not null check (kind in (N'content', N'model', N'spaces')),
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        other_space_id uniqueidentifier null references vector.embedding_space (embedding_space_id),
        verdict nvarchar(10) not null check (verdict in (N'ok', N'watch', N'alert')), -- the gravest of its judgements
        reference_json nvarchar(max) not null,
        current_json nvarchar(max) not null,
        judgements_json nvarchar(max) not null,
        parameters_json nvarchar(max) not null,
        pictures_json nvarchar(max) not null,
        seed bigint not null,
        created_utc datetime2(7) not null
    );
GO

if object_id(N'vector.drift_metric', N'U') is null
    create table vector.drift_metric (
        report_id uniqueidentifier not null references vector.drift_report (report_id),
        ordinal int not null,
        name nvarchar(100) not null,
        effect float null, -- null: it could not be had
        missing nvarchar(max) not null, -- why
        statistic float null,
        p float null,
        p_adjusted float null, -- after Benjamini and Hochberg, over all that the report tested
        watch_floor float null,
        alert_floor float null,
        is_calibrated bit null, -- the floors come from the reference itself
        verdict nvarchar(10) null check (verdict in (N'ok', N'watch', N'alert')), -- null: context, not judged
        reference_value float null,
        current_value float null,
        explanation nvarchar(max) not null,
        details_json nvarchar(max) not null,
        primary key (report_id, ordinal)
    );
GO
