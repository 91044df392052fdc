"""What may be written beside a provider's name, read and refused in the same words by every provider.

The options of a provider are also its preprocess policy: everything here changes the vectors. What only
changes speed is a constructor argument instead.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from holocron_assets.environment import NO_SECRETS, named_secret
from holocron_assets.errors import ConfigurationError

_WHERE = "Correct it under `spaces:` in holocron.yaml."


class Options(BaseModel):
    """Base of each provider's options; the defaults are the model's plain policy."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    what: ClassVar[str] = "provider"
    where: ClassVar[str] = _WHERE

    @classmethod
    def read(cls, provider: str, given: Mapping[str, Any]) -> Self:
        """Raises `ConfigurationError` that names every fault and the options that there are."""
        if secret := named_secret(given):
            raise ConfigurationError(f"{cls.what} {provider!r}, {secret}: {NO_SECRETS}.")
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            known = ", ".join(sorted(cls.model_fields)) or "none"
            raise ConfigurationError(
                f"{cls.what} {provider!r}, {faults}. Known options: {known}. {cls.where}"
            ) from error


def require_model(provider: str, model: str, served: str) -> None:
    """Raise `ConfigurationError` unless `model` is the one that this provider serves."""
    if model != served:
        raise ConfigurationError(f"provider {provider!r} has no model {model!r}; it serves {served!r}. {_WHERE}")
