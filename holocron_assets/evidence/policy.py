"""How much may be handed over, and whether it is redacted first."""

from dataclasses import dataclass

from holocron_assets.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePolicy:
    """The limits of a bundle, in items and in bytes of UTF-8; raises `ConfigurationError` that names every fault."""

    max_items: int = 50
    max_total_bytes: int = 100_000
    max_item_bytes: int = 10_000
    enable_redaction: bool = False
    version: str = "1.0"

    def __post_init__(self) -> None:
        faults = [
            text
            for text, is_fault in {
                f"max_items is {self.max_items}, and must be at least 1": self.max_items < 1,
                f"max_total_bytes is {self.max_total_bytes}, and must be at least 1000": self.max_total_bytes < 1000,
                f"max_item_bytes is {self.max_item_bytes}, and must be at least 100": self.max_item_bytes < 100,
                f"max_item_bytes is {self.max_item_bytes}, and must not exceed max_total_bytes, which is "
                f"{self.max_total_bytes}": self.max_item_bytes > self.max_total_bytes,
            }.items()
            if is_fault
        ]
        if faults:
            raise ConfigurationError(f"evidence: {'; '.join(faults)}")
