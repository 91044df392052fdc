-- The exchange records that other software keeps in a table. It is theirs: never made here, and only added to.

-- name: count_lake_tables
-- One where there is such a table: asked first, because only some databases have it.
select count(*) as n
from information_schema.tables
where lower(table_schema) = 'lake' and lower(table_name) = 'rawexchangerecord';

-- name: list_records_missing_from_lake
-- The ids, from a given one on, of records that the table does not hold: one page of them.
select r.ingest_id
from ingest.IngestRecords r
where (:source_name is null or r.source_name = :source_name)
    and (:resource_type is null or r.resource_type = :resource_type)
    and r.ingest_id >= cast(:from_ingest_id as uuid)
    and not exists (select 1 from lake.RawExchangeRecord x where x.exchange_id = r.ingest_id)
order by r.ingest_id
limit :limit;

-- name: insert_exchange_records
-- What is there by id, or with this content by another id, is left as it is.
insert into lake.RawExchangeRecord (
    exchange_id, exchange_type, source_system, entity_type, natural_key, observed_at_utc, content_sha256, payload_json,
    schema_version, created_at_utc, updated_at_utc
)
select
    cast(s.exchange_id as uuid), s.exchange_type, s.source_system, s.entity_type, s.natural_key, s.observed_at_utc,
    s.content_sha256, s.payload_json, s.schema_version, :now, :now
from staged_exchange_records s
where not exists (select 1 from lake.RawExchangeRecord x where x.exchange_id = cast(s.exchange_id as uuid))
    and not exists (select 1 from lake.RawExchangeRecord x where x.content_sha256 = s.content_sha256);

-- name: list_unloaded_exchanges
-- What of the table is no ingest record, from a given id on: one page of narrow columns, however large the envelopes.
select x.exchange_id, strlen(x.payload_json) as payload_bytes, x.updated_at_utc
from lake.RawExchangeRecord x
where x.exchange_id >= cast(:from_exchange_id as uuid)
    and not exists (select 1 from ingest.IngestRecords r where r.ingest_id = x.exchange_id)
order by x.exchange_id
limit :limit;

-- name: list_envelopes
select exchange_id, payload_json
from lake.RawExchangeRecord
where exchange_id in (select unnest(cast(:exchange_ids as uuid[])));
