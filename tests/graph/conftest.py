"""The whole code location on a store of the test's own, with a Dagster instance that forgets."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.definitions import build_defs
from tests.world import World


@dataclass
class Graph:
    """Materialises assets of the code location as Dagster would."""

    world: World
    instance: dg.DagsterInstance

    @property
    def defs(self) -> dg.Definitions:
        return build_defs(self.world.settings, self.world.store, self.world.providers)

    def materialize(
        self,
        selection: str = "+key:embeddings",
        *,
        config: dict[str, object] | None = None,
        partition: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        job = dg.define_asset_job("job", selection=selection)
        defs = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
        return defs.resolve_job_def("job").execute_in_process(
            instance=self.instance, raise_on_error=False, run_config=config, partition_key=partition
        )

    def check(self, name: str, asset: str = "embeddings") -> dg.AssetCheckEvaluation:
        """Run an asset's checks alone, as the UI's button does, and give one of them."""
        job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks_for_assets(asset))
        defs = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
        result = defs.resolve_job_def("checks").execute_in_process(instance=self.instance, raise_on_error=False)
        return next(one for one in result.get_asset_check_evaluations() if one.check_name == name)


@pytest.fixture
def graph(world: World) -> Iterator[Graph]:
    """The code location over the test's world."""
    world.providers = InstalledProviders(world.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(world=world, instance=instance)
