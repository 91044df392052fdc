"""What may be written beside a reranker's name."""

from typing import ClassVar

from resources.providers.options import Options


class RerankOptions(Options):
    """Base of each reranker's options."""

    what: ClassVar[str] = "reranker"
    where: ClassVar[str] = "Correct it under `rerank:` in holocron.yaml."
