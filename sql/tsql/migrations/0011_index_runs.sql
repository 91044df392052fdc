-- So that what one run wrote is found without reading the whole history.

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_chunk_version_run' and object_id = object_id(N'vector.chunk_version')
)
    create index IX_vector_chunk_version_run on vector.chunk_version (run_id, chunk_id, valid_from_utc);
GO

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_quarantine_run' and object_id = object_id(N'vector.quarantine')
)
    create index IX_vector_quarantine_run on vector.quarantine (run_id);
GO
