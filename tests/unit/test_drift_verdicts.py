"""Verdicts: what is significant and large enough, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holocron_assets.drift.report import Floor, Metric, Verdict, gravest
from holocron_assets.drift.verdicts import floor_of, judged
from holocron_assets.sections import DriftSettings

FLOOR = Floor(watch=0.01, alert=0.05, is_calibrated=False)


def verdict_of(effect: float, p: float | None, floor: Floor | None = FLOOR) -> Verdict | None:
    """Of a figure that is tested alone."""
    (metric,) = judged([Metric(name="occupancy", effect=effect, p=p, floor=floor)])
    return metric.verdict


@pytest.mark.parametrize(
    ("effect", "p", "verdict"),
    [
        (0.02, 0.001, Verdict.WATCH),
        (0.06, 0.001, Verdict.ALERT),
        (0.009, 0.001, Verdict.OK),
        (0.06, 0.2, Verdict.OK),
        (0.01, 0.05, Verdict.WATCH),
        (0.06, None, Verdict.ALERT),
    ],
)
def test_a_verdict_needs_significance_and_size(effect: float, p: float | None, verdict: Verdict) -> None:
    """What is small at any p, or large by chance, is no drift; without a test the size alone counts."""
    assert verdict_of(effect, p) is verdict


def test_context_has_no_verdict() -> None:
    """A figure without a floor is not judged."""
    assert verdict_of(1.0, 0.001, None) is None


def test_many_tests_make_some_surprise_likely() -> None:
    """One p of .04 among ten is no discovery; ten of .04 are."""
    others = [Metric(name=f"other {n}", effect=0.5, p=0.9, floor=FLOOR) for n in range(9)]
    one, *_ = judged([Metric(name="one", effect=0.5, p=0.04, floor=FLOOR), *others])
    assert one.verdict is Verdict.OK
    assert one.p_adjusted == pytest.approx(0.4)

    all_of_them = judged([Metric(name=f"{n}", effect=0.5, p=0.04, floor=FLOOR) for n in range(10)])
    assert {metric.verdict for metric in all_of_them} == {Verdict.ALERT}


def test_the_fewest_permutations_that_may_be_set_can_give_a_verdict() -> None:
    """One figure of ten that moved more than in any permutation is a discovery."""
    with pytest.raises(ValidationError, match="permutations"):
        DriftSettings(permutations=198)
    p = 1 / (DriftSettings(permutations=199).permutations + 1)
    others = [Metric(name=f"other {n}", effect=0.5, p=1.0, floor=FLOOR) for n in range(9)]

    one, *_ = judged([Metric(name="one", effect=0.5, p=p, floor=FLOOR), *others])

    assert one.verdict is Verdict.ALERT


def test_floors_rise_with_the_reference_and_never_fall() -> None:
    """A reference that differs from itself raises both floors alike; a quiet one leaves the default, which it stays."""
    assert floor_of(FLOOR, None) is FLOOR
    assert floor_of(FLOOR, 0.001) is FLOOR
    assert floor_of(FLOOR, 0.01) is FLOOR
    raised = floor_of(FLOOR, 0.02)
    assert raised.is_calibrated
    assert (raised.watch, raised.alert) == pytest.approx((0.02, 0.06))


@given(st.floats(0, 0.99))
def test_an_alert_can_be_reached(calibrated: float) -> None:
    """However much the reference differs from itself, what is worth acting on is less than the most there can be."""
    floor = floor_of(Floor(watch=0.6, alert=0.7, is_calibrated=False), calibrated, most=1.0)

    assert calibrated <= floor.watch < floor.alert < 1


def test_the_gravest_counts() -> None:
    """Alert outweighs watch, and nothing at all is fine."""
    assert gravest([Verdict.WATCH, Verdict.ALERT, Verdict.OK]) is Verdict.ALERT
    assert gravest([]) is Verdict.OK
