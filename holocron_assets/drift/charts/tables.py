"""What a picture shows, in rows. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """The names of the columns, and the rows below them; the first column names its row."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
