"""Which queries of a user's own are run: those that only read, and leave other programs' working tables alone. Pure.

A guard against mistakes, by the words alone: it knows no grammar, and refuses rather too much. That nothing is changed
is the affair of the session that runs them.
"""

import re

_NAME = r'"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\]'
_QUOTED_NAME = re.compile(_NAME)
#: Comments and strings, in which any word may stand; and quoted names, in which their marks may.
_SAID = re.compile(rf"--[^\r\n]*|/\*.*?\*/|'(?:[^']|'')*'|(?P<name>{_NAME})", re.DOTALL)
_BEGINNING = re.compile(r"(select|with)\b", re.IGNORECASE)
#: In T-SQL a second statement needs no semicolon before it.
_WRITES = re.compile(
    r"\b(alter|backup|begin|commit|create|dbcc|delete|deny|drop|exec|execute|grant|insert|into|kill|merge|next\s+value"
    r"|opendatasource|openquery|openrowset|restore|revoke|rollback|shutdown|truncate|update|use|waitfor)\b",
    re.IGNORECASE,
)
_FORBIDDEN_NAME = re.compile(r"\bllm\s*\.\s*\w*|\w+_legacy\b", re.IGNORECASE)


def require_reading(query: str) -> None:
    """Raise ValueError for a query that is not one select, or names what is never read."""
    statement = _SAID.sub(lambda found: found["name"] or " ", query).strip().removesuffix(";")
    if not _BEGINNING.match(statement):
        raise ValueError("a query begins with select or with; this one does not")
    named = re.sub(r'["\[\]]', "", statement)
    if forbidden := _FORBIDDEN_NAME.search(named):
        raise ValueError(
            f"it names {forbidden[0]}: objects of the schema llm, and what is called ..._legacy, belong to another "
            "program and are never read"
        )
    words = _QUOTED_NAME.sub(" ", statement)
    if ";" in words:
        raise ValueError("a query is one statement: leave out what follows the semicolon")
    if written := _WRITES.search(words):
        raise ValueError(
            f"the word {written[0]} has no place in a query that only reads; put it in quotes if it is a column"
        )
