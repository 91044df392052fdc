"""Which queries of a user's own are run."""

import pytest

from holocron_assets.user_queries import require_reading


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as id",
        "  SELECT id, title, text from dbo.x;\n",
        "/* update */ select 'delete; from llm.x' as id -- drop it; llm.run",
        "with x as (select 1 as id) select * from x",
        'select [update], "into", [a;b], "it\'s -- so" from dbo.[create]',
        "select UpdatedUtc, created, e.text from dbo.Executions as e with (nolock)",
        "select id from dbo.legacy_notes join dbo.llm on 1 = 1",
        "select '' as id, 'it''s; so' as title",
    ],
)
def test_queries_that_read_are_run(query: str) -> None:
    """One select passes, whatever stands in its comments, strings and quoted names."""
    require_reading(query)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "begins with select or with"),
        ("-- select\ndelete from dbo.x", "begins with select or with"),
        ("selected", "begins with select or with"),
        ("from dbo.x select id", "begins with select or with"),
        ("select 1; select 2", "one statement"),
        ("select 1;;", "one statement"),
        ("select 1 delete from dbo.x", "the word delete"),
        ("with x as (select 1 as id) INSERT dbo.y select * from x", "the word INSERT"),
        ("select * into dbo.y from dbo.x", "the word into"),
        ("select 1 as id commit", "the word commit"),
        ("select 1 as id exec dbo.p", "the word exec"),
        ("select 1 as id --\rdelete from dbo.x commit", "the word delete"),
        ("select 1 as [x]]'] delete from dbo.x where y = ''", "the word delete"),
        ("select next value for dbo.numbers as id", "the word next value"),
        ("select * from openquery(other, 'delete dbo.x')", "the word openquery"),
        ("select * from llm.run", "names llm.run"),
        ("select * from Holocron.[LLM] . [job]", r"names LLM \. job"),
        ('select * from "llm"."chunk"', "names llm.chunk"),
        ("select * from dbo.chunk_legacy", "names chunk_legacy"),
        ("select * from [vector].[Embedding_Legacy] as e", "names Embedding_Legacy"),
    ],
)
def test_other_queries_are_refused(query: str, reason: str) -> None:
    """A query that might write, or reads what belongs to another program, is refused with the word that says so."""
    with pytest.raises(ValueError, match=reason):
        require_reading(query)
