"""Running a function in a transaction, and again when the connection was lost under it or a deadlock chose it.

What runs here may be run twice, even after a commit of which the answer was lost: it changes nothing outside the
transaction, and writes what is not there yet. What it counted is then counted low: the second time it was there.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from holocron_assets.errors import StoreUnavailableError
from holocron_assets.ports import Session, Store

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)
_PAUSES_SECONDS = (0.2, 1.0, 5.0)


def read(
    store: Store, function: Callable[Concatenate[Session, Given], Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """What `function` answers, called with a session that only reads and with the other arguments."""
    return _run(store, lambda session: function(session, *args, **kwargs), is_write=False)


def write(
    store: Store, function: Callable[Concatenate[Session, Given], Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """What `function` answers, called with a session whose transaction is committed then, and the other arguments."""
    return _run(store, lambda session: function(session, *args, **kwargs), is_write=True)


def _run(store: Store, function: Callable[[Session], Answer], *, is_write: bool) -> Answer:
    for pause in _PAUSES_SECONDS:
        is_open = False
        try:
            with store.session(write=is_write) as session:
                is_open = True
                return function(session)
        except StoreUnavailableError as error:
            if not is_open:
                raise  # who opens a session has waited for the store already
            _LOGGER.warning("%s; the transaction is run again", error)
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two do not meet again
    with store.session(write=is_write) as session:
        return function(session)
