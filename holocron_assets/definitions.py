"""Dagster's entry: `build_defs()` puts assets, checks and resources together. Nothing is implemented here."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from holocron_assets.asset_jobs import (
    bring_up_to_date,
    drift,
    evaluation,
    fill_space,
    ingest,
    nightly,
    of_store,
    verification,
)
from holocron_assets.assets.chunks import chunks, chunks_checks
from holocron_assets.assets.drift_checks import drift_reports_checks, space_comparison_checks
from holocron_assets.assets.drift_reports import drift_reports, space_comparison
from holocron_assets.assets.embedding_spaces import embedding_spaces
from holocron_assets.assets.embeddings import embeddings, embeddings_checks
from holocron_assets.assets.extracted_texts import extracted_texts, extracted_texts_checks
from holocron_assets.assets.ingest_records import ingest_records, ingest_records_checks, ingest_records_inputs
from holocron_assets.assets.retrieval_evaluation import retrieval_evaluation, retrieval_evaluation_checks
from holocron_assets.assets.search_index import search_index, search_index_checks
from holocron_assets.assets.space_embeddings import space_embeddings, space_embeddings_checks
from holocron_assets.assets.store_verification import store_verification
from holocron_assets.composition import alert_webhook, installed_providers, sensor_store, step_store
from holocron_assets.extraction import current_extractors
from holocron_assets.identity import canonical_json
from holocron_assets.ports import ProviderCatalog, Store
from holocron_assets.recovery import host_tag, recovering_in_process_executor
from holocron_assets.run_history import STORE_TAG
from holocron_assets.schedules import freshness_policies, schedules
from holocron_assets.sensors.failures import failed_checks, failed_runs
from holocron_assets.sensors.new_records import new_records
from holocron_assets.sensors.queued_jobs import queued_jobs
from holocron_assets.sensors.search_indexes import search_indexes
from holocron_assets.sensors.space_registry import space_registry
from holocron_assets.settings import Settings, load_settings

ASSETS = [
    ingest_records,
    extracted_texts,
    chunks,
    embedding_spaces,
    embeddings,
    space_embeddings,
    retrieval_evaluation,
    search_index,
    drift_reports,
    space_comparison,
    store_verification,
]
CHECKS = [
    ingest_records_checks,
    ingest_records_inputs,
    extracted_texts_checks,
    chunks_checks,
    embeddings_checks,
    space_embeddings_checks,
    retrieval_evaluation_checks,
    search_index_checks,
    drift_reports_checks,
    space_comparison_checks,
]
SENSORS = [
    new_records,
    space_registry,
    search_indexes,
    queued_jobs,
    failed_runs,
    failed_checks,
]
JOBS = [
    bring_up_to_date,
    drift,
    evaluation,
    fill_space,
    ingest,
    nightly,
    verification,
]


def build_defs(
    settings: Settings | None = None, store: Store | None = None, providers: ProviderCatalog | None = None
) -> dg.Definitions:
    """The code location, by default for the settings of the folder that Dagster was started in."""
    settings = settings or load_settings()
    store = store or step_store(settings)
    code_versions = {
        "extracted_texts": ",".join(current_extractors()),
        "chunks": canonical_json(settings.chunking.policy().parameters()),
    }

    @contextmanager
    def store_of_run(context: dg.InitResourceContext) -> Iterator[Store]:
        if context.run and context.instance:
            context.instance.add_run_tags(context.run.run_id, {**host_tag(), STORE_TAG: store.name})
        with store.kept_open():
            yield store

    freshness = freshness_policies(settings)

    def finished(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        dialect = settings.store_url.partition("://")[0].partition("+")[0]
        return spec.replace_attributes(
            code_version=code_versions.get(name, spec.code_version),
            kinds={*spec.kinds, dialect},
            freshness_policy=freshness.get(name),
        )

    return dg.Definitions(
        assets=dg.map_asset_specs(finished, ASSETS),
        asset_checks=CHECKS,
        jobs=[of_store(job, store.name) for job in JOBS],
        sensors=[sensor(settings) for sensor in SENSORS],
        schedules=list(schedules(settings)),
        resources={
            "store": dg.ResourceDefinition(store_of_run, description=f"The store at {store.name}"),
            "sensor_store": dg.ResourceDefinition.hardcoded_resource(
                sensor_store(settings), "The same store, for sensors: they do not wait while another process holds it"
            ),
            "providers": dg.ResourceDefinition.hardcoded_resource(
                providers or installed_providers(settings), "Embedding providers, opened when a space needs one"
            ),
            "open_store": dg.ResourceDefinition.hardcoded_resource(
                step_store, "Opens the stores of collections that bring their own documents"
            ),
            "webhook": dg.ResourceDefinition.hardcoded_resource(
                alert_webhook(), "Where alerts are posted to, if anywhere"
            ),
            "settings": dg.ResourceDefinition.hardcoded_resource(settings, "holocron.yaml and the environment"),
        },
        executor=recovering_in_process_executor,
    )


defs = build_defs()
