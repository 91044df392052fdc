"""A drift report as a page: what stands where, and that no text, number or amount breaks it."""

import base64
import dataclasses
import hashlib
import re
import uuid
from collections.abc import Iterator
from itertools import pairwise

import lxml.html
import pytest

from holocron_assets.drawing import TONES
from holocron_assets.drift.page import render
from holocron_assets.drift.report import DriftReport, Judgement, Kind, Subject, Verdict
from tests.drift_reports import HOSTILE, content_report, course, hostile_report

HISTORY = course("mean_shift", [0.01, 0.02, None, 0.03])
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@pytest.fixture(scope="module")
def page() -> str:
    return render(content_report(), HISTORY)


@pytest.fixture(scope="module")
def hostile() -> str:
    return render(hostile_report(), course(HOSTILE, [0.1, 0.2]))


def read(page: str) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(page)


def said(element: lxml.html.HtmlElement) -> str:
    """Its text as it is read, without styles and without what only screen readers say."""
    return " ".join(" ".join(element.xpath(".//text()[not(ancestor::style)]")).split())


def test_a_page_begins_with_the_verdict(page: str) -> None:
    """Verdict, pictures, their history, figures and method come in this order, and no heading skips a level."""
    headings = read(page).xpath("//*[self::h1 or self::h2 or self::h3 or self::h4]")
    levels = [int(one.tag[1]) for one in headings]

    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert [said(one) for one in headings if one.tag == "h2"] == [
        "Verdict",
        "Pictures",
        "Over time",
        "Figures",
        "Method and parameters",
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_judgement_says_why_and_what_to_do(page: str) -> None:
    """Each has its question, a word, a symbol, a reason and a next step, whose commands are set as such."""
    content, retrieval = read(page).xpath("//article")

    assert said(content).startswith(
        "Did the content change? ALERT act A new topic has come. Next: Look at the clusters"
    )
    assert said(retrieval) == "Did retrieval get worse? OK nothing to do As good as before. Next: Nothing."
    assert content.xpath(".//code")[0].text == "holocron drift snapshot"
    symbols = [lxml.html.tostring(one.xpath(".//svg")[0]) for one in (content, retrieval)]
    assert len(set(symbols)) == 2
    assert "This report does not answer: Is it the same model? Did the space change?" in said(read(page))


@pytest.mark.parametrize(
    ("kind", "subject", "asked"),
    [
        (Kind.MODEL, Subject.MODEL, "Is it the same model?"),
        (Kind.MODEL, Subject.SPACE, "Did the space change?"),
        (Kind.SPACES, Subject.SPACE, "Do the two spaces agree?"),
    ],
)
def test_a_question_fits_its_report(kind: Kind, subject: Subject, asked: str) -> None:
    """What is asked of a space depends on whether it is compared with itself or with another one."""
    judgement = Judgement(subject=subject, verdict=Verdict.WATCH, why="So.", next_step="Look.")
    report = dataclasses.replace(
        content_report(), kind=kind, judgements=[judgement], other_space="other/one", other_space_id=uuid.UUID(int=9)
    )

    shown = read(render(report, []))

    assert said(shown.xpath("//article")[0]).startswith(f"{asked} WATCH")
    assert ("compared with other/one" in said(shown)) is (kind is Kind.SPACES)


@pytest.mark.parametrize("verdict", Verdict)
def test_two_spaces_that_differ_call_for_nothing(verdict: Verdict) -> None:
    """Whatever the verdict, its word says how they differ, and not that something broke."""
    judgement = Judgement(subject=Subject.SPACE, verdict=verdict, why="So.", next_step="Evaluate.")
    report = dataclasses.replace(content_report(), kind=Kind.SPACES, judgements=[judgement], other_space="other/one")

    (word,) = read(render(report, [])).xpath("//p[@class='word']/span[not(@class)]")

    assert "differ" in said(word)
    assert not report.calls_for_action
    assert dataclasses.replace(content_report(), kind=Kind.MODEL).calls_for_action


def test_anchors_are_called_anchors() -> None:
    """The sides of a model report are counted in them, others in documents and chunks."""
    report = content_report()
    sides = [
        said(read(render(dataclasses.replace(report, kind=kind), [])).xpath("//table[@class='sides']")[0])
        for kind in (Kind.MODEL, Kind.CONTENT)
    ]

    assert sides[0] == (
        "Side Which Anchors Anchors compared Reference summer 98,412 2,000 Current this week 5,121 2,000"
    )
    assert "Documents Chunks Documents sampled Chunks sampled" in sides[1]


def test_the_gravest_figures_come_first(page: str) -> None:
    """Figures are sorted by verdict; those without one stand below as context."""
    rows = read(page).xpath("//table[@class='metrics']/tbody/tr/th")

    assert [said(one) for one in rows] == [
        "Judged",
        "Mean shift",
        "Novelty",
        "Context, without a verdict",
        "Truncated rate",
        "Linear CKA",
    ]


def test_a_figure_that_is_missing_says_why(page: str) -> None:
    """What is None or no number is a dash with its reason; a small p is one that is below a thousandth."""
    shift, novelty, truncated, cka = (said(one) for one in read(page).xpath("//tbody/tr[th[@role='rowheader']][td]"))

    assert "ALERT 0.083 — no figure of one side 0.02 / 0.06 calibrated < 0.001 unadjusted < 0.001" in shift
    assert "OK 0.01 0.371 → 0.375 0.02 / 0.06 calibrated — not adjusted unadjusted 0.40" in novelty
    assert "— the provider does not say what it cuts" in truncated
    assert "— what was measured is no number — → 0.5 — no floor — not tested" in cka
    assert not re.search(r"\b(nan|inf|None)\b", said(read(page)), re.IGNORECASE)


def test_a_report_can_be_made_again(page: str) -> None:
    """Ids, seed, samples and parameters are there, exactly."""
    report = content_report()
    method = said(read(page).xpath("//section")[-1])

    for one in (report.report_id, report.run_id, report.space_id, "Seed 7", "Permutations 499", "1,012,345", "18,811"):
        assert str(one) in method
    assert '{"from":"2025-08-24","to":"2025-11-22"}' in method


def test_a_figure_with_a_floor_has_a_history(page: str) -> None:
    """The line of a figure ends in the report itself, which is there once; without earlier reports there is no line."""
    report = content_report()
    again = [*HISTORY, dataclasses.replace(HISTORY[-1], report_id=report.report_id, created_utc=report.created_utc)]

    (course_of_shift,) = read(page).xpath("//figure[h3[@id='course-1']]")

    assert len(course_of_shift.xpath(".//tbody/tr")) == len(HISTORY) + 1
    assert said(course_of_shift.xpath(".//tbody/tr")[0]) == "2025-11-22 02:15+00:00 0.083 0.02 0.06 alert"
    assert render(report, again) == page
    assert "No earlier report has measured the same figures." in said(read(render(report, [])))


def test_equal_reports_have_equal_pages(page: str) -> None:
    """Neither the order of a mapping nor that of the history makes a difference."""
    report = content_report()
    turned = dataclasses.replace(
        report,
        parameters={"windows": {"from": "2025-08-24", "to": "2025-11-22"}, "permutations": 499},
        metrics=[dataclasses.replace(one, details=dict(reversed(list(one.details.items())))) for one in report.metrics],
    )

    assert render(turned, HISTORY[::-1]) == page


@pytest.mark.parametrize("name", ["page", "hostile"])
def test_nothing_is_loaded_or_run(name: str, request: pytest.FixtureRequest) -> None:
    """There is no script, handler, form, image or address, and the policy allows one style only: the page's own."""
    text = request.getfixturevalue(name)
    shown = read(text)
    (style,) = shown.xpath("//style")
    (policy,) = shown.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()

    assert not shown.xpath("//script | //link | //img | //iframe | //object | //form | //base | //image | //use")
    assert not [one for one in shown.xpath("//@*") if one.attrname.startswith("on") or one.attrname == "style"]
    assert all(one.startswith("#") for one in shown.xpath("//@href | //@src"))
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_texts_are_shown_and_do_nothing(hostile: str) -> None:
    """Markup is text, templates are text, what is unseen or turns texts around is marked, what is endless is cut."""
    shown = read(hostile)

    assert "<script>document.title='broken'</script>" in said(shown)
    assert "{{ 7 * 7 }}" in said(shown)
    assert not UNSEEN.search(hostile)
    assert "\ufffdgnol dna desrever\ufffd" in said(shown)
    assert len(said(shown.xpath("//h1")[0])) < 200
    assert max(len(said(one)) for one in shown.xpath("//td | //th | //dd | //p")) < 5_000
    hostile.encode()


def test_a_report_of_nothing_is_a_page() -> None:
    """Without judgements, figures, pictures and parameters the page says that there are none."""
    report = dataclasses.replace(content_report(), judgements=[], metrics=[], pictures=[], parameters={})

    text = said(read(render(report, [])))

    assert "This report judges nothing" in text
    assert text.count("There are none") == 2


def test_tables_name_their_columns_and_rows(page: str) -> None:
    """Every head has its scope, every picture its heading, and every reference leads to one element."""
    shown = read(page)

    assert not shown.xpath("//th[not(@scope)]")
    ids = shown.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(shown.xpath("//@aria-labelledby")) <= set(ids)
    assert {one.lstrip("#") for one in shown.xpath("//a/@href")} <= set(ids)
    assert all(len(one.xpath("./svg[@role='img'][title][desc]")) == 1 for one in shown.xpath("//figure"))


def schemes(page: str) -> Iterator[dict[str, str]]:
    """The colours of the light scheme, the dark one, and paper."""
    for block in re.findall(r":root \{(.*?)\}", read(page).xpath("//style")[0].text, re.DOTALL):
        yield dict(re.findall(r"--(\w+): (#\w{6});", block))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, success criterion 1.4.3: from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_texts_can_be_read_in_every_scheme(page: str) -> None:
    """Light, dark and printed, texts and the colours of both sides have a contrast of at least 4.5."""
    light, dark, paper = schemes(page)

    for scheme in (light, dark, paper):
        for tone in ("ink", "quiet", "reference", "current", "link", "ok", "watch", "alert"):
            for ground in ("paper", "field"):
                assert contrast(scheme[tone], scheme[ground]) >= 4.5, (tone, ground)
        assert contrast(scheme["current"], scheme["soft"]) >= 3
        assert contrast(scheme["reference"], scheme["soft"]) >= 3
    assert {tone: light[tone] for tone in TONES} == TONES


def test_a_page_stays_small() -> None:
    """A report with a picture of every kind takes less than 300 kB."""
    report: DriftReport = content_report()

    assert len(render(report, HISTORY).encode()) < 300_000
