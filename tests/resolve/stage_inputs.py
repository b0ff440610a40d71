"""A run file of round numbers, and its stages one at a time."""

from __future__ import annotations

from typing import Any

from costcalc.calculator.calculate import estimate
from costcalc.resolve.hardware import Devices, devices_of
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import Input, load

HOUR, YEAR = 3600.0, 365.25 * 86400
H100 = {"accelerator": "h100-sxm5-80", "count": 16}
RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B", "global_batch": 64},
    "hardware": H100,
    "site": {"region": "aws:us-east-1"},
}


def part(**sections: Any) -> Input:
    given = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    return load(given, look_up).parts[0]


def devices(**hardware: Any) -> Devices:
    return devices_of(part(hardware=hardware), None, ())


def made(**sections: Any) -> Any:
    given = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    return estimate(given, ranges=False)


def listed(found: Any, key: str) -> Any:
    return next(item for item in found.inputs if item.key == key)
