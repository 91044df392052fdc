"""Having SQL Server compare vectors, where it has the type for them: a table of each space's current ones."""

import uuid
from dataclasses import dataclass, replace

from resources.queries import Query

#: More is an error of the type.
MAX_DIMENSIONS = 1998
#: The server computes in float32: among so many more is what is nearest in float64. Of equal vectors the server prefers
#: the same ones.
_CANDIDATES_PER_HIT, _MORE_CANDIDATES = 4, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTable:
    """The table of one space, whether it is there yet or not."""

    space_id: uuid.UUID
    dimensions: int
    exists: bool

    @staticmethod
    def name_of(space_id: uuid.UUID) -> str:
        """Its name in the schema `vector`."""
        return f"search_{space_id.hex}"

    def of_space(self, query: Query) -> Query:
        """A query of `sql/tsql/search.sql`, about this table."""
        return replace(query, statements=tuple(map(self._named, query.statements)))

    def _named(self, statement: str) -> str:
        return statement.replace("search_of_space", self.name_of(self.space_id)).replace(
            "vector(1)", f"vector({self.dimensions})"
        )


def candidates(limit: int) -> int:
    """How many vectors to have the server choose, so that the `limit` nearest are sure to be among them."""
    return _CANDIDATES_PER_HIT * limit + _MORE_CANDIDATES
