-- The exchange records that other software keeps in a table. It is theirs: never made here, and only added to.
-- Pages begin with an id that was found on the page before, so the order of ids may be the type's own, which is that of
-- the table's key.

-- name: count_lake_tables
-- One where there is such a table, and this user may see it: asked first, because only some databases have it.
select count(*) as n
from INFORMATION_SCHEMA.TABLES
where TABLE_SCHEMA = N'lake' and TABLE_NAME = N'RawExchangeRecord';

-- name: list_records_missing_from_lake
-- The ids, from a given one on, of records that the table does not hold: one page of them.
select top (:limit) r.ingest_id
from ingest.IngestRecords as r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type)
    and r.ingest_id >= cast(:from_ingest_id as uniqueidentifier)
    and not exists (select 1 from lake.RawExchangeRecord as x where x.exchange_id = r.ingest_id)
order by r.ingest_id;

-- name: insert_exchange_records
-- What is there by id, or with this content by another id, is left as it is.
insert into lake.RawExchangeRecord (
    exchange_id, exchange_type, source_system, entity_type, natural_key, observed_at_utc, content_sha256, payload_json,
    schema_version, created_at_utc, updated_at_utc
)
select
    s.exchange_id, s.exchange_type, s.source_system, s.entity_type, s.natural_key, s.observed_at_utc, s.content_sha256,
    s.payload_json, s.schema_version, :now, :now
from #staged_exchange_records as s
where not exists (
        select 1 from lake.RawExchangeRecord as x with (updlock, holdlock) where x.exchange_id = s.exchange_id
    )
    and not exists (
        select 1 from lake.RawExchangeRecord as x with (updlock, holdlock) where x.content_sha256 = s.content_sha256
    )
option (loop join);

-- name: list_unloaded_exchanges
-- What of the table is no ingest record, from a given id on: one page of narrow columns, however large the envelopes.
-- Lengths in UTF-16 code units; times in microseconds, whatever a driver makes of finer ones.
select top (:limit)
    x.exchange_id,
    datalength(x.payload_json) / 2 as payload_bytes,
    cast(x.updated_at_utc as datetime2(6)) as updated_at_utc
from lake.RawExchangeRecord as x
where x.exchange_id >= cast(:from_exchange_id as uniqueidentifier)
    and not exists (select 1 from ingest.IngestRecords as r where r.ingest_id = x.exchange_id)
order by x.exchange_id;

-- name: list_envelopes
select exchange_id, payload_json
from lake.RawExchangeRecord
where exchange_id in (
    select value from openjson(cast(:exchange_ids as nvarchar(max))) with (value uniqueidentifier '$')
);
