"""The kernels of energy: board power, a run, published runs from their own inputs, dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import energy
from costcalc.base import units
from costcalc.calculator import formulas
from costcalc.resolve.power import activity


@pytest.mark.parametrize(
    ("utilization", "expected"),
    [
        (0.0, 100.0),  # idle
        (0.1, 100 + 600 * 0.8 * 0.1 / 0.2),  # half way up: 340 W
        (0.2, 100 + 600 * 0.8),  # 580 W
        (0.5, 100 + 600 * 0.8),  # flat beyond
    ],
)
def test_board_power_of_a_utilization(utilization: float, expected: float) -> None:
    busy = energy.busy_share(utilization, 0.2)
    made = energy.board_power(busy=busy, limit=700, idle=100, ceiling=0.8)
    assert made == pytest.approx(expected, rel=1e-12)


def test_board_power_of_what_a_device_does() -> None:
    # 60 % busy and 30 % held up, which draws a quarter as much; 10 % it waits for its host
    made = energy.board_power(busy=0.6, held_up=0.3, limit=700, idle=100, ceiling=0.8, waiting=0.25)
    assert made == pytest.approx(100 + 600 * 0.8 * (0.6 + 0.25 * 0.3))  # 424 W


PARTS = {
    "compute": 42.0, "memory": 20.0, "launch": 8.0, "tensor": 10.0, "pipeline": 3.0, "data": 5.0,
    "expert": 2.0, "bubble": 4.0, "optimizer": 6.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pace", "nodes", "busy", "held_up"),
    [
        # of 100 s: 42 + 20 and the optimizer's 6 busy; 10 + 3 + 5 + 2 + 4 held up; 8 launching
        (1.0, 1, 0.68, 0.24),
        (1.0, 2, 0.62, 0.30),  # an optimizer that is spread over nodes waits for them
        (1.3, 1, 0.68, 0.24),  # faster than modelled: the same shares
        (0.6, 1, 0.68, 0.24),  # slower kernels draw the same
        (0.25, 1, 0.34, 0.12),  # half of that time it waits for its host
    ],
)
def test_what_a_device_does_with_its_time(pace, nodes, busy, held_up) -> None:
    made = activity(PARTS, pace, nodes=nodes)
    assert made == pytest.approx((busy, held_up))


def test_nothing_modelled_is_no_activity() -> None:
    assert activity({}) is None
    assert activity({"compute": 0.0}) is None


ALONE = {"idle_power": 100.0, "billed": 1.0}  # no device is held that is not used


def test_devices_held_and_not_used_idle_beside_their_share_of_the_host() -> None:
    # 2 of 8 devices for an hour: each holds four; 3 idle at 100 W, and 4 shares of 250 W of host
    it = formulas.energy_it(
        device_hours=2 * 3600, mean_power=600.0, idle_power=100.0, host_power=250.0, billed=4.0,
        network_share=0.1,
    )  # fmt: skip
    assert it == pytest.approx(7200 * (600 + 300 + 1000) * 1.1)


def test_a_run_by_hand() -> None:
    # 8 devices, 10 h, of which 9 train at 600 W and 1 is lost, half of it redone: 350 W
    lost = formulas.lost_power(board_power=600.0, idle_power=100.0, redone=0.5)
    board = formulas.mean_power(board_power=600.0, lost_power=lost, goodput=0.9)  # 575 W
    it = formulas.energy_it(
        device_hours=8 * 36_000, mean_power=board, host_power=275.0, network_share=0.07, **ALONE
    )
    facility = formulas.energy(energy_it=it, pue=1.15)
    assert lost == 350.0
    assert board == pytest.approx(575.0)
    assert it == pytest.approx(288_000 * 850 * 1.07)  # 261.9 MJ = 72.8 kWh
    assert facility / 3.6e6 == pytest.approx(83.674, abs=1e-3)  # PUE once


def test_patterson_gpt3_from_its_own_inputs() -> None:
    # Patterson et al. 2021, table 4: 10,000 V100, 14.8 days, 330 W of system, PUE 1.10: 1,287 MWh
    it = formulas.energy_it(
        device_hours=10_000 * 14.8 * 86_400,
        mean_power=330.0,
        host_power=0.0,
        network_share=0.0,
        **ALONE,
    )
    assert formulas.energy(energy_it=it, pue=1.1) / 3.6e9 == pytest.approx(1287, rel=0.005)


def test_strubell_transformer_big_from_its_own_inputs() -> None:
    # Strubell et al. 2019, table 3: 1515.43 W, 84 h, PUE 1.58: 201 kWh
    it = formulas.energy_it(
        device_hours=8 * 84 * 3600,
        mean_power=1515.43 / 8,
        host_power=0.0,
        network_share=0.0,
        **ALONE,
    )
    assert formulas.energy(energy_it=it, pue=1.58) / 3.6e6 == pytest.approx(201, abs=0.5)


def test_kernels_on_pint_quantities_have_the_right_dimensions() -> None:
    ureg = units.registry()
    watt = ureg.Quantity(1.0, "W/device")
    board = energy.board_power(
        busy=ureg.Quantity(0.7, ""), held_up=ureg.Quantity(0.2, ""), waiting=0.3,
        limit=700 * watt, idle=100 * watt, ceiling=0.8,
    )  # fmt: skip
    lost = formulas.lost_power(board_power=board, idle_power=100 * watt, redone=0.3)
    mean = formulas.mean_power(board_power=board, lost_power=lost, goodput=0.9)
    it = formulas.energy_it(
        device_hours=ureg.Quantity(2.0, "device_hour"),
        mean_power=mean,
        host_power=275 * watt,
        network_share=0.07,
        idle_power=100 * watt,
        billed=1,
    )
    facility = formulas.energy(energy_it=it, pue=ureg.Quantity(1.2, ""))
    floats = formulas.energy(
        energy_it=formulas.energy_it(
            device_hours=7200.0,
            mean_power=float(mean.magnitude),
            host_power=275.0,
            network_share=0.07,
            **ALONE,
        ),
        pue=1.2,
    )
    assert facility.to("J").magnitude == pytest.approx(floats, rel=1e-12)


def test_arrays_equal_single_calls() -> None:
    draws = np.linspace(0.0, 0.6, 7)
    of = {"limit": 400.0, "idle": 60.0, "ceiling": 0.85}
    many = energy.board_power(busy=energy.busy_share(draws, 0.21), **of)
    one = [energy.board_power(busy=energy.busy_share(u, 0.21), **of) for u in draws]
    assert many.tolist() == [float(value) for value in one]


WATTS = st.floats(10, 2000)
SHARES = st.floats(0.01, 1.0)


@given(limit=WATTS, idle=SHARES, ceiling=SHARES, waiting=SHARES, low=SHARES, high=SHARES)
def test_board_power_rises_and_stays_in_bounds(limit, idle, ceiling, waiting, low, high) -> None:
    low, high = sorted((low, high))
    of = {"limit": limit, "idle": idle * limit, "ceiling": ceiling, "waiting": waiting}
    less, more = (energy.board_power(busy=b, held_up=1.0 - b, **of) for b in (low, high))
    assert idle * limit <= less <= more * (1 + 1e-12)
    assert more <= limit * (1 + 1e-12)


@given(training=WATTS, idle=WATTS, redone=st.floats(0, 1), goodput=st.floats(0, 1))
def test_the_mean_lies_between_idle_and_training(training, idle, redone, goodput) -> None:
    idle, training = sorted((idle, training))
    lost = formulas.lost_power(board_power=training, idle_power=idle, redone=redone)
    mean = formulas.mean_power(board_power=training, lost_power=lost, goodput=goodput)
    assert idle * (1 - 1e-12) <= mean <= training * (1 + 1e-12)
