-- Reports of drift, and the figures in them.

-- name: insert_drift_report
insert into vector.drift_report (
    report_id, run_id, kind, embedding_space_id, other_space_id, verdict, reference_json, current_json,
    judgements_json, parameters_json, pictures_json, seed, created_utc
)
select
    :report_id, :run_id, :kind, :embedding_space_id, :other_space_id, :verdict, :reference_json, :current_json,
    :judgements_json, :parameters_json, :pictures_json, :seed, :now
where not exists (select 1 from vector.drift_report where report_id = :report_id);

-- name: insert_drift_metrics
insert into vector.drift_metric (
    report_id, ordinal, name, effect, missing, statistic, p, p_adjusted, watch_floor, alert_floor, is_calibrated, verdict,
    reference_value, current_value, explanation, details_json
)
select
    :report_id, s.ordinal, s.name, s.effect, s.missing, s.statistic, s.p, s.p_adjusted, s.watch_floor, s.alert_floor,
    s.is_calibrated, s.verdict, s.reference_value, s.current_value, s.explanation, s.details_json
from staged_drift_metrics s
where not exists (
    select 1 from vector.drift_metric m where m.report_id = :report_id and m.ordinal = s.ordinal
);

-- name: list_drift_reports
-- The newest first, without pictures.
select
    report_id, run_id, kind, embedding_space_id, other_space_id, verdict, reference_json, current_json,
    judgements_json, parameters_json, seed, created_utc
from vector.drift_report
where coalesce(:embedding_space_id, embedding_space_id) = embedding_space_id
order by created_utc desc, report_id;

-- name: list_drift_pictures
select pictures_json
from vector.drift_report
where report_id = :report_id;

-- name: list_drift_metrics
select
    name, effect, missing, statistic, p, p_adjusted, watch_floor, alert_floor, is_calibrated, verdict, reference_value,
    current_value, explanation, details_json
from vector.drift_metric
where report_id = :report_id
order by ordinal;

-- name: list_metric_history
-- Of reports of one kind on a space, or on a pair of spaces, in the order of time; a single space is its own other.
select
    m.name, r.report_id, r.created_utc, m.effect, m.watch_floor, m.alert_floor, m.is_calibrated, m.verdict
from vector.drift_metric m
join vector.drift_report r on r.report_id = m.report_id
where r.kind = :kind
    and r.embedding_space_id = :embedding_space_id
    and coalesce(r.other_space_id, r.embedding_space_id) = :other_space_id
    and m.verdict is not null
order by m.name, r.created_utc, r.report_id;
