"""Draws, percentiles and drivers: the same everywhere, and what they say they are."""

from __future__ import annotations

import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest

from costcalc.base.assumption import Assumption
from costcalc.base.ranges import DRAWS, draw, drivers, inverse_normal, normals, percentiles


def assumption(value: float, low: float, high: float, key: str = "site.pue") -> Assumption:
    return Assumption(
        key=key, value=value, low=low, high=high, unit="1", basis="default", source="a test"
    )


def test_the_inverse_normal_is_that_of_the_standard_library() -> None:
    p = np.concatenate([np.logspace(-12, -1, 200), np.linspace(0.11, 0.89, 200)])
    p = np.concatenate([p, 1 - p])
    expected = np.array([NormalDist().inv_cdf(float(x)) for x in p])
    np.testing.assert_allclose(inverse_normal(p), expected, rtol=2e-9, atol=2e-9)


@pytest.mark.parametrize("value", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("below", [1.01, 1.3, 2.0, 5.0])
@pytest.mark.parametrize("above", [1.01, 1.3, 2.0, 5.0])
def test_a_draw_has_its_own_percentiles(value: float, below: float, above: float) -> None:
    item = assumption(value, value / below, value * above)
    low, high = percentiles(draw(item), value)
    assert low == pytest.approx(item.low, rel=0.05)
    assert high == pytest.approx(item.high, rel=0.05)


def test_shares_stay_below_one() -> None:
    drawn = np.asarray(draw(assumption(0.9, 0.7, 0.999, "hardware.goodput")))
    assert drawn.max() <= 1.0


def test_what_is_exact_or_zero_is_not_drawn() -> None:
    assert draw(assumption(2.0, 2.0, 2.0)) == 2.0
    assert draw(assumption(0.0, 0.0, 1.0)) == 0.0


def test_streams_belong_to_keys() -> None:
    assert (normals("a") == normals("a")).all()
    assert abs(np.corrcoef(normals("a"), normals("b"))[0, 1]) < 0.05
    assert len(normals("a")) == DRAWS
    assert abs(normals("a").mean()) < 0.05
    assert normals("a").std() == pytest.approx(1, abs=0.05)


def test_draws_are_the_same_in_another_process() -> None:
    code = "from costcalc.base.ranges import normals; print(repr(normals('site.pue')[:3].tolist()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == repr(normals("site.pue")[:3].tolist())


def test_percentiles_contain_the_value() -> None:
    assert percentiles(np.array([2.0, 3.0, 4.0]), 1.0) == (1.0, 4.0)
    assert percentiles(5.0, 5.0) == (5.0, 5.0)


def test_drivers_share_out_the_variance_of_the_logarithm() -> None:
    # log variances 1 : 4 for factors whose logarithms are 1 and 2 wide
    one = assumption(1.0, np.exp(-0.1), np.exp(0.1), "a")
    two = assumption(1.0, np.exp(-0.2), np.exp(0.2), "b")
    found = drivers({"cost": np.asarray(draw(one)) * np.asarray(draw(two))}, [one, two])
    shares = {item["key"]: item["share"] for item in found}
    assert shares["b"] == pytest.approx(0.8, abs=0.03)
    assert shares["a"] == pytest.approx(0.2, abs=0.03)


def test_nothing_uncertain_nothing_driven() -> None:
    assert drivers({"cost": 5.0}, [assumption(1.0, 1.0, 1.0)]) == []
    assert drivers({"cost": 5.0}, [assumption(1.0, 0.5, 2.0)]) == []


def test_what_hardly_moves_a_result_is_no_driver_and_a_result_that_stands_still_has_none() -> None:
    one = assumption(1.0, np.exp(-0.1), np.exp(0.1), "a")
    two = assumption(1.0, np.exp(-0.01), np.exp(0.01), "b")  # a hundredth of the variance
    both = np.asarray(draw(one)) * np.asarray(draw(two))
    # 0.01² / (0.1² + 0.01²) is 1 / 101: below the hundredth that is told, above a thousandth
    assert {item["key"] for item in drivers({"cost": both}, [one, two], least=0.02)} == {"a"}
    assert {item["key"] for item in drivers({"cost": both}, [one, two], least=0.001)} == {"a", "b"}
    # logarithms that differ by rounding alone: 1e-10 of one, of as many draws as there are
    still = 1.0 + 1e-10 * np.sign(np.asarray(draw(one)) - 1.0)
    assert drivers({"cost": still}, [one]) == []
    moved = 1.0 + 1e-8 * np.sign(np.asarray(draw(one)) - 1.0)
    assert [item["key"] for item in drivers({"cost": moved}, [one])] == ["a"]
    assert drivers({"cost": -both}, [one]) == []  # without a logarithm
