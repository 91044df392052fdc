"""Every error this project raises on purpose.

The tree::

    HolocronError
    ├── ConfigurationError        the settings are wrong; nothing was attempted
    ├── InputError                a file, line or query that was handed over cannot be used
    │   ├── UnknownItemError      nothing has the id that was asked for
    │   └── QuestionError         a query that no search can be asked
    ├── ExportError               the folder handed to `holocron export` cannot be used
    ├── ArtefactError             the folder of a run's artefacts cannot be written; the run's work stands
    ├── EventError                the file of events cannot be written; whatever it would tell of stands
    ├── WebhookError              an alert was not delivered; the next tick of its sensor tries again
    │   └── AlertRefusedError     the webhook will never take this one
    ├── ExtractionError           one record has no readable text; it is quarantined, the run goes on
    ├── WorkerStartError          worker processes cannot be started, so no document can be blamed
    ├── MassChangeError           the guard stopped a run that would retire too much
    ├── NotReadyError             a space is not fit for what was asked of it
    ├── UnfinishedError (transient) an answer takes longer than anyone waits for it, and is worked on meanwhile
    ├── JobRefusedError           a job asks for what nothing can do
    ├── SpaceMismatchError        a provider no longer produces the vectors its space was registered with
    │   └── ModelChangedError     because the model behind the name is another one, or answers otherwise
    ├── TransformError            a stored transform is missing, damaged or of another version
    ├── ProviderError             a provider refused or failed
    │   ├── ModelMissingError     the model's files are not there
    │   ├── InputRejectedError    this text will never be embedded; it is quarantined
    │   └── ProviderUnavailableError (transient)
    ├── VectorError               a provider returned a vector that must not be stored
    ├── SearchIndexError          a search index cannot be written; what was published before stays
    │   ├── IndexDamagedError     its files are not what was published; they are built anew
    │   └── IndexBusyError (transient)
    └── StoreError                the database refused or failed
        ├── SchemaError           the database does not look as the migrations left it
        ├── StoreBusyError (transient)
        └── StoreUnavailableError (transient)

A message says what failed, on which item, and what to do next. `TransientError` marks what a later
attempt may clear: whoever retries asks for that type and nothing else.
"""


class HolocronError(Exception):
    """Base of every deliberate error; its message is written for the person who reads it."""


class TransientError(HolocronError):
    """Mixed into errors that a later attempt may clear without anyone changing anything."""


class ConfigurationError(HolocronError):
    """`holocron.yaml`, the environment or an argument asks for something that cannot be."""


class InputError(HolocronError):
    """A file, a line, or the result of a query or a search, that was handed over cannot be used."""


class UnknownItemError(InputError):
    """What was asked for by its id is not there."""


class QuestionError(InputError):
    """A query, or what it is to be asked with, is nothing that a search can be asked."""


class ExportError(HolocronError):
    """The folder that records are to be exported to cannot be used."""


class ArtefactError(HolocronError):
    """The folder of a run's artefacts cannot be written, or there is nothing to write there."""


class EventError(HolocronError):
    """The file of events cannot be written."""


class WebhookError(HolocronError):
    """The webhook did not take an alert."""


class AlertRefusedError(WebhookError):
    """The webhook says that this alert is not what it takes: it would say so again."""


class ExtractionError(HolocronError):
    """One record has no readable text for a reason that a retry will not change."""


class WorkerStartError(HolocronError):
    """A worker process ended, or said nothing, before it was given anything to do."""


class MassChangeError(HolocronError):
    """A run would retire more than the guard allows, so nothing was retired."""


class NotReadyError(HolocronError):
    """An alias cannot mean this space, or not yet."""


class UnfinishedError(TransientError):
    """An answer is not ready yet; whoever asks again later gets it."""


class JobRefusedError(HolocronError):
    """A job asks for what no asset does, or of what is not there."""


class SpaceMismatchError(HolocronError):
    """What a provider describes differs from the space that was registered."""


class ModelChangedError(SpaceMismatchError):
    """Under the name of a registered space, another model answers, or the same one gives other vectors."""


class TransformError(HolocronError):
    """The stored transform of a derived space is missing, or is not what its hash says."""


class ProviderError(HolocronError):
    """An embedding provider refused or failed."""


class ModelMissingError(ProviderError):
    """The model's files or its server-side entry are missing."""


class InputRejectedError(ProviderError):
    """The provider will never embed this text; retrying is pointless."""


class ProviderUnavailableError(ProviderError, TransientError):
    """The provider cannot be reached or is overloaded just now; `retry_after` is in how many seconds, if it said so.

    `is_busy`: it is there, and wants fewer requests. No text is to blame for that.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, is_busy: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_busy = is_busy


class VectorError(ProviderError):
    """A provider returned a vector that is not finite, not of its dimension or not of unit length."""


class StoreError(HolocronError):
    """The database refused or failed."""


class SchemaError(StoreError):
    """The database's schema is not the one that the migrations recorded."""


class StoreBusyError(StoreError, TransientError):
    """Another process holds the store."""


class StoreUnavailableError(StoreError, TransientError):
    """The database cannot be reached just now, or ended a transaction that may well succeed the next time."""


class SearchIndexError(HolocronError):
    """The files of a search index cannot be written."""


class IndexDamagedError(SearchIndexError):
    """Files of a search index are missing, cut off or of another version; they can be built anew from the store."""


class IndexBusyError(SearchIndexError, TransientError):
    """Another process is building the search index, and takes long."""
