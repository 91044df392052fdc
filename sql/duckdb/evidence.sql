-- Bundles of evidence, in the tables that the chat runtime reads. They are its own: never made here, and only added to.

-- name: list_evidence_columns
-- Asked before the first write: only some databases have these tables, and not all of them have every column.
select table_name, column_name
from information_schema.columns
where lower(table_schema) = 'llm' and lower(table_name) in ('evidence_bundle', 'evidence_item', 'run_evidence', 'run');

-- name: insert_evidence_bundle
insert into llm.evidence_bundle (
    bundle_id, created_utc, build_version, policy_json, summary_json, bundle_sha256, bundle_kind, created_by, bundle_json
)
select
    :bundle_id, :now, :build_version, :policy_json, :summary_json, :bundle_sha256, :bundle_kind, :created_by, :bundle_json
where not exists (select 1 from llm.evidence_bundle where bundle_id = :bundle_id);

-- name: insert_evidence_items
insert into llm.evidence_item (
    item_id, bundle_id, evidence_id, evidence_type, byte_count, content_sha256, metadata_json, source_system, source_uri,
    source_ref, selector_json, ordinal, role, created_utc, content
)
select
    cast(s.item_id as uuid), :bundle_id, s.evidence_id, s.evidence_type, s.byte_count, s.content_sha256, s.metadata_json,
    s.source_system, s.source_uri, s.source_ref, s.selector_json, s.ordinal, s.role, :now, s.content
from staged_evidence_items s
where not exists (
    select 1 from llm.evidence_item x where x.bundle_id = :bundle_id and x.evidence_id = s.evidence_id
);

-- name: count_llm_runs
select count(*) as n
from llm.run
where run_id = :run_id;

-- name: insert_run_evidence
insert into llm.run_evidence (run_id, bundle_id, attached_utc, role, attached_by)
select :run_id, :bundle_id, :now, :role, :attached_by
where not exists (select 1 from llm.run_evidence where run_id = :run_id and bundle_id = :bundle_id);
