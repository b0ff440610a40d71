"""One part of a run, calculated: what its figures are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.numbers import Number
from costcalc.catalog.region import Region
from costcalc.resolve.hardware import Devices
from costcalc.resolve.time import Timed
from costcalc.resolve.workload import Trained
from costcalc.runfile.loading import Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculated:
    """One part, calculated: central values and draws of every figure, in SI."""

    given: Input
    trained: Trained
    devices: Devices
    timed: Timed | None
    region: Region | None
    assumptions: tuple[Assumption | Choice, ...]
    known: Mapping[str, Assumption]  # those behind the formulas, by the formulas' name of them
    values: Mapping[str, float]
    draws: Mapping[str, Number]
    measured: frozenset[str]
    why: Mapping[str, str]
    warnings: tuple[str, ...]
