-- name: create_migration_log
-- Where applied migrations are recorded; the only table that is created outside a migration.
if schema_id(N'vector') is null
    exec(N'create schema vector');
if object_id(N'vector.schema_migration', N'U') is null
    create table vector.schema_migration (
        version int not null primary key,
        name nvarchar(200) not null,
        sha256 nvarchar(64) not null,
        applied_utc datetime2(7) not null
    );

-- name: list_applied_migrations
-- None before the first migration: the log itself may not exist yet.
select version, name, sha256, applied_utc
from vector.schema_migration
order by version;

-- name: count_migration_logs
-- One where the log exists: asked before reading it, so that looking never writes.
select count(*) as n
from INFORMATION_SCHEMA.TABLES
where TABLE_SCHEMA = N'vector' and TABLE_NAME = N'schema_migration';

-- name: insert_applied_migration
-- In the transaction of the migration itself.
insert into vector.schema_migration (version, name, sha256, applied_utc)
values (:version, :name, :sha256, :now);
