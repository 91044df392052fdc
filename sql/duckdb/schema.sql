-- name: create_migration_log
-- Where applied migrations are recorded; the only table that is created outside a migration.
create schema if not exists vector;
create table if not exists vector.schema_migration (
    version integer primary key,
    name varchar not null,
    sha256 varchar not null,
    applied_utc timestamp not null
);

-- name: list_applied_migrations
-- None before the first migration: the log itself may not exist yet.
select version, name, sha256, applied_utc
from vector.schema_migration
order by version;

-- name: count_migration_logs
-- One where the log exists: asked before reading it, so that looking never writes.
select count(*) as n
from information_schema.tables
where table_schema = 'vector' and table_name = 'schema_migration';

-- name: insert_applied_migration
-- In the transaction of the migration itself.
insert into vector.schema_migration (version, name, sha256, applied_utc)
values (:version, :name, :sha256, :now);
