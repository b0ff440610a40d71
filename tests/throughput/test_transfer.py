"""What measured steps say of others: small cases by hand, and properties of all."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base.ranges import Z95
from costcalc.throughput.transfer import (
    WORDS,
    Carried,
    Likeness,
    MeasuredStep,
    Spreads,
    carried,
    shares_of,
    spreads,
)

# base, software, attention, recompute, states, kernels
SOFTWARE = ("", "transformers", "flash", "none", "none device fp32 kept adamw", "eager plain full")
ALIKE = Likeness(
    sizes=(34.0, 3.0, 12.0, 0.0, 0.0, 0.0),
    words=("bf16", "decoder", "pretrain", *SOFTWARE),
    shares=(1.0, 0.0, 0.0, 0.0),
)
# one spread of the machine, so that the arithmetic can be followed
PLAIN = Spreads(
    machine=((0.3, 1.0),),
    parts=(0.2, 0.1, 0.4, 0.3),
    alike=0.1,
    own=0.0,
    noise=0.05,
    lengths=(2.0,) * 15,
)


def test_the_same_step_by_hand() -> None:
    # 0.3² + 0.2²·1·1 + 0.1²·exp(0) = 0.14, and 0.05² of noise: of an error of -0.5 remains
    # 0.14 / 0.1425 · -0.5 = -0.491228; the variance is 0.14 - 0.14²/0.1425 + 0.0025 = 0.004956
    found = carried([MeasuredStep(run=ALIKE, error=-0.5)], ALIKE, PLAIN)
    assert found.mean == pytest.approx(-0.4912281, abs=1e-7)
    assert found.spread == pytest.approx(math.sqrt(0.00495614), rel=1e-5)
    assert found.alike == pytest.approx(1.0)


def test_what_is_a_runs_own_is_shared_by_the_same_run_alone() -> None:
    # own 0.4² more in the variance of both: (0.14 + 0.16) / 0.3025 for the same run; of another
    # (one doubling of the micro-batch: exp(-0.5) of 0.1²) (0.13 + 0.0060653) / 0.3025
    spreads_ = replace(PLAIN, own=0.4)
    measured = [MeasuredStep(run=ALIKE, error=-0.5)]
    other = replace(ALIKE, sizes=(34.0, 3.0, 12.0, 1.0, 0.0, 0.0))
    assert carried(measured, ALIKE, spreads_).mean == pytest.approx(-0.4958678, abs=1e-7)
    assert carried(measured, other, spreads_).mean == pytest.approx(-0.2249013, abs=1e-7)


@pytest.mark.parametrize(
    ("kind", "doublings", "kept"),
    [
        ("cnn", 0.0, 1.0),  # the same net, at other settings
        ("cnn", 2.0, 0.3),
        ("diffusion", 2.0, 0.3),
        ("decoder", 2.0, 1.0),  # what is modelled layer by layer
    ],
)
def test_little_holds_between_nets_that_are_modelled_from_their_flops(
    kind: str, doublings: float, kept: float
) -> None:
    # (0.3² + 0.2²·1·1 + 0.1²·exp(-doublings / 2)) · kept / 0.1425 · -0.5
    words = ("bf16", kind, "pretrain", *SOFTWARE)
    net = replace(ALIKE, words=words)
    other = replace(net, sizes=(34.0 + doublings, *net.sizes[1:]))
    shared = (0.09 + 0.04 + 0.01 * math.exp(-doublings / 2)) * kept
    found = carried([MeasuredStep(run=net, error=-0.5)], other, PLAIN)
    assert found.mean == pytest.approx(shared / 0.1425 * -0.5)
    assert found.spread == pytest.approx(math.sqrt(0.14 - shared**2 / 0.1425 + 0.0025))
    assert found.alike == pytest.approx(shared / 0.14)


def test_a_net_and_a_model_of_layers_share_as_little() -> None:
    net = replace(ALIKE, words=("bf16", "cnn", "pretrain", *SOFTWARE))
    # another kind: exp(-1 / 2) of 0.1²
    shared = (0.09 + 0.04 + 0.01 * math.exp(-0.5)) * 0.3
    found = carried([MeasuredStep(run=ALIKE, error=-0.5)], net, PLAIN)
    assert found.mean == pytest.approx(shared / 0.1425 * -0.5)


def test_another_step_by_hand() -> None:
    # twice the micro-batch (1 doubling / 2) in another precision (1 / 2): exp(-1) of 0.1² is
    # alike; half of its time is the network's: 0.2²·0.5 shared; 0.3² of the machine:
    # (0.09 + 0.02 + 0.01·0.3678794) / 0.1425 · -0.5 = -0.3988730
    sizes = (34.0, 3.0, 12.0, 1.0, 0.0, 0.0)
    words = ("fp8", "decoder", "pretrain", *SOFTWARE)
    other = Likeness(sizes=sizes, words=words, shares=(0.5, 0.0, 0.5, 0.0))
    found = carried([MeasuredStep(run=ALIKE, error=-0.5)], other, PLAIN)
    assert found.mean == pytest.approx(-0.3988730, abs=1e-7)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("base", "nf4"),
        ("software", "torchtune"),
        ("attention", "standard"),
        ("recompute", "full"),
        ("states", "none host fp32 kept adamw"),
        ("kernels", "eager plain fused"),
    ],
)
def test_what_software_does_otherwise_is_less_alike_by_hand(word: str, other: str) -> None:
    # one word of length 2 apart: 0.3² + 0.2² + 0.1²·exp(-1 / 2) = 0.1360653 is shared;
    # 0.1360653 / 0.1425 · -0.5 = -0.4774221, and 0.14 - 0.1360653²/0.1425 + 0.0025 = 0.0125788
    at = WORDS.index(word)
    words = (*ALIKE.words[:at], other, *ALIKE.words[at + 1 :])
    found = carried([MeasuredStep(run=ALIKE, error=-0.5)], replace(ALIKE, words=words), PLAIN)
    assert found.mean == pytest.approx(-0.4774221, abs=1e-7)
    assert found.spread == pytest.approx(math.sqrt(0.0125788), rel=1e-5)


@pytest.mark.parametrize("word", WORDS)
def test_as_shipped_no_setting_that_was_not_measured_is_sure(word: str) -> None:
    # the same step is known to a tenth; one with any other word to a fifth at the best
    measured = [MeasuredStep(run=ALIKE, error=-0.5)]
    at = WORDS.index(word)
    other = replace(ALIKE, words=(*ALIKE.words[:at], "another", *ALIKE.words[at + 1 :]))
    assert Z95 * carried(measured, ALIKE).spread < math.log(1.1)
    assert Z95 * carried(measured, other).spread > math.log(1.2)


def test_a_part_that_is_slow_is_told_apart_by_two_steps() -> None:
    computing = MeasuredStep(run=ALIKE, error=0.0)
    waiting = MeasuredStep(run=replace(ALIKE, shares=(0.0, 0.0, 1.0, 0.0)), error=-0.6)
    found = carried([computing, waiting], ALIKE, PLAIN)
    assert found.parts["network"] < -0.3 < -0.05 < found.parts["compute"]


def test_a_machine_far_off_is_off_in_all_it_does() -> None:
    # the shipped spreads are of machines mostly right: a little off stays with runs alike
    far = replace(
        ALIKE, sizes=(40.0, 9.0, 15.0, 4.0, 3.0, 0.0), words=("fp8", "decoder", "", *SOFTWARE)
    )
    little = carried([MeasuredStep(run=ALIKE, error=-0.05)], far).mean / -0.05
    much = carried([MeasuredStep(run=ALIKE, error=-1.0)], far).mean / -1.0
    assert 0 < 1.05 * little < much < 1.0


def test_shares_of_a_breakdown_by_part() -> None:
    parts = {"compute": 4.0, "bubble": 1.0, "memory": 2.0, "optimizer": 1.0, "tensor": 1.0,
             "data": 0.5, "launch": 0.5}  # fmt: skip
    assert shares_of(parts) == (0.5, 0.3, 0.15, 0.05)
    assert shares_of({}) == (0.0, 0.0, 0.0, 0.0)


sizes = st.tuples(*[st.floats(0, 40) for _ in range(6)])
runs = st.builds(
    lambda at, share, word: replace(
        ALIKE, sizes=at, shares=(share, 1 - share, 0.0, 0.0), words=(word, "decoder", "", *SOFTWARE)
    ),
    sizes, st.floats(0, 1), st.sampled_from(["bf16", "fp8"]),
)  # fmt: skip
steps = st.builds(lambda run, error: MeasuredStep(run=run, error=error), runs, st.floats(-2, 2))


@given(st.lists(steps, min_size=1, max_size=5), runs)
def test_what_is_said_lies_between_nothing_and_what_was_measured(
    measured: list[MeasuredStep], to: Likeness
) -> None:
    found = carried(measured, to)
    assert isinstance(found, Carried)
    assert abs(found.mean) <= 3 * max(abs(one.error) for one in measured) + 1e-9
    assert found.spread >= spreads().noise
    assert -1e-9 <= found.alike <= 1 + 1e-9


@given(steps, runs)
def test_more_measurements_say_no_less_of_a_machine_as_modelled(
    first: MeasuredStep, to: Likeness
) -> None:
    right = replace(first, error=0.0)
    once, twice = carried([right], to), carried([right, right], to)
    assert twice.spread <= once.spread + 1e-9
    assert once.mean == twice.mean == 0.0
