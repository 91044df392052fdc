"""Redaction: what is found, what is left alone, and that nothing is remembered of what was taken out."""

import time
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holocron_assets.evidence.redaction import RULES, redact, redact_all

FOUND = [
    ("secret", 'password: "hunter2hunter2"'),
    ("secret", "API_KEY=sk-abc/123+def=="),
    ("secret", "api key = p@ss;word!"),
    ("secret", '"accessToken": "eyJhbGciOi.J9"'),
    ("secret", "the token is 9f8e7d6c5b"),
    ("email", "keeper.of-tides+9@mail.ondrel.example"),
    ("email", "müller@füße.example"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "4111111111111111"),
    ("ssn", "078-05-1120"),
    ("phone", "(555) 123-4567"),
    ("phone", "+1 555 123 4567"),
    ("phone", "555.123.4567"),
    ("phone", "5551234567"),
]


@pytest.mark.parametrize(("rule", "text"), FOUND)
def test_what_a_rule_is_for_is_taken_out(rule: str, text: str) -> None:
    """Each of these is replaced by its rule's mark, wherever it stands in a sentence."""
    redacted = redact(f"Ask ({text}) today.")

    mark = f"[{rule.upper()}_REDACTED]"
    assert mark in redacted.text
    assert redacted.text.startswith("Ask ")
    assert [(one.rule, redacted.text[one.start : one.end]) for one in redacted.redactions] == [(rule, mark)]
    assert not any(piece in redacted.text for piece in text.split() if any(sign.isdigit() for sign in piece))


@pytest.mark.parametrize(
    "text",
    [
        "Secret societies met in token economies; the password was lost.",
        "secret: short, token: 1234567",
        "version 1.2.3, pages 1234-5678, the year 1977, 22345678901 steps, 12:30:45, 978-3-16-148410-0",
        "array@index and a@b and package@1.2.3",
        "12345678901234567890",
        "",
    ],
)
def test_what_only_looks_similar_is_left_alone(text: str) -> None:
    """Prose, versions, years and numbers of other lengths stay as they are."""
    assert redact(text).text == text
    assert redact(text).redactions == ()


def test_several_rules_in_one_text() -> None:
    """Positions are those of the redacted text, in order, and the rest is untouched."""
    redacted = redact("Call 555-123-4567 or write a@b.example. SSN 078-05-1120!")

    assert redacted.text == "Call [PHONE_REDACTED] or write [EMAIL_REDACTED]. SSN [SSN_REDACTED]!"
    assert [one.rule for one in redacted.redactions] == ["phone", "email", "ssn"]


emails = st.from_regex(r"[a-z0-9]{1,40}@[a-z]{1,20}\.[a-z]{2,6}", fullmatch=True)


@given(st.text(alphabet=" \nxé漢", max_size=20), emails, emails, st.text(alphabet=" \n漢", max_size=20))
def test_nothing_tells_what_was_taken_out(before: str, one: str, other: str, after: str) -> None:
    """Whatever was taken out, and however long it was, the outcome is the same."""
    texts = [redact(f"{before} {secret} {after}") for secret in (one, other)]

    assert asdict(texts[0]) == asdict(texts[1])
    assert one not in texts[0].text


@given(st.text(alphabet=st.sampled_from('ab1.@-_ "=:token()+'), max_size=200))
def test_what_is_kept_is_kept_in_order(text: str) -> None:
    """Without its marks, the redacted text is a subsequence of the text, and every mark stands where it is said to."""
    redacted = redact(text)

    rest = redacted.text
    for found in reversed(redacted.redactions):
        assert rest[found.start : found.end] == f"[{found.rule.upper()}_REDACTED]"
        rest = rest[: found.start] + rest[found.end :]
    signs = iter(text)
    assert all(sign in signs for sign in rest)


RUNS = [
    *("a", "a.", ".", "@", "a@", "a@a.", "a@a.a1", "1", "12", "111-", "111-11-", "1111 ", "(111)", "+1", "漢"),
    *("token", "token ", "token is ", "token=", "token:\n", 'token"', "token aaaaaaa ", "secret:secret:", "api key"),
    *(" ", "\n", "-", "aa-"),
]


@pytest.mark.parametrize("tail", ["", "1", "@"])
@pytest.mark.parametrize("run", RUNS)
def test_long_runs_take_linear_time(run: str, tail: str) -> None:
    """Eight times as long a run does not take much more than eight times as long."""
    short, long = (run * (length // len(run)) + tail for length in (5_000, 40_000))

    ratio = min(_seconds(long) for _ in range(3)) / max(min(_seconds(short) for _ in range(3)), 1e-3)

    assert ratio < 30


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(RUNS), min_size=1, max_size=3), st.sampled_from(["", "!", "1", "@a.aa"]))
def test_mixed_runs_take_linear_time(runs: list[str], tail: str) -> None:
    """A long text of any mixture takes microseconds for a character; with a run tried again and again it would not."""
    text = "".join(runs) * (50_000 // len("".join(runs))) + tail

    assert _seconds(text) < 1


def _seconds(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began


def test_values_inside_of_others_are_redacted() -> None:
    """Every text of a value is redacted, member names too; numbers and the like stay."""
    value = {"a@b.example": ["555-123-4567", 5551234567, None, {"x": ("token=abcdefgh",)}]}

    assert redact_all(value) == {
        "[EMAIL_REDACTED]": ["[PHONE_REDACTED]", 5551234567, None, {"x": ["[SECRET_REDACTED]"]}]
    }


def test_every_rule_is_shown() -> None:
    """No rule without an example above."""
    assert {rule for rule, _ in FOUND} == set(RULES)
