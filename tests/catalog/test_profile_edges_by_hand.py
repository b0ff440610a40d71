"""Where the rules of a profile begin and end: each edge, what is just within and just beyond."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_accelerators import PROFILE, changed, written

from costcalc.base.errors import InputError
from costcalc.base.units import unit
from costcalc.catalog import host
from costcalc.catalog.accelerator import Accelerator
from costcalc.catalog.check import check, unconfirmed
from costcalc.catalog.figure import Figure, _Measured
from costcalc.catalog.loading import load

BOARD = "board_power: {value: 0.7, unit: kW, source: sheet}"
IDLE = "idle_power: {value: 70, unit: W, source: other}"
MEMORY = "memory: {value: 80, unit: GiB, source: sheet}"


def figure(key: str, value: float, unit: str) -> str:
    return f"{key}: {{value: {value!r}, unit: {unit}, source: other}}"


@pytest.mark.parametrize(
    ("old", "key", "unit", "least", "most", "shown"),
    [
        (MEMORY, "memory", "GB", 0.1, 100_000.0, "0.1 GB to 100 TB"),
        (IDLE, "idle_power", "W", 0.5, None, "0.5 W to 2.5 kW"),
        (IDLE, "board_power", "W", 5.0, 25_000.0, "5 W to 25 kW"),
        (IDLE, "embodied", "kgCO2e", 1.0, 10_000.0, "1 kgCO2e to 10 tCO2e"),
        (IDLE, "purchase", "USD", 10.0, 5e6, "10 USD to 5 MUSD"),
    ],
)
def test_figures_within_what_anything_sold_comes_near(
    tmp_path: Path, old: str, key: str, unit: str, least: float, most: float | None, shown: str
) -> None:
    """Without an idle power where the figure takes its line; the board's takes none beside it."""

    def said(value: float) -> list[str]:
        text = PROFILE.replace(BOARD + "\n", "") if key == "board_power" else PROFILE
        text = text.replace(old, figure(key, value, unit))
        return [str(p) for p in check(load(written(tmp_path, text), Accelerator, "mine.yaml"))]

    for within in (least, *([most] if most else [])):
        assert said(within) == []
    for beyond in (least * 0.99, *([most * 1.01] if most else [])):
        (message,) = said(beyond)
        assert f": {key}: expected {shown}; got " in message


@pytest.mark.parametrize(("idle", "fine"), [(700.0, True), (700.1, False)])
def test_an_idle_board_draws_no_more_than_a_full_one(
    tmp_path: Path, idle: float, fine: bool
) -> None:
    assert (changed(tmp_path, IDLE, figure("idle_power", idle, "W")) == []) is fine


@pytest.mark.parametrize(
    ("bandwidth", "fine"),
    [
        # the largest rate is fp8's 1600 TFLOP/s: over 0.4 TB/s 4000 FLOP a byte, over 1600 one
        (0.4, True),
        (0.399, False),
        (1600.0, True),
        (1601.0, False),
    ],
)
def test_a_byte_is_worth_one_to_four_thousand_flop(
    tmp_path: Path, bandwidth: float, fine: bool
) -> None:
    said = changed(tmp_path, "value: 3, unit: TB/s", f"value: {bandwidth}, unit: TB/s")
    assert (said == []) is fine


@pytest.mark.parametrize(
    ("tf32", "hint"),
    [
        (400 / 1.019, None),  # bf16's 800 is 2.038 of it: 1.9 % above twice
        (400 / 0.981, None),
        (400 / 1.021, ""),
        (400 / 0.979, ""),
        (400 / 1.96, "sparsity"),  # near four times: one of them is with sparsity
        (400 / 1.85, ""),
        (400 / 0.51, "sparsity"),  # near once
        (400 / 0.55, ""),
    ],
)
def test_two_rates_in_a_ratio_to_two_percent(tmp_path: Path, tf32: float, hint: str | None) -> None:
    found = changed(tmp_path, "tf32: {value: 400", f"tf32: {{value: {tf32!r}")
    found = [text for text in found if "x tf32" in text]
    assert len(found) == (hint is not None)
    assert all(("sparsity" in text) is bool(hint) for text in found)


@pytest.mark.parametrize(
    ("clock", "hint"),
    [
        # 132 units · 4096 FLOP: 800 TFLOP/s are 1479.6 MHz
        (1479.64 / 1.029, None),
        (1479.64 / 1.031, ""),
        (1479.64 / 0.971, None),
        (1479.64 / 0.969, ""),
        (1479.64 / 1.91, "sparsity"),
        (1479.64 / 2.09, "sparsity"),
        (1479.64 / 1.89, ""),
        (1479.64 / 2.11, ""),
    ],
)
def test_the_second_road_agrees_to_three_percent(
    tmp_path: Path, clock: float, hint: str | None
) -> None:
    found = changed(tmp_path, "clock_mhz: 1480", f"clock_mhz: {clock!r}")
    assert len(found) == (hint is not None)
    assert all(("sparsity" in text) is bool(hint) for text in found)


@pytest.mark.parametrize(
    ("rate", "key"),
    [
        ("fp64: {value: 1,", ""),
        ("fp32: {value: 800.7,", ""),
        ("fp32: {value: 801,", "peak.fp32"),
        ("fp4: {value: 1590,", "peak.fp8"),
    ],
)
def test_a_narrower_number_is_no_slower(tmp_path: Path, rate: str, key: str) -> None:
    """To a thousandth: 800.7 beside bf16's 800 passes, 801 does not."""
    line = f"  {rate} unit: TFLOP/s, source: sheet}}\n"
    found = changed(tmp_path, "  tf32: {value", f"{line}  tf32: {{value")
    assert [f": {key}: above" in text for text in found] == [True] * bool(key)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("bf16: {value: 0.1,", True),
        ("bf16: {value: 1.0,", True),
        ("bf16: {value: 0.09,", False),
        ("bf16: {value: 1.01,", False),
        ("fp4: {value: 0.5,", False),  # a rate that the peak does not have
    ],
)
def test_the_ceiling_of_a_matmul(tmp_path: Path, text: str, fine: bool) -> None:
    line = f'matmul_ceiling: {{{text} unit: "1", source: sheet}}}}\n'
    assert (changed(tmp_path, "memory: {value", f"{line}memory: {{value") == []) is fine


@pytest.mark.parametrize(
    ("spot", "fine"), [(0.01, True), (0.0099, False), (2.0, True), (2.002, True), (2.01, False)]
)
def test_prices_of_a_device_hour(tmp_path: Path, spot: float, fine: bool) -> None:
    """From a cent on; a spot price up to the on-demand one of 2 USD, to a thousandth."""
    found = changed(tmp_path, "plan: spot, value: 1,", f"plan: spot, value: {spot},")
    assert (found == []) is fine


@pytest.mark.parametrize(("value", "fine"), [(200, True), (201, False)])
def test_no_device_costs_more_than_200_dollars_an_hour(
    tmp_path: Path, value: float, fine: bool
) -> None:
    found = changed(tmp_path, "plan: on-demand, value: 3,", f"plan: on-demand, value: {value},")
    assert (found == []) is fine


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("provider: aws", "provider: gcp"),
        ("region: r", "region: s"),
        ("instance: i", "instance: j"),
        ("devices: 8", "devices: 4"),
        ("date: 2025-01", "date: 2025-02"),
        ("source: sheet", "source: other"),
    ],
)
def test_prices_of_different_offers_are_not_held_together(
    tmp_path: Path, old: str, new: str
) -> None:
    """A spot price of 2.5 USD is above on-demand's 2 where all else is alike."""
    (line,) = [text for text in PROFILE.splitlines() if "plan: spot" in text]
    other = line.replace("value: 1,", "value: 2.5,").replace(old, new)
    assert (changed(tmp_path, line, other) == []) is (old != "")


# --- what the schema bounds -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "fine", "wrong"),
    [
        ("units: 132, clock_mhz: 1480", "units: 1, clock_mhz: 195360", "units: 0, clock_mhz: 1"),
        ("released: 2024", "released: 1990", "released: 1989"),
        ("released: 2024", "released: 2100", "released: 2101"),
        ("flop_per_clock: 4096", "flop_per_clock: 4096.0", "flop_per_clock: 0"),
        ("clock_mhz: 1480", "clock_mhz: 1480.0", "clock_mhz: .inf"),
        ("clock_mhz: 1480", "clock_mhz: 1479.5", "clock_mhz: .nan"),
        ("devices: 1, plan", "devices: 0.5, plan", "devices: 0, plan"),
    ],
)
def test_numbers_that_the_schema_takes(tmp_path: Path, old: str, fine: str, wrong: str) -> None:
    assert changed(tmp_path, old, fine) == []
    assert changed(tmp_path, old, wrong) != []


@pytest.mark.parametrize(("count", "domain", "fine"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_counts_begin_at_one(tmp_path: Path, count: int, domain: int, fine: bool) -> None:
    lines = (
        f"sub_devices: {{count: {count}}}\n"
        "scale_up: {bandwidth: {value: 450, unit: GB/s, source: sheet}, "
        f"domain: {domain}, link: x}}\n"
    )
    assert (changed(tmp_path, "memory: {value", f"{lines}memory: {{value") == []) is fine


ALONE = (", confirmed_by: other}", "}")
ROAD = ("precision: bf16", "precision: fp8")


# --- what is confirmed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ([], []),
        ([ALONE], []),  # the second road confirms bf16
        ([ALONE, ROAD], ["peak.bf16"]),
        ([ALONE, ROAD, ("  bf16:", "  fp16:")], ["peak.fp16"]),
        ([ALONE, ("precision: bf16", "precision: fp16")], []),  # one unit computes both
        ([(", confirmed_by: [other]", ", low: 2.9")], []),  # a range is an honest disagreement
        ([(", confirmed_by: [other]", ", high: 3.1")], []),
        ([("confirmed_by: other}", "low: 790}"), ROAD], []),
    ],
)
def test_which_key_figures_rest_on_one_source(
    tmp_path: Path, changes: list[tuple[str, str]], lacking: list[str]
) -> None:
    text = PROFILE
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert unconfirmed(load(written(tmp_path, text), Accelerator)) == lacking


# --- hosts ----------------------------------------------------------------------------------------


def test_a_host_for_what_no_host_is_known_of() -> None:
    generic = host.find(host.GENERIC_SERVER)
    found = host.choose("no-such-chip")
    assert (found.host.id, found.devices) == (generic.id, generic.devices)
    assert host.choose("no-such-chip", per_node=3).devices == 3
    assert found.why == f"no host is known for no-such-chip: {generic.name} assumed"


def test_the_host_of_the_size_asked_for() -> None:
    # of a provider's hosts the nearest in size; among equals the larger
    sizes = {per: host.choose("h100-sxm5-80", provider="aws", per_node=per) for per in (1, 2, 8)}
    assert {per: found.host.devices for per, found in sizes.items()} == {1: 1, 2: 1, 8: 8}
    assert [found.devices for found in sizes.values()] == [1, 2, 8]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load(written(tmp_path, "id: [mine"), Accelerator)


def test_a_figure_is_of_one_dimension_and_its_unit_is_known() -> None:
    watts = _Measured("W")
    fine = Figure(value=0.7, unit="kW", source="s")
    assert watts(fine) is fine
    with pytest.raises(ValueError, match=r"^expected .*; got GB, which is "):
        watts(Figure(value=1.0, unit="GB", source="s"))
    with pytest.raises(ValueError, match="parsecs") as caught:
        watts(Figure(value=1.0, unit="parsecs", source="s"))
    with pytest.raises(InputError) as told:
        unit("parsecs")
    assert str(caught.value) == told.value.problems[0].message
