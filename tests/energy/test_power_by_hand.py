"""Assumptions of power by hand, from constants that are round."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from costcalc import energy
from costcalc.catalog import accelerator, host

ROUND = {
    "ceiling": {"transformer": 0.8, "convolution": 0.5, "other": 0.6},
    "family": {"old": 0.5, "tpu": 2.0},
    "full": {
        "transformer": {"tensor": 0.2, "vector": 0.4},
        "convolution": {"tensor": 0.1, "vector": 0.3},
        "other": {"tensor": 0.25, "vector": 0.5},
    },
    "held_out": {"known": {"low": 0.9, "high": 1.05}, "unknown": {"low": 0.6, "high": 1.08}},
    "measured": ["hopper", "old"],
    "classes": {"transformer": ["decoder"], "convolution": ["cnn"]},
    "vector_only": ["old"],
    "idle": {
        "gpu": {"value": 0.2, "low": 0.1, "high": 0.3, "source": "s"},
        "tpu": {"value": 0.5, "low": 0.4, "high": 0.6, "source": "s"},
    },
    "waiting": {"value": 0.25, "low": 0.0, "high": 0.5, "source": "s", "note": "waiting"},
    "host": {"follows": 0.4, "low": 0.3, "high": 0.6, "source": "s", "note": "fans"},
    "lost": {"redone": 0.3, "low": 0.05, "high": 0.7, "source": "s", "note": "lost"},
    "network": {
        "switched": {"value": 0.08, "low": 0.02, "high": 0.16, "source": "s", "note": "switched"},
        "torus": {"value": 0.02, "low": 0.01, "high": 0.07, "source": "s", "note": "torus"},
    },
    "unvalidated": {"factor": 1.25},
    "stand_ins": {},
    "sources": {"s": {"title": "A source"}},
}


def chip(**changes):
    """1000 W at the most, of which nothing is known when it idles."""
    found = accelerator.find("h100-sxm5-80")
    limit = found.board_power.model_copy(update={"value": 1000.0})
    return found.model_copy(update={"board_power": limit, "idle_power": None, **changes})


@pytest.fixture
def rounded(monkeypatch):
    monkeypatch.setattr(energy, "constants", lambda: ROUND)

    def made(
        workload="decoder", *, utilization=0.1, stand_ins=None, precision="bf16", nodes=1,
        does=None, **more,
    ):  # fmt: skip
        if stand_ins:
            monkeypatch.setattr(energy, "constants", lambda: {**ROUND, "stand_ins": stand_ins})
        here = host.choose("h100-sxm5-80")
        return energy.power_assumptions(
            chip(**more), here, workload, utilization=utilization, precision=precision,
            nodes=nodes, does=does,
        )  # fmt: skip

    return made


@pytest.mark.parametrize(
    ("kind", "precision", "more", "watts"),
    [
        # 200 W idle; half way (0.1 of 0.2) up to 0.8 of the other 800
        ("decoder", "bf16", {}, 200 + 800 * 0.8 * 0.1 / 0.2),
        ("decoder", "fp32", {}, 200 + 800 * 0.8 * 0.1 / 0.4),  # vector units
        ("decoder", "fp64", {}, 200 + 800 * 0.8 * 0.1 / 0.4),
        ("decoder", "tf32", {}, 200 + 800 * 0.8 * 0.1 / 0.2),
        ("cnn", "bf16", {}, 200 + 800 * 0.5 * 0.1 / 0.1),
        ("gnn", "bf16", {}, 200 + 800 * 0.6 * 0.1 / 0.25),  # of a class of its own
        # a generation without matrix units, of half the ceiling
        ("decoder", "bf16", {"generation": "old"}, 200 + 800 * 0.4 * 0.1 / 0.4),
        ("decoder", "bf16", {"kind": "cpu"}, 200 + 800 * 0.8 * 0.1 / 0.4),
        # a TPU idles at half, and no ceiling is above the limit
        ("decoder", "fp32", {"kind": "tpu"}, 500 + 500 * 1.0 * 0.1 / 0.2),
    ],
)
def test_the_draw_of_a_board_by_hand(rounded, kind, precision, more, watts) -> None:
    assert rounded(kind, precision=precision, **more).board.value == pytest.approx(watts)


def test_what_a_device_does_says_more_than_its_utilization(rounded) -> None:
    does = energy.Activity(busy=0.6, held_up=0.2)
    found = rounded(utilization=0.01, does=does)
    # 200 W idle; busy 0.8 of the other 800, held up a quarter of that
    board = 200 + 800 * 0.8 * (0.6 + 0.25 * 0.2)  # 616 W, of the 840 W of a busy one
    assert found.board.value == pytest.approx(board)
    assert (found.board.low, found.board.high) == pytest.approx((board * 0.9, board * 1.05))
    assert found.board.why == (
        "modelled; 60 % of the time busy, 20 % held up by others, transformer, of 1000 W rated"
    )
    # two fifths of what the host draws follow the boards, three tenths to three fifths
    less = 1 - board / 840
    scale, most, least = 1 - 0.4 * less, 1 - 0.3 * less, 1 - 0.6 * less
    whole = rounded(utilization=0.01).host
    host = found.host
    assert host.value == pytest.approx(whole.value * scale)
    # two doubts on a side: their logarithms add in squares
    low = math.hypot(math.log(whole.low / whole.value), math.log(least / scale))
    high = math.hypot(math.log(whole.high / whole.value), math.log(most / scale))
    assert host.low == pytest.approx(whole.value * scale * math.exp(-low))
    assert host.high == pytest.approx(whole.value * scale * math.exp(high))
    said = "no host named: NVIDIA DGX H100, the usual system of h100-sxm5-80"
    assert whole.why == f"{8 * whole.value:g} W a node / 8 devices; {said}"
    follows = f"x {scale:.2g}: fans and conversion follow the boards"
    assert host.why == f"{8 * host.value:g} W a node / 8 devices; {said}; {follows}"
    busy = rounded(does=energy.Activity(1.0, 0.0))
    assert (busy.board.value, busy.host) == (pytest.approx(840), whole)
    assert busy.board.why == "modelled; 100 % of the time busy, transformer, of 1000 W rated"


@pytest.mark.parametrize(
    ("held_up", "said"),
    [
        (0.0, ""),
        (0.005, ""),  # half a percent is none
        (0.006, ", 1 % held up by others"),
        (0.55, ", 55 % held up by others"),
    ],
)
def test_what_holds_a_device_up_is_said_in_whole_percent(rounded, held_up, said) -> None:
    why = rounded(does=energy.Activity(busy=0.4, held_up=held_up)).board.why
    assert why == f"modelled; 40 % of the time busy{said}, transformer, of 1000 W rated"


@pytest.mark.parametrize(
    ("draw", "scale"), [(1.2, 1.0), (1.0, 1.0), (0.992, 1.0), (0.98, 0.99), (0.5, 0.75), (0.0, 0.5)]
)
def test_half_of_a_host_follows_its_boards(rounded, draw: float, scale: float) -> None:
    """Less than half a percent is left out; a board that draws more makes a host draw no more."""
    data = {"host": {"follows": 0.5, "low": 0.5, "high": 0.5}}
    whole = rounded().host
    found = energy._follows(whole, draw, data)
    assert found.value == pytest.approx(whole.value * scale)
    if scale == 1.0:
        assert found is whole


def test_the_range_of_a_draw_by_hand(rounded) -> None:
    known, busy = rounded().board, rounded(utilization=None).board
    assert (known.value, known.low, known.high) == pytest.approx((520, 520 * 0.9, 520 * 1.05))
    # a busy device draws what the workload reaches at most
    assert (busy.value, busy.low, busy.high) == pytest.approx((840, 840 * 0.6, 840 * 1.08))
    unseen = rounded(generation="new").board
    assert (unseen.low, unseen.high) == pytest.approx((520 * 0.9 / 1.25, 520 * 1.05 * 1.25))
    assert known.why == "modelled; utilization 0.1, transformer, of 1000 W rated"
    assert busy.why == "modelled; a busy device, transformer, of 1000 W rated"


def test_no_board_draws_less_than_it_idles_or_more_than_its_limit(rounded) -> None:
    least = rounded(utilization=0.0).board
    assert (least.value, least.low) == (200, 200 * 0.9)  # idle may itself be as low as 100
    most = rounded("cnn", utilization=1.0, generation="new").board
    assert (most.value, most.high) == (600, 600 * 1.05 * 1.25)
    full = rounded(utilization=1.0, generation="new").board
    assert (full.value, full.high) == (840, 1000)


def test_doubts_of_the_rating_and_of_the_model_add_in_squares(rounded) -> None:
    figures = {"value": 1000, "low": 800, "high": 1200, "source": "s", "note": "by its class"}
    found = rounded(board_power=None, stand_ins={"h100-sxm5-80": figures})
    below = np.exp(-np.hypot(np.log(0.9), np.log(0.8)))
    above = np.exp(np.hypot(np.log(1.05), np.log(1.2)))
    assert found.board.value == pytest.approx(520)
    assert (found.board.low, found.board.high) == pytest.approx((520 * below, 520 * above))
    assert found.board.why.endswith("of 1000 W (by its class)")


@pytest.mark.parametrize(
    ("rated", "instead", "limit"),
    [
        (True, None, 1000),  # a rating stands, whatever is known of its class
        (True, False, 1000),
        (True, True, 500),  # unless the stand-in is said to take its place
        (False, None, 500),
        (False, True, 500),
    ],
)
def test_a_stand_in_is_for_what_has_no_rating(rounded, rated, instead, limit) -> None:
    figures = {"value": 500, "low": 400, "high": 600, "source": "s", "note": "n"}
    figures |= {} if instead is None else {"instead": instead}
    more = {} if rated else {"board_power": None}
    found = rounded(stand_ins={"h100-sxm5-80": figures}, **more)
    assert found.idle.value == pytest.approx(0.2 * limit)
    assert found.board.value == pytest.approx(0.2 * limit + 0.8 * limit * 0.8 * 0.5)


def test_a_rating_with_a_range_of_its_own(rounded) -> None:
    rating = chip().board_power.model_copy(update={"low": 900.0, "high": 1100.0})
    found = rounded(board_power=rating).board
    assert found.low == pytest.approx(520 * np.exp(-np.hypot(np.log(0.9), np.log(0.9))))
    assert found.high == pytest.approx(520 * np.exp(np.hypot(np.log(1.05), np.log(1.1))))


def test_idle_draw_by_hand(rounded) -> None:
    idle = rounded().idle
    assert (idle.value, idle.low, idle.high) == pytest.approx((200, 100, 300))
    assert idle.basis == "default"
    listed = accelerator.find("h100-sxm5-80").idle_power.model_copy(
        update={"value": 150.0, "low": None, "high": None}
    )
    known = rounded(idle_power=listed).idle  # in use it may draw 0.1 to 0.3 of the limit
    assert (known.value, known.low, known.high) == pytest.approx((150, 100, 300))
    assert known.basis == "profile"
    high = rounded(idle_power=listed.model_copy(update={"value": 400.0})).idle
    assert (high.low, high.high) == pytest.approx((100, 400))
    small = rounded(idle_power=listed.model_copy(update={"value": 50.0})).idle
    assert (small.low, small.high) == pytest.approx((50, 300))
    own = rounded(idle_power=listed.model_copy(update={"low": 140.0, "high": 170.0})).idle
    assert (own.low, own.high) == pytest.approx((140, 170))


def test_the_host_and_its_range_by_hand(monkeypatch) -> None:
    here = host.choose("h100-sxm5-80")

    def made(**bounds):
        figure = here.host.host_power.model_copy(update={"value": 2.4, **bounds})
        box = here.host.model_copy(update={"host_power": figure, "devices": 8})
        changed = replace(here, host=box)
        found = energy.power_assumptions(chip(), changed, "decoder", utilization=0.1).host
        return found.value, found.low, found.high

    assert made(low=1.6, high=4.0) == (300, 200, 500)
    assert made(low=None, high=None) == (300, 300, 300)
    assert made(low=1.6, high=None) == (300, 200, 300)


def test_network_and_lost_time_by_hand(rounded) -> None:
    for nodes, kind, share in (
        (1, "gpu", (0, 0, 0)),
        (2, "gpu", (0.08, 0.02, 0.16)),
        (2, "tpu", (0.02, 0.01, 0.07)),
    ):
        found = rounded(nodes=nodes, kind=kind).network
        assert (found.value, found.low, found.high) == share, (nodes, kind)
    lost = rounded().redone
    assert (lost.value, lost.low, lost.high, lost.why) == (0.3, 0.05, 0.7, "lost")
