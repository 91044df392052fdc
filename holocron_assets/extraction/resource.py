"""What a record's resource is called, whichever seeder wrote it."""

from holocron_assets import identity
from holocron_assets.records import RecordKey

#: An older seeder of the existing database put the variant into the type.
_TYPES_WITH_VARIANT = {"content_raw": ("content", "raw"), "content_html": ("content", "html")}


def normal_resource(resource_type: str, variant: str | None) -> tuple[str, str]:
    """The type and variant in today's words; no variant is an empty one."""
    if variant:
        return resource_type, variant
    return _TYPES_WITH_VARIANT.get(resource_type, (resource_type, ""))


def resource_key(key: RecordKey) -> str:
    """Equal for all records of one resource, of whichever variant."""
    resource_type, _ = normal_resource(key.resource_type, key.variant)
    return identity.resource_key(key.source_system, key.source_name, resource_type, key.resource_id)


def resource_source_id(key: RecordKey) -> str:
    """The source of a record whose payload names no source of its own."""
    resource_type, _ = normal_resource(key.resource_type, key.variant)
    return identity.resource_source_id(key.source_system, key.source_name, resource_type, key.resource_id)
