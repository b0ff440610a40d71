"""What the constants say of chips: what they draw, how sure that is, and what is said of it."""

from __future__ import annotations

import pytest
from chip_power import power

from costcalc import energy
from costcalc.catalog import accelerator, host


def test_h100_in_training_draws_what_was_measured() -> None:
    made = power("h100-sxm5-80").board
    # Morrison et al. 2025: "over 600 W" while training, of 700 W
    assert made.low <= 600 <= made.high
    assert made.value == pytest.approx(600, rel=0.05)
    assert made.high <= 700  # the firmware's limit
    # Newkirk et al. 2025: a node at 76 % of 10.2 kW, 969 W a GPU
    found = power("h100-sxm5-80")
    low, high = found.board.low + found.host.low, found.board.high + found.host.high
    assert low <= 0.76 * 10_200 / 8 <= high


def test_a_node_below_its_measured_peak() -> None:
    # Latif et al. 2025: 8.48 kW at most
    found = power("h100-sxm5-80")
    assert 8 * (found.board.value + found.host.value) < 8480


def test_less_utilization_draws_less() -> None:
    little, some, much = (
        power("a100-sxm4-80", utilization=u).board.value for u in (0.02, 0.1, 0.5)
    )
    assert little < some < much
    idle = power("a100-sxm4-80").idle.value
    assert idle < little < 0.35 * 400


def test_a_chip_without_measurements_says_so_and_is_wider() -> None:
    seen, unseen = power("h100-sxm5-80").board, power("mi300x").board
    assert "not validated" not in seen.why
    assert "modelled, not validated: no measured draw of cdna3 in training" in unseen.why
    assert unseen.low / unseen.value < seen.low / seen.value
    assert seen.basis == unseen.basis == "modelled"


def test_an_unknown_utilization_is_wider_below() -> None:
    known, unknown = (power("a100-sxm4-80", utilization=u).board for u in (0.4, None))
    assert unknown.low < known.low
    assert "a busy device" in unknown.why


def test_a_chip_of_which_nobody_knows_the_power() -> None:
    found = accelerator.find("h100-sxm5-80").model_copy(
        update={"board_power": None, "id": "secret", "name": "Secret One"}
    )
    made = energy.power_assumptions(found, host.choose("secret"), "decoder", utilization=0.4)
    assert made.board is None
    assert made.why_not == (
        "Secret One: its maker publishes no power and no estimate of it is known"
    )
    assert [item.key for item in made.all()] == [
        "hardware.host_power",
        "hardware.network_power",
        "hardware.redone",
    ]


def test_one_node_has_no_network() -> None:
    alone, many = power("h100-sxm5-80", nodes=1).network, power("h100-sxm5-80", nodes=128).network
    assert alone.value == alone.high == 0
    assert 0 < many.low < many.value < many.high
    assert power("tpu-v4", nodes=16).network.value < many.value  # a torus needs no switches


def test_every_assumption_has_a_range_a_source_and_a_reason() -> None:
    keys = [item.key for item in power("b200-sxm-180", nodes=4).all()]
    assert keys == [
        "hardware.board_power",
        "hardware.idle_power",
        "hardware.host_power",
        "hardware.network_power",
        "hardware.redone",
    ]
    for item in power("b200-sxm-180", nodes=4).all():
        assert 0 < item.low <= item.value <= item.high
        assert item.source
        assert item.why


@pytest.mark.parametrize("chip", [found.id for found in accelerator.all_accelerators()])
def test_every_chip_has_sane_power(chip: str) -> None:
    made = power(chip, nodes=2)
    if made.board is None:
        assert made.why_not
        return
    assert made.idle.value < made.board.value
    for item in (made.board, made.idle, made.host):
        assert item.low <= item.value <= item.high


def test_fp32_on_a_gpu_runs_on_vector_units() -> None:
    # the vector ramp is longer: the same share of a smaller peak is less of what a busy card draws
    vector, tensor = (
        power("a40", utilization=0.15, precision=p).board.value for p in ("fp32", "bf16")
    )
    assert vector < tensor
