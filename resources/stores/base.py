"""What every SQL store does the same way: its migrations. Connections are each database's own affair."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from holocron_assets.errors import SchemaError
from holocron_assets.ports import Session
from holocron_assets.records import Disk
from resources.queries import Migration, load_migrations


class ScriptSession(Session, Protocol):
    """A session that may also run a migration's text."""

    def run_script(self, text: str) -> None:
        """Run every statement of a migration file."""
        ...


class SqlStore(ABC):
    """A store whose schema comes from `sql/<dialect>/migrations`."""

    dialect: str
    #: A schema that was found current by this process stays so: only this class changes it.
    _found_current = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Where the store is, for messages."""

    @property
    @abstractmethod
    def largest_record_bytes(self) -> int:
        """See `holocron_assets.ports.Store`."""

    @abstractmethod
    def session(self, *, write: bool = True) -> AbstractContextManager[ScriptSession]:
        """See `holocron_assets.ports.Store`."""

    @abstractmethod
    def kept_open(self) -> AbstractContextManager[None]:
        """See `holocron_assets.ports.Store`."""

    @abstractmethod
    def exists(self) -> bool:
        """See `holocron_assets.ports.Store`."""

    def stamp(self) -> str | None:
        """See `holocron_assets.ports.Store`."""
        return None

    def disk(self) -> Disk | None:
        """See `holocron_assets.ports.Store`."""
        return None

    def pending_migrations(self) -> list[str]:
        """See `holocron_assets.ports.Store`."""
        return [_label(migration) for migration in self._pending()]

    def migrate(self) -> list[str]:
        """See `holocron_assets.ports.Store`."""
        if self._found_current and self.exists():
            return []
        pending = self._pending()
        self._found_current = not pending
        if not pending:
            return []
        with self.session() as session:
            session.execute("create_migration_log")
        for migration in pending:
            with self.session() as session:
                # Another process may have applied it since.
                if any(row["version"] == migration.version for row in session.rows("list_applied_migrations")):
                    continue
                session.run_script(migration.text)
                session.execute(
                    "insert_applied_migration",
                    version=migration.version,
                    name=migration.name,
                    sha256=migration.sha256,
                    now=datetime.now(UTC).replace(tzinfo=None),
                )
        return [_label(migration) for migration in pending]

    def _pending(self) -> list[Migration]:
        applied = {row["version"]: row for row in self._applied()}
        pending = []
        for migration in load_migrations(self.dialect):
            row = applied.pop(migration.version, None)
            if row is None:
                pending.append(migration)
            elif row["sha256"] != migration.sha256:
                raise SchemaError(
                    f"{self.name}: migration {_label(migration)} was changed after it was applied on "
                    f"{row['applied_utc']:%Y-%m-%d}. Migrations are never edited: restore the file and add a new one."
                )
        if applied:
            raise SchemaError(
                f"{self.name}: its schema is at version {max(applied)}, which this version of Holocron Assets does "
                "not know. Upgrade Holocron Assets, or use a backup of the store from before the upgrade."
            )
        return pending

    def _applied(self) -> list[dict[str, Any]]:
        if not self.exists():
            return []
        with self.session(write=False) as session:
            if not session.rows("count_migration_logs")[0]["n"]:
                return []
            return session.rows("list_applied_migrations")


def _label(migration: Migration) -> str:
    return f"{migration.version:04d}_{migration.name}"
