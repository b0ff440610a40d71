"""What the user asked of a tracker, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from costcalc.tracking.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked of a tracker."""

    plan: Plan
    output: str | None
    folder: str | None
    job: str | None
    stops: bool
    progress: bool | None
    callback: Callable[[dict[str, float]], Any] | None
    interval: float
    identify: bool
    force: bool
