"""Reading NVARCHAR as it is stored: SQL Server keeps any code units, also those that are no UTF-16."""

import codecs
from typing import Any

#: For `pyodbc.Connection.setdecoding`: half a surrogate pair becomes U+FFFD, where the strict codec would fail for the
#: whole batch of rows because of one.
LENIENT_UTF16 = "holocron-utf-16-le"


def _decode(data: Any, _errors: str = "strict", /) -> tuple[str, int]:
    return codecs.utf_16_le_decode(data, "replace", True)


def _find(name: str) -> codecs.CodecInfo | None:
    # Python and pyodbc spell the separators of a name in their own ways.
    if name.replace("_", "-") != LENIENT_UTF16:
        return None
    return codecs.CodecInfo(codecs.utf_16_le_encode, _decode, name=LENIENT_UTF16)


codecs.register(_find)
