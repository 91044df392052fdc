"""Reading a migration for SQL Server: batches that end with a line that says GO."""

import re

_GO = re.compile(r"^[ \t]*GO[ \t]*;?[ \t]*$", re.IGNORECASE | re.MULTILINE)


def batches(script: str) -> list[str]:
    """The batches of a script, in order, without empty ones. GO is no SQL: it tells clients where to cut."""
    return [batch.strip() for batch in _GO.split(script) if batch.strip()]
