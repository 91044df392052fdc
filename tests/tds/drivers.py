"""The ODBC drivers that are there, and what a store needs to speak with one to the server."""

import ctypes
import importlib.util
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path

#: Microsoft's driver as its Python package brings it: for each family of systems and each machine.
_PACKAGE = "mssql_python_odbc"
_LIBRARY = "libs/linux/debian_ubuntu/{machine}/lib/libmsodbcsql-*.so.*"
#: By the name that tests call them.
DRIVERS = ("microsoft", "freetds")


def found(name: str) -> str | None:
    """What `driver=` of a store's URL must say; None where that driver, or what loads drivers, is missing."""
    try:
        import pyodbc  # noqa: PLC0415 - needs the operating system's driver manager, which not every machine has
    except ImportError:
        return None
    installed = pyodbc.drivers()
    if name == "freetds":
        return "FreeTDS" if "FreeTDS" in installed else None
    microsoft = [one for one in installed if re.fullmatch(r"ODBC Driver 1[78] for SQL Server", one)]
    return max(microsoft) if microsoft else _packaged()


def _packaged() -> str | None:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None or sys.platform != "linux":
        return None
    for library in Path(package.origin).parent.glob(_LIBRARY.format(machine=platform.machine())):
        # It needs Kerberos's libraries, and ODBC would only say that it is not there.
        with suppress(OSError):
            ctypes.CDLL(str(library))
            return str(library)
    return None
