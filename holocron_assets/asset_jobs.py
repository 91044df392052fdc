"""The jobs that sensors and schedules ask for. Whoever materialises by hand selects assets and needs none of them."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from holocron_assets.run_history import STORE_TAG

#: What makes stored records searchable; `ingest_records` brings them, and crawlers do.
INCREMENT = ("extracted_texts", "chunks", "embedding_spaces", "embeddings")

bring_up_to_date = dg.define_asset_job(
    "bring_up_to_date",
    selection=dg.AssetSelection.assets(*INCREMENT),
    description="From the stored records to vectors in every active space. The sensor `new_records` asks for it.",
)

fill_space = dg.define_asset_job(
    "fill_space",
    selection=dg.AssetSelection.assets("space_embeddings", "search_index"),
    description="One space, filled by itself, and its search index. The sensor `space_registry` asks for it when one "
    "is new or active again.",
)

evaluation = dg.define_asset_job(
    "evaluation",
    selection=dg.AssetSelection.assets("search_index", "retrieval_evaluation"),
    description="One space, asked the judged queries that the settings name, once its search index is fit for that.",
)

drift = dg.define_asset_job(
    "drift",
    selection=dg.AssetSelection.assets("drift_reports"),
    description="One space, compared with what it held before and with what its model answered when it was registered.",
)

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets("ingest_records"),
    description="The files and queries that the settings name. What it brings, the sensor `new_records` notices.",
)

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.assets("ingest_records", *INCREMENT),
    description="Everything, also what no sensor notices: released items, another extractor, another chunking policy.",
)

verification = dg.define_asset_job(
    "verification",
    selection=dg.AssetSelection.assets("store_verification"),
    description="Every fact over every row, as `holocron verify` does it.",
)


def of_store(job: UnresolvedAssetJobDefinition, store: str) -> UnresolvedAssetJobDefinition:
    """The same job, each run of which says from the beginning which store it works on."""
    return dg.define_asset_job(
        job.name, selection=job.selection, description=job.description, run_tags={STORE_TAG: store}
    )


#: Whole runs of these do all that `INCREMENT` does.
INCREMENTAL_JOBS = (bring_up_to_date.name, nightly.name)
