"""Evaluations in tests, stored as if something had been evaluated."""

import uuid

from holocron_assets.clock import utc_now
from holocron_assets.evaluation.metrics import METRICS, Metrics, QueryMetrics, mean
from holocron_assets.ports import Session
from holocron_assets.records import JobType
from holocron_assets.runs import recorded_run
from holocron_assets.tables import evaluations
from holocron_assets.tables.evaluations import Evaluation, Judged
from holocron_assets.transactions import write
from tests.indexes import only_space
from tests.world import ORIGIN, World


def won(world: World, method: str) -> None:
    """Let a way of ranking be what won the last evaluation of the only space, on the collection of the settings."""
    space = only_space(world)
    (collection,) = world.settings.evaluation.collections
    measured = [QueryMetrics(query_id="q", metrics=Metrics(**dict.fromkeys(METRICS, 0.5)))]
    with recorded_run(world.store, ORIGIN, JobType.RETRIEVE_TEST, stage="evaluate", space=space) as run:
        evaluation = Evaluation(
            evaluation_id=uuid.uuid4(),
            embedding_space_id=space.embedding_space_id,
            run_id=run.run_id,
            collection=collection,
            collection_sha256=f"{collection:0>64}",
            judged=Judged.SOURCES,
            method=method,
            top_k=100,
            query_count=1,
            skipped_count=0,
            unknown_count=0,
            chunk_count=1,
            metrics=mean(measured),
            evaluated_utc=utc_now(),
        )

    def insert(session: Session) -> None:
        evaluations.insert_evaluation(session, evaluation)
        evaluations.insert_evaluation_queries(session, evaluation.evaluation_id, measured)
        evaluations.update_evaluation_winner(session, evaluation)

    write(world.store, insert)
