"""Pictures of drift reports: every kind with nothing, with one thing and with a lot, as SVG and as a table."""

import dataclasses
import json
import math
import uuid
from datetime import UTC, datetime, timedelta

import lxml.etree
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.drawing import Scale, fitted, readable
from holocron_assets.drift import pictures
from holocron_assets.drift.charts import svg, table
from holocron_assets.drift.figures import MISSING, number, p_value, share
from holocron_assets.drift.report import Floor, HistoryPoint, Picture, Verdict
from tests.drift_reports import HOSTILE, LONG, every_kind

NAN = float("nan")


def made(count: int) -> list[Picture]:
    """A picture of each kind, with so many things in it."""
    random = np.random.default_rng(count)
    shares = random.dirichlet(np.ones(max(count, 1)), 2)[:, :count]
    points = random.normal(size=(count, 2))
    edges = np.linspace(0, 1, count + 1)
    counts = random.integers(0, 10**9, count)
    clusters = [
        pictures.Cluster(examples=["a"] * (index % 4), reference=before, current=after)
        for index, (before, after) in enumerate(shares.T.tolist())
    ]
    course = [
        HistoryPoint(
            report_id=uuid.UUID(int=day),
            created_utc=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=day),
            metric="m",
            effect=float(x),
            floor=Floor(watch=1, alert=2, is_calibrated=False) if day % 2 else None,
            verdict=list(Verdict)[day % 3] if day % 4 else None,
        )
        for day, x in enumerate(points[:, 0])
    ]
    differences = [
        pictures.Interval(label=f"m{index}", mean=x, low=x - abs(y), high=x + abs(y))
        for index, (x, y) in enumerate(points.tolist())
    ]
    return [
        pictures.occupancy("t", "e", clusters),
        pictures.overlap("t", "e", random.random(count), k=100),
        pictures.projection("t", "e", points, points[: count // 2]),
        pictures.histograms("t", "e", edges, counts, counts[::-1], unit="u"),
        pictures.history("t", "e", course),
        pictures.intervals("t", "e", differences),
    ]


def looked_at(picture: Picture) -> lxml.etree._Element:
    """A picture as a browser reads it; no coordinate of it is anything but a number."""
    text = svg(picture)
    drawn = lxml.etree.fromstring(text.encode())
    assert drawn.get("role") == "img"
    assert [one.tag.rpartition("}")[2] for one in drawn[:2]] == ["title", "desc"]
    values = [str(one) for one in drawn.xpath("//@*[not(name() = 'font-family')]")]
    assert not [one for one in values if "nan" in one or "inf" in one or "None" in one]
    return drawn


@pytest.mark.parametrize("count", [0, 1, 2, 5_000])
def test_every_kind_is_drawn_with_any_amount(count: int) -> None:
    """Nothing, one thing and thousands of them make a picture of bounded size, and a table with as many columns."""
    for picture in made(count):
        looked_at(picture)
        rows = table(picture)
        assert all(len(row) == len(rows.header) for row in rows.rows)
        assert json.loads(json.dumps(picture.data)) == picture.data, "it can be stored"
        if picture.kind in {pictures.OCCUPANCY, pictures.INTERVALS, pictures.PROJECTION}:
            assert len(svg(picture)) < 150_000


def test_what_is_no_number_is_left_out() -> None:
    """Values that are not finite, or that were not measured, draw nothing and are dashes in the table."""
    floor = Floor(watch=NAN, alert=math.inf, is_calibrated=True)
    at = datetime(2025, 1, 1, tzinfo=UTC)
    strange = [
        pictures.occupancy("t", "e", [pictures.Cluster(examples=[], reference=NAN, current=0.1)]),
        pictures.overlap("t", "e", [NAN, math.inf], k=10, chance=NAN),
        pictures.projection("t", "e", [[NAN, 1.0]], [[1.0, math.inf]], explained=[NAN]),
        pictures.histograms("t", "e", [0.0, math.inf], [1], [2], unit="u"),
        pictures.history(
            "t", "e", [HistoryPoint(report_id=uuid.UUID(int=1), created_utc=at, metric="m", effect=NAN, floor=floor)]
        ),
        pictures.intervals("t", "e", [pictures.Interval(label="m", mean=0.1, low=NAN, high=0.2)]),
    ]

    for picture in strange:
        looked_at(picture)
        cells = [cell for row in table(picture).rows for cell in row]
        assert not {"nan", "inf", "None"} & {word for cell in cells for word in cell.split()}


def test_values_that_are_all_alike_are_drawn() -> None:
    """A scale of one value has a width all the same."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    point = HistoryPoint(report_id=uuid.UUID(int=1), created_utc=at, metric="m", effect=1e-12)
    for picture in (
        pictures.projection("t", "e", [[0.5, 0.5]] * 9, [[0.5, 0.5]]),
        pictures.histograms("t", "e", [1.0, 1.0, 1.0], [3, 4], [0, 0], unit="u"),
        pictures.history("t", "e", [point, point]),
        pictures.intervals("t", "e", [pictures.Interval(label="m", mean=0.0, low=0.0, high=0.0)]),
        pictures.occupancy("t", "e", [pictures.Cluster(examples=["a"], reference=0.0, current=0.0)]),
    ):
        looked_at(picture)


def test_a_figure_of_both_sides_is_one_series() -> None:
    """A histogram without a reference has no line, no key and no columns of one."""
    picture = pictures.histograms("t", "e", [0.0, 0.5, 1.0], None, [1, 3], unit="cosine")

    drawn = " ".join(looked_at(picture).itertext())
    assert "reference" not in drawn
    assert "0.5 to 1: 75\u00a0%" in drawn
    assert table(picture) == (
        ("cosine", "How many", "Share"),
        [("0 to 0.5", "1", "25\u00a0%"), ("0.5 to 1", "3", "75\u00a0%")],
    )
    assert json.loads(json.dumps(picture.data)) == picture.data


def test_hostile_titles_are_texts() -> None:
    """Titles that mean harm stay texts of a well-formed picture."""
    for picture in every_kind():
        drawn = looked_at(dataclasses.replace(picture, title=HOSTILE, explanation=HOSTILE))
        assert "document.title='broken'" in drawn[0].text
        assert not drawn.xpath("//*[local-name() = 'script' or local-name() = 'img']")
    (cluster,) = table(
        pictures.occupancy("t", "e", [pictures.Cluster(examples=[LONG], reference=0.1, current=0.2)])
    ).rows
    assert len(cluster[0]) <= 160


def test_every_share_of_few_neighbours_has_its_bar() -> None:
    """With k neighbours there are k + 1 shares, and rounding puts none into the bar beside its own."""
    kept = [n / 10 for n in range(11) for _ in range(n + 1)]

    picture = pictures.overlap("t", "e", kept, k=10)

    assert picture.data["counts"] == [n + 1 for n in range(11)]
    assert picture.data["mean"] == pytest.approx(np.mean(kept))


def test_clusters_that_grew_come_first() -> None:
    """The order is that of the change, whatever it was before."""
    clusters = [
        pictures.Cluster(examples=[name], reference=0.1, current=now)
        for name, now in zip("abc", (0.1, 0, 0.3), strict=True)
    ]

    picture = pictures.occupancy("t", "e", clusters)

    assert [row[0] for row in table(picture).rows] == ["c", "a", "b"]


def test_bins_are_common() -> None:
    """Counts that do not fit the edges are refused."""
    with pytest.raises(ValueError, match="3 edges do not bound 2 and 1 bins"):
        pictures.histograms("t", "e", [0, 1, 2], [1, 2], [1], unit="u")


def test_both_windows_keep_at_most_600_points() -> None:
    """A large window is thinned evenly, a small one is kept, and a unit is as long on either axis."""
    picture = pictures.projection("t", "e", np.arange(20_000).reshape(-1, 2), np.zeros((5, 2)))

    assert (len(picture.data["reference"]), len(picture.data["current"])) == (600, 5)
    assert picture.data["reference"][0] == [0, 1]
    assert picture.data["reference"][-1] == [20_000, 20_000]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.0031, "0.0031"),
        (0.05, "0.05"),
        (0.12345, "0.123"),
        (0.99984, "0.99984"),
        (1.00002, "1.00002"),
        (0.985, "0.985"),
        (1.0, "1"),
        (-0.073, "−0.073"),
        (141.72, "142"),
        (48_211, "48,211"),
        (1.2e-7, "1.20 × 10^−7"),
        (None, MISSING),
        (NAN, MISSING),
        (-math.inf, MISSING),
    ],
)
def test_numbers_have_as_many_digits_as_mean_something(value: float | None, shown: str) -> None:
    """Three significant digits, those of the distance from 1 where a number is close to it, and a dash for none."""
    assert number(value) == shown


def test_small_figures_are_told_as_such() -> None:
    """A p below a thousandth says so and is never 0; gains have their sign; shares are percent."""
    assert [p_value(p).replace("\u00a0", " ") for p in (0.0001, 0.0, 0.012, 0.5, 1.0, NAN)] == [
        "< 0.001",
        "< 0.001",
        "0.012",
        "0.50",
        "1.00",
        "—",
    ]
    assert number(0.003, signed=True) == "+0.003"
    assert [share(one).replace("\u00a0", " ") for one in (0.0004, 0.0123, 1.0, NAN)] == [
        "0.04 %",
        "1.2 %",
        "100 %",
        "—",
    ]


@given(st.floats(-1e300, 1e300))
def test_numbers_keep_their_size(value: float) -> None:
    """What is shown is the number, to half a unit of its third digit."""
    shown = number(value).replace("−", "-").replace(",", "").replace(" × 10^", "e")

    assert float(shown) == pytest.approx(value, rel=0.006, abs=1e-320)


@given(st.text(max_size=400), st.floats(0, 500))
def test_texts_fit_their_room(text: str, room: float) -> None:
    """A fitted text is one line, and shorter than what it is of unless it is all of it."""
    cut = fitted(text, room)

    assert "\n" not in cut
    assert cut == " ".join(readable(text).split()) or cut.endswith("…")
    assert len(cut) <= room / (13 * 0.56) + 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5), st.integers(4, 8))
def test_ticks_are_on_their_scale(values: list[float], most: int) -> None:
    """There are ticks, no more than asked for, inside the scale, in order and with different names."""
    scale = Scale.over(values, 0, 100)

    ticks = scale.ticks(most)

    assert 1 <= len(ticks) <= most
    assert len({name for _, name in ticks}) == len(ticks)
    assert all(-1e-6 <= (value - scale.low) / (scale.high - scale.low) <= 1 + 1e-6 for value, _ in ticks)


@pytest.mark.parametrize(("letter", "ems"), [("A", 0.69), ("W", 0.99), ("m", 0.98), ("海", 1.0)])
def test_texts_of_wide_letters_fit_their_room_too(letter: str, ems: float) -> None:
    """By the widths of DejaVu Sans, which is a wide face."""
    cut = fitted(60 * letter, 400)

    assert cut == cut.count(letter) * letter + "…"
    assert 13 * (ems * cut.count(letter) + 1.0) <= 400
