"""Joules by a counter, by power and by a model, and what was missed, on a clock by hand."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.tracking.metered import Counter, Part, Power


class Hands:
    """A clock that a test moves, and a meter that says what a test tells it to."""

    def __init__(self) -> None:
        self.now, self.value = 0.0, 0.0
        self.broken: Exception | None = None

    def clock(self) -> float:
        return self.now

    def say(self) -> float:
        if self.broken:
            raise self.broken
        return self.value


def part(hands: Hands, reader: Any, **more: Any) -> Part:
    return Part(
        key="k", component="device", basis="measured", meter="m", reader=reader, began=0.0, **more
    )


def counting(hands: Hands, full: float = 0.0) -> Counter:
    return Counter(hands.say, full, clock=hands.clock)


def test_a_counter_tells_what_was_drawn_while_it_did_not_answer() -> None:
    """1,000 J in 10 s, for 5 of which it was silent: all of it counts, and no gap is left."""
    hands = Hands()
    made = part(hands, counting(hands))
    hands.now, hands.value = 5.0, 500.0
    made.advance()
    hands.broken = RuntimeError("GPU is lost")
    hands.now = 8.0
    with pytest.raises(RuntimeError, match="GPU is lost"):
        made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (500.0, 3.0)
    hands.broken, hands.now, hands.value = None, 10.0, 1000.0
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (1000.0, 0.0)


def test_a_device_that_is_lost_for_good_is_a_gap_in_its_own_energy() -> None:
    hands = Hands()
    made = part(hands, counting(hands))
    hands.now, hands.value = 60.0, 6000.0
    made.advance()
    hands.broken = RuntimeError("GPU is lost")
    for hands.now in (70.0, 80.0, 100.0):
        with pytest.raises(RuntimeError):
            made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (6000.0, 40.0)


@pytest.mark.parametrize(
    ("full", "value", "joules", "gap"),
    [
        (0.0, 20.0, 0.0, 10.0),  # the driver was loaded again: what was between is not known
        (1000.0, 20.0, 120.0, 0.0),  # 900 J, then 1,000 and on to 20: 120 J
        (1000.0, 950.0, 50.0, 0.0),
        (1e9, 20.0, 0.0, 10.0),  # no processor draws 1e8 W
    ],
)
def test_a_counter_that_went_back(full: float, value: float, joules: float, gap: float) -> None:
    hands = Hands()
    hands.value = 900.0
    made = part(hands, counting(hands, full))
    hands.now, hands.value = 10.0, value
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (joules, gap)


@pytest.mark.parametrize(("joules", "seen"), [(2e5, True), (2.01e5, False), (0.0, True)])
def test_one_thing_draws_a_hundred_kilowatts_at_most(joules: float, seen: bool) -> None:
    """Over two seconds; a count that jumps says nothing of them."""
    hands = Hands()
    made = part(hands, counting(hands))
    hands.now, hands.value = 2.0, joules
    made.advance()
    assert made.energy(2.0).joules == (joules if seen else 0.0)
    assert made.energy(2.0).gap == (0.0 if seen else 2.0)


@pytest.mark.parametrize("watts", [0.0, 1e5])
def test_from_nothing_to_a_hundred_kilowatts_is_a_power(watts: float) -> None:
    hands = Hands()
    hands.value = watts
    made = part(hands, Power(hands.say, clock=hands.clock))
    hands.now = 2.0
    made.advance()
    assert (made.energy(2.0).joules, made.energy(2.0).gap) == (2.0 * watts, 0.0)


def test_what_passed_before_a_meter_answered_is_its_gap() -> None:
    hands = Hands()
    hands.now = 4.0
    made = part(hands, counting(hands))
    hands.now, hands.value = 10.0, 600.0
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (600.0, 4.0)


def test_power_is_integrated_by_trapezoids() -> None:
    """100 W, 300 W after 1 s, 100 W after 3: 200 J and 400 J."""
    hands = Hands()
    hands.value = 100.0
    reader = Power(hands.say, clock=hands.clock)
    made = part(hands, reader)
    hands.now, hands.value = 1.0, 300.0
    reader.sample()
    hands.now, hands.value = 3.0, 100.0
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (600.0, 0.0)


@pytest.mark.parametrize("said", [-1.0, float("nan"), 1.1e5, None])
def test_power_that_was_not_seen_is_a_gap(said: float | None) -> None:
    """100 W for 2 s; then no answer, or none that can be; seen again from 6 s to 8."""
    hands = Hands()
    hands.value = 100.0
    reader = Power(hands.say, clock=hands.clock)
    made = part(hands, reader)
    hands.now = 2.0
    made.advance()
    hands.now = 4.0
    hands.broken = RuntimeError() if said is None else None
    hands.value = said if said is not None else 100.0
    with pytest.raises((RuntimeError, ValueError)):
        made.advance()
    hands.broken, hands.value, hands.now = None, 100.0, 6.0
    made.advance()
    hands.now = 8.0
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (400.0, 4.0)


@pytest.mark.parametrize(("apart", "seen"), [(30.0, True), (31.0, False)])
def test_looks_far_apart_say_nothing_of_the_time_between(apart: float, seen: bool) -> None:
    hands = Hands()
    hands.value = 100.0
    made = part(hands, Power(hands.say, clock=hands.clock))
    hands.now = apart
    made.advance()
    assert made.energy(hands.now).joules == (100.0 * apart if seen else 0.0)
    assert made.energy(hands.now).gap == (0.0 if seen else apart)


def test_what_others_took_stands_beside() -> None:
    hands = Hands()
    made = part(hands, counting(hands), share=lambda: (0.25, 0.5))
    hands.now, hands.value = 1.0, 80.0
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).others) == (20.0, 40.0)


def test_a_clock_that_stands_is_no_gap() -> None:
    hands = Hands()
    made = part(hands, counting(hands))
    made.advance()
    assert (made.energy(hands.now).joules, made.energy(hands.now).gap) == (0.0, 0.0)
