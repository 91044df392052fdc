"""A table of the user's own."""

from holocron_assets.ports import Session
from tests.world import World, raw

QUERY = "select note_id as id, heading as title, body as text from ingest.Notes"
_TABLE = """create table ingest.Notes (
    note_id int null,
    heading nvarchar(200) null,
    body nvarchar(4000) null
)"""


class Notes:
    """Rows that can be written, changed and removed."""

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


def answer(session: Session, query: str) -> list[dict[str, str | None]]:
    """All rows of a user's query."""
    return [row for batch in session.stream_user_query(query) for row in batch.to_pylist()]
