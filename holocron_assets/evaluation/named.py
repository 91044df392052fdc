"""The collections that the settings name."""

from pathlib import Path

from holocron_assets import sample as bundled
from holocron_assets.evaluation.collections import Collection, collection_name, read_collection
from holocron_assets.ports import Store
from holocron_assets.settings import SAMPLE, Settings
from holocron_assets.tables import ingest_records
from holocron_assets.transactions import read

#: What to say where there is none.
NONE_NAMED = (
    "nothing says what is right: name folders of judged queries under `evaluation.collections` in holocron.yaml. Those "
    "of the bundled sample count by themselves only while the store holds nothing else. See docs/evaluation.md."
)


def sample_collection() -> Collection:
    """The judged queries of the bundled sample."""
    return read_collection(bundled.JUDGED, name=SAMPLE)


def named_collections(store: Store, settings: Settings) -> list[Collection]:
    """Those under `evaluation.collections`; the sample's only while the store has no record from elsewhere.

    Raises `InputError` where one is malformed.
    """
    return [
        sample_collection() if name == SAMPLE else read_collection(settings.path(name))
        for name in _names(store, settings)
    ]


def deciding_names(store: Store, settings: Settings, wanted: str | None = None) -> list[str]:
    """What the collections are called by which searches rank: those that the settings name, in their order.

    None of them where `wanted`, the folder of one or the sample's name, is not among them.
    """
    names = _names(store, settings)
    if wanted is not None and wanted not in names and Path(wanted).resolve() not in map(settings.path, names):
        return []
    return [SAMPLE if name == SAMPLE else collection_name(settings.path(name)) for name in names]


def _names(store: Store, settings: Settings) -> list[str]:
    elsewhere = read(store, ingest_records.count_ingest_records, bundled.SOURCE_NAME).records_from_elsewhere
    return [name for name in settings.evaluation.collections if name != SAMPLE or not elsewhere]
