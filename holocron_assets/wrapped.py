"""A provider around another one."""

from collections.abc import Mapping

from holocron_assets.ports import EmbeddingProvider


class WrappedProvider(EmbeddingProvider):
    """Is asked as the provider within, and runs as that runs; what it embeds is for a subclass to say."""

    def __init__(self, provider: EmbeddingProvider) -> None:
        self._provider = provider

    @property
    def batch_size(self) -> int:
        return self._provider.batch_size

    @property
    def batch_characters(self) -> int:
        return self._provider.batch_characters

    @property
    def concurrency(self) -> int:
        return self._provider.concurrency

    def runtime(self) -> Mapping[str, str]:
        return self._provider.runtime()
