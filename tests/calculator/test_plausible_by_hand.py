"""Measured figures that cannot be: each bound and what lies on it, and what reports carry of it."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc import estimate
from costcalc.calculator.plausible import implausible, of_part

NEVER = "; a figure cannot be right"
NODE = ", likelier a meter of a node of more devices, or of several runs"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        # shares of the peak
        ({"utilization": 1.0}, None),
        ({"utilization": 1.01}, "utilization of 101 %: more than the peak of the devices"),
        # 1 kWh in 2 h is 500 W: nine tenths of what a board idles at, or less
        ({"idle": 500 / 0.9 - 0.1}, None),
        ({"idle": 600.0},
         "mean power of 500 W a device: less than a board draws when idle (600 W)"),
        # 1.05 times its rating, and one and a half times its host's share
        ({"rated": 477.0}, None),  # 500.9 W
        ({"rated": 475.0},  # 498.75 W
         "mean power of 500 W a device: more than board and host can draw (499 W)" + NODE),
        ({"rated": 400.0, "host": 54.0}, None),  # 420 + 81 = 501 W
        ({"rated": 400.0, "host": 52.0},  # 498 W
         "mean power of 500 W a device: more than board and host can draw (498 W)" + NODE),
        # a DGX H100 may draw 10.2 kW: 1,275 W a board of 700 W, where its host is 362 W at most
        ({"energy_it": 2.55, "rated": 700.0, "host": 362.0}, None),
        ({"energy_it": 2.57, "rated": 700.0, "host": 362.0},
         "mean power of 1,285 W a device: more than board and host can draw (1,278 W)" + NODE),
        # of the boards alone no host counts
        ({"rated": 400.0, "host": 60.0, "boards": True},
         "mean power of 500 W a device: more than a board can draw (420 W)"),
        # without a rating 10 kW are too many
        ({"energy_it": 20.0}, None),
        ({"energy_it": 20.1},
         "mean power of 10,050 W a device: more than board and host can draw (10,000 W)" + NODE),
        ({"energy_it": 2.0, "rated": 100.0},
         "mean power of 1,000 W a device: more than board and host can draw (105 W)" + NODE),
        ({"energy_it": 1.998, "rated": 100.0},
         "mean power of 999 W a device: more than board and host can draw (105 W)" + NODE),
        # without energy or hours nothing is known of a power
        ({"energy_it": None, "idle": 9e9}, None),
        ({"energy_it": 0.0, "idle": 9e9}, None),
        ({"device_hours": None, "idle": 9e9}, None),
        ({"device_hours": 0.0, "idle": 9e9}, None),
    ],
)  # fmt: skip
def test_figures_that_cannot_be(said: dict[str, Any], text: str | None) -> None:
    found = list(implausible(**({"energy_it": 1.0, "device_hours": 2.0} | said)))
    assert found == ([] if text is None else [text + NEVER])


def part(**values: Any) -> dict[str, Any]:
    return {
        "results": {
            name: {"value": values.get(name)}
            for name in ("utilization", "energy_it", "device_hours")
        },
        "details": {"hardware": {"idle_power": 100.0, "rated_power": 400.0, "host_power": 60.0}},
    }


@pytest.mark.parametrize(
    ("made", "more", "said"),
    [
        (part(energy_it=1.0, device_hours=2.0), {}, []),  # 500 W of 420 + 90
        (part(energy_it=1.0, device_hours=2.0), {"boards": True},
         ["mean power of 500 W a device: more than a board can draw (420 W)"]),
        # the meter saw half of the time: 1 kWh in an hour
        (part(energy_it=1.0, device_hours=2.0), {"sampled": 0.5},
         ["mean power of 1,000 W a device: more than board and host can draw (510 W)" + NODE]),
        (part(energy_it=0.1, device_hours=2.0), {},
         ["mean power of 50 W a device: less than a board draws when idle (100 W)"]),
        (part(utilization=2.0, energy_it=0.1, device_hours=2.0), {},
         ["utilization of 200 %: more than the peak of the devices",
          "mean power of 50 W a device: less than a board draws when idle (100 W)"]),
        (part(energy_it=0.1), {}, []),
        (part(energy_it="much", device_hours=True), {}, []),  # what is no number is not known
        ({}, {}, []),
        ({"results": 3, "details": {"hardware": None}}, {}, []),
    ],
)  # fmt: skip
def test_figures_of_a_report_that_cannot_be(
    made: Any, more: dict[str, Any], said: list[str]
) -> None:
    assert list(of_part(made, **more)) == [text + NEVER for text in said]


def test_a_grid_in_the_wrong_unit_is_warned_about() -> None:
    # 56 g written as kg: 3 kWh would be 168 kgCO2e
    run: dict[str, Any] = {
        "measured": {"wall_clock": "1 h", "energy": "3 kWh"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
        "site": {"grid": "56 kgCO2e/kWh"},
    }
    said = (
        "56,000 gCO2e/kWh of electricity: more than any power plant emits (2,900); a figure cannot "
        "be right"
    )
    assert said in estimate(run).warnings
    run["site"] = {"grid": "56 gCO2e/kWh"}
    assert said not in estimate(run).warnings
