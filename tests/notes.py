"""A table of the user's own, and the SQL source that reads it."""

from holocron_assets.ports import Session
from holocron_assets.sections import SqlSource
from holocron_assets.stages.ingest_rows import SqlSourceReport, ingest_sql_sources
from tests.world import ORIGIN, World, raw, silent

QUERY = "select note_id as id, heading as title, body as text from ingest.Notes"
SOURCE = SqlSource(name="notes", query=QUERY)
_TABLE = """create table ingest.Notes (
    note_id int null,
    heading nvarchar(200) null,
    body nvarchar(4000) null
)"""


class Notes:
    """Rows that can be written, changed and removed, and ingested."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.run(_TABLE)

    def put(self, note_id: int | None, heading: str | None, body: str | None) -> None:
        """Add a row; text in it is plain ASCII."""
        values = ("null" if value is None else f"'{value}'" for value in (note_id, heading, body))
        self.run(f"insert into ingest.Notes (note_id, heading, body) values ({', '.join(values)})")

    def run(self, sql: str) -> None:
        """Change the table."""
        with self._world.store.session() as session:
            raw(session, sql)

    def ingest(self, query: str = QUERY) -> SqlSourceReport:
        """Read the source once."""
        source = SqlSource(name=SOURCE.name, query=query)
        (report,) = ingest_sql_sources(self._world.store, [source], ORIGIN, silent)
        return report


def answer(session: Session, query: str) -> list[dict[str, str | None]]:
    """All rows of a user's query."""
    return [row for batch in session.stream_user_query(query) for row in batch.to_pylist()]
