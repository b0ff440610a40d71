"""Estimates of a small run, as the tests of this room ask for them."""

from __future__ import annotations

from typing import Any

import costcalc

H100 = {"accelerator": "h100-sxm5-80", "count": 16}


# 10 device-hours at 2 USD, three quarters of them training, 12 billed for 8; 100 W a board,
# half of one at 40 W idle, 1.5 of 50 W of host: 195 W, a tenth for switches; PUE 1.5; 0.1 USD a kWh
HOUR, KWH = 3600.0, 3.6e6


def run(**sections: Any) -> Any:
    known = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1B", "global_batch": 64, "micro_batch": 1, "recompute": "none"},
        "hardware": {**H100, "utilization": 0.4, "goodput": 0.8, "layout": {"sharding": "zero3"}},
        "site": {"region": "FR", "pue": 1.25},
        "price": {"device_hour": "2 USD"},
    }
    return costcalc.estimate({**known, **sections}, ranges=False)


def stages(*parts: dict[str, Any], **sections: Any) -> Any:
    known = {"hardware": {**H100, "utilization": 0.4}, "site": {"region": "FR"},
             "price": {"device_hour": "2 USD"}}  # fmt: skip
    return costcalc.estimate({**known, **sections, "stages": list(parts)}, ranges=False)
