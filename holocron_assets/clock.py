"""The one place that asks what time it is."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, as the database stores times: UTC without a zone, to the microsecond."""
    return datetime.now(UTC).replace(tzinfo=None)
