"""Run files and repositories that the tests of changes share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

RUN: dict[str, Any] = {
    "name": "tune",
    "model": {"parameters": 1e9},
    "training": {"method": "finetune", "tokens": "10B", "sequence_length": 2048},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "utilization": 0.4, "goodput": 1},
    "site": {"region": "FR", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


def with_(**changed: object) -> dict[str, Any]:
    """The run with sections or, as ``training__tokens``, keys of them changed."""
    made = json.loads(json.dumps(RUN))
    for key, value in changed.items():
        section, _, name = key.partition("__")
        if name:
            made[section][name] = value
        else:
            made[section] = value
    return made


def put(folder: Path, name: str, run: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(run if isinstance(run, str) else json.dumps(run), encoding="utf-8")
    return path


# every input given, so that the golden comments change with their text alone
_POWER = {"board_power": "600 W", "idle_power": "100 W", "host_power": "200 W",
          "network_power": 0.05, "redone": 0.5}  # fmt: skip
GIVEN = with_(
    hardware={**RUN["hardware"], **_POWER},
    site={**RUN["site"], "grid": "50 gCO2e/kWh"},
    embodied={"device": "150 kgCO2e", "host": "200 kgCO2e", "lifetime": "5 year",
              "utilization": 0.7},
)  # fmt: skip


def given(**changed: object) -> dict[str, Any]:
    """The run with every input given, and keys changed."""
    made = json.loads(json.dumps(GIVEN))
    for key, value in changed.items():
        section, _, name = key.partition("__")
        made[section] = {**made[section], name: value} if name else value
    return made


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
