"""Measured steps of a machine, held against the model of today: what other steps are scaled by."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.base.errors import InputError
from costcalc.catalog.accelerator import Accelerator
from costcalc.resolve.hardware import devices_of, precision_of
from costcalc.resolve.names import folders, look_up
from costcalc.resolve.time import timed
from costcalc.resolve.workload import trained
from costcalc.runfile.calibration import Calibration
from costcalc.runfile.loading import Input, Request, load
from costcalc.throughput.constants import Constants
from costcalc.throughput.constants import load as constants
from costcalc.throughput.transfer import MeasuredStep

_KEY = ("hardware", "calibration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A measured run held against the model: its utilization, measured and modelled.

    ``beyond``: how many times further from what is modelled it is than the end of its range.
    """

    accelerator: str
    measured: float
    modelled: float
    beyond: float
    step_time: float | None
    step: MeasuredStep


def measured_steps(given: Input, accelerator: Accelerator) -> tuple[MeasuredStep, ...]:
    """The measured steps that a part's ``hardware.calibration`` holds.

    Raises:
        InputError: a run of it cannot be read or modelled, or is of another machine.
    """
    asked = given.part.hardware.calibration if given.part.hardware else None
    if asked is None:
        return ()
    try:
        steps = _held(asked, str(given.folder or ""), _Same(constants()))
    except InputError as error:
        text = "; ".join(f"{p.key}: {p.message}" for p in error.problems)
        raise InputError(given.problem(_KEY, f"cannot be used: {text}")) from None
    others = {one.accelerator for one in steps} - {accelerator.id}
    if others:
        message = (
            f"measured on {', '.join(sorted(others))}, the run is on {accelerator.id}: what one "
            "machine does says nothing of another; measure a step of this one"
        )
        raise InputError(given.problem(_KEY, message))
    return tuple(one.step for one in steps)


class _Same:
    """Constants as part of a question: equal where they are one record."""

    def __init__(self, record: Constants) -> None:
        self.record = record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.record is other.record

    def __hash__(self) -> int:
        return id(self.record)


@functools.lru_cache(maxsize=64)
def _held(calibration: Calibration, folder: str, _: _Same) -> tuple[Held, ...]:
    return tuple(held(run, Path(folder) if folder else None) for run in calibration.runs)


def held(run: Mapping[str, object], folder: Path | None = None) -> Held:
    """One run with a measured speed against what is modelled of it; ``folder`` is its paths'.

    Raises:
        InputError: no part of it says how fast it was, or it cannot be modelled.
    """
    request = load(run, look_up)
    return held_of(request, folder)


def held_of(request: Request, folder: Path | None = None) -> Held:
    """The same of a request that is checked."""
    document = request.document
    if len(request.parts) != 1:
        raise InputError(document.problem(("stages",), "expected one stage: steps differ by stage"))
    given = request.parts[0]
    given = given if folder is None else replace(given, folder=folder)
    devices = devices_of(given, None, folders(request.raw, given.folder))
    work = trained(given)
    precision, _ = precision_of(given, devices.accelerator)
    if work.work is None:
        raise InputError(given.problem(("model",), "expected a model: its step is modelled"))
    found = timed(given, work.work, devices, precision, work.workload).throughput
    if found.modelled is None or found.utilization.basis not in ("given", "measured"):
        message = (
            "expected a measured speed (hardware.calibrate, throughput or utilization) of a model "
            "whose step can be modelled (a preset, config, architecture, parameters)"
        )
        raise InputError(given.problem(("hardware",), message))
    ends, measured = found.modelled.utilization, found.utilization.value
    modelled = ends.value
    return Held(
        accelerator=devices.accelerator.id,
        measured=measured,
        modelled=modelled,
        beyond=max(ends.low / measured, measured / ends.high),
        step_time=found.step_time,
        step=MeasuredStep(run=found.modelled.run, error=math.log(measured / modelled)),
    )
