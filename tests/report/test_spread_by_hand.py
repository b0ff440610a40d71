"""How wide a range may be, by hand: energy = energy_it × pue, of 10 kWh and a PUE of 1.5."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.report.spread import _inputs, _of

KWH = 3.6e6  # joules
WIDER = "results.energy: its range {} kWh is wider than energy_it × pue can make it, {}"
NARROWER = "results.energy: its range {} kWh is narrower than energy_it × pue makes it"


def told(low: float, high: float, *, joint: bool = False, **ends: tuple[float, ...]) -> list[str]:
    given = {"energy_it": (10.0, 10.0, 10.0), "pue": (1.5, 1.5, 1.5)} | ends
    made: Any = {
        name: tuple(KWH * end for end in three) if name == "energy_it" else three
        for name, three in given.items()
    }
    return list(_of("energy", made, (KWH * low, KWH * 15.0, KWH * high), joint=joint))


PUE = (1.2, 1.5, 1.8)  # 12 to 18 kWh: 6 apart
IT = (8.0, 10.0, 12.0)  # 12 to 18 kWh too; with both 9.6 to 21.6: 12 apart


@pytest.mark.parametrize(
    ("low", "high", "line"),
    [
        (12.0, 18.0, None),
        # draws of one input miss its ends by a tenth of 6
        (11.41, 18.0, None),
        (11.39, 18.0, WIDER.format("11.39 to 18", "12 to 18")),
        (12.0, 18.59, None),
        (12.0, 18.61, WIDER.format("12 to 18.61", "12 to 18")),
        # nine tenths of 6 are 5.4
        (12.3, 17.71, None),
        (12.3, 17.69, NARROWER.format("12.3 to 17.69")),
    ],
)
def test_one_input_is_unsure(low: float, high: float, line: str | None) -> None:
    assert told(low, high, pue=PUE) == ([line] if line else [])


@pytest.mark.parametrize(
    ("low", "high", "line"),
    [
        (12.0, 18.0, None),
        # a figure of a figure has its very draws: a ten-thousandth of 6
        (11.9995, 18.0, None),
        (11.9993, 18.0, WIDER.format("11.9993 to 18", "12 to 18")),
        (12.0, 17.9995, None),
        (12.0, 17.9993, NARROWER.format("12 to 17.9993")),
    ],
)
def test_what_is_unsure_is_a_figure(low: float, high: float, line: str | None) -> None:
    assert told(low, high, energy_it=IT) == ([line] if line else [])


@pytest.mark.parametrize(
    ("low", "high", "line"),
    [
        (9.6, 21.6, None),
        # a fiftieth of 12 beyond the corners
        (9.37, 21.6, None),
        (9.35, 21.6, WIDER.format("9.35 to 21.6", "9.6 to 21.6")),
        (9.6, 21.83, None),
        (9.6, 21.85, WIDER.format("9.6 to 21.85", "9.6 to 21.6")),
        # half of the 6 that either makes alone
        (13.5, 16.51, None),
        (13.5, 16.49, NARROWER.format("13.5 to 16.49")),
    ],
)
def test_two_inputs_are_unsure(low: float, high: float, line: str | None) -> None:
    assert told(low, high, energy_it=IT, pue=PUE) == ([line] if line else [])


def test_ends_of_two_that_are_drawn_apart() -> None:
    # what one input makes may then be half as wide, and passes its ends by a fiftieth of 6 alone
    assert told(13.5, 16.51, pue=PUE, joint=True) == []
    assert told(13.5, 16.49, pue=PUE, joint=True) == [NARROWER.format("13.5 to 16.49")]
    assert told(11.89, 18.0, pue=PUE, joint=True) == []
    assert told(11.87, 18.0, pue=PUE, joint=True) == [WIDER.format("11.87 to 18", "12 to 18")]


def test_over_powers_of_ten_the_tails_are_longer() -> None:
    # 10 kWh × 0.15 to 150: 1.5 to 1,500, ln(1000) = 6.9 fiftieths of 1,498.5 with both unsure
    both = {"energy_it": (9.999, 10.0, 10.001), "pue": (0.15, 1.5, 150.0)}
    least, most = 9.999 * 0.15, 10.001 * 150.0
    assert told(1.5, 1706.0, **both) == []
    (line,) = told(1.5, 1708.0, **both)
    assert line.endswith(f"can make it, {least:.6g} to {most:.6g}")


def test_a_value_outside_its_range_or_that_does_not_follow_is_told_elsewhere() -> None:
    assert told(15.1, 30.0, pue=PUE) == told(1.0, 14.9, pue=PUE) == []
    # 10 × 1.3 = 13 for 15 is more than a tenth away
    assert told(1.0, 90.0, pue=(1.2, 1.3, 1.8)) == []
    assert told(15.0, 15.0) == []


def given(*items: tuple[str, float | None, float, float | None, str]) -> dict[str, Any]:
    listed = [
        {"key": key, "value": value, "unit": unit}
        | ({} if low is None else {"low": low, "high": high})
        for key, low, value, high, unit in items
    ]
    return _inputs({}, {"assumptions": listed})  # type: ignore[typeddict-item]


FLOPS = ("training.model_flops", 8.0, 10.0, 12.0, "FLOP")


def test_what_is_computed_goes_as_the_length_of_a_sample() -> None:
    # 50 to 300 tokens about 100: half of 8, and three times 12
    length = ("training.sample_tokens", 50.0, 100.0, 300.0, "1")
    found = given(FLOPS, length)
    assert found["model_flops"] == found["training_flops"] == pytest.approx((4.0, 10.0, 36.0))
    assert found["sample_tokens"] == (50.0, 100.0, 300.0)


def test_without_a_length_it_stays() -> None:
    for more in ((), (("training.sample_tokens", None, 100.0, None, "1"),),
                 (("training.sample_tokens", 0.0, 0.0, 3.0, "1"),)):  # fmt: skip
        assert given(FLOPS, *more)["model_flops"] == pytest.approx((8.0, 10.0, 12.0))


def test_ends_are_in_si_and_of_nothing_are_nothing() -> None:
    found = given(("price.device_hour", 1.0, 2.0, 4.0, "USD/h"), ("site.pue", 0.0, 0.0, 1.0, "1"))
    assert found["price"] == pytest.approx((1 / 3600, 2 / 3600, 4 / 3600))
    assert found["pue"] == (0.0, 0.0, 0.0)
    assert given(("site.pue", None, 1.2, None, "1"))["pue"] == (1.2, 1.2, 1.2)
    assert "model_flops" not in found
