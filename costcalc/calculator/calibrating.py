"""Measured steps of a machine made into its calibration: ``costcalc calibrate``."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem
from costcalc.base.human import human
from costcalc.base.ranges import Z95
from costcalc.base.writing import save, to_yaml
from costcalc.resolve.calibration import Held, held_of
from costcalc.resolve.names import look_up
from costcalc.runfile.calibration import MAX_STEPS, SCHEMA, SPEEDS
from costcalc.runfile.loading import Request, Source, check, document_of, own_run
from costcalc.throughput.transfer import NETS, SIZES, WORDS, Carried, Likeness, carried

#: sections that say what a step was; where it ran and what it cost are not the machine's
_SECTIONS = ("model", "training", "hardware")
_NOT_THE_STEP = ("calibration", "goodput", "redone")
#: times the end of a modelled range from which on a measured step is more likely a wrong figure:
#: of 1,840 shipped measurements one is as far off
_ODD = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A measured step: its run, and how it stands to the model."""

    name: str
    run: Mapping[str, object]
    held: Held

    @property
    def ratio(self) -> float:
        """Measured over modelled rate."""
        return self.held.measured / self.held.modelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a machine does against the model, from the steps that were measured on it."""

    accelerator: str
    steps: tuple[Step, ...]

    def to_dict(self, folder: Path | None = None) -> dict[str, object]:
        """The file that ``hardware.calibration`` names; ``folder`` is where it stands."""
        return {
            "schema": SCHEMA,
            "accelerator": self.accelerator,
            "steps": [
                {
                    "name": step.name,
                    "run": _moved(step.run, folder),
                    "measured_over_modelled": step.ratio,
                }
                for step in self.steps
            ],
        }

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write it; configurations that it names are then relative to that file.

        Raises:
            InputError: the file is there already and ``force`` is not said.
        """
        made = self.to_dict(Path(path).parent)
        said = (
            "# Measured steps of one machine: hardware.calibration in a run file names this file."
        )
        return save(to_yaml(made, first_line=said), path, force=force)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is so far from what is modelled that the figure may be wrong."""
        return tuple(_odd(step) for step in self.steps if step.held.beyond > _ODD)

    def carries(self) -> list[tuple[str, Carried]]:
        """What it says of the last step again, and of steps that differ in one thing."""
        last = self.steps[-1].held.step.run
        measured = [step.held.step for step in self.steps]
        return [(name, carried(measured, to)) for name, to in _others(last)]


def _odd(step: Step) -> str:
    ratio, seconds = step.ratio, step.held.step_time
    took = f" ({human(seconds, 's')}, modelled {human(seconds * ratio, 's')})" if seconds else ""
    times = f"{_times(1 / ratio)} as long" if ratio < 1 else f"{_times(ratio)} as fast"
    return (
        f"{step.name}: measured {times} as modelled{took}, {_times(step.held.beyond)} beyond the "
        "range: is the unit right, does training.global_batch hold all that a step accumulates, "
        "was nothing else inside (evaluation, checkpoints, compiling)?"
    )


def _times(value: float) -> str:
    return f"{value:.3g} times" if value < 1000 else f"{value:,.0f} times"


def _others(run: Likeness) -> Iterator[tuple[str, Likeness]]:
    def more(name: str, doublings: float) -> Likeness:
        at = SIZES.index(name)
        sizes = (*run.sizes[:at], run.sizes[at] + doublings, *run.sizes[at + 1 :])
        return replace(run, sizes=sizes)

    yield "the same step", run
    yield "twice the micro-batch", more("micro_batch", 1.0)
    yield "twice the sequence length", more("sequence_length", 1.0)
    yield "a model of four times the FLOPs", more("flops", 2.0)
    yield "eight times the devices", more("devices", 3.0)
    has = dict(zip(WORDS, run.words, strict=True))
    none = {"base": has["method"] != "lora", "attention": has["kind"] in NETS}
    for word, name in _DIFFERENT.items():
        if none.get(word):
            continue
        at = WORDS.index(word)
        words = (*run.words[:at], "another", *run.words[at + 1 :])
        yield name, replace(run, words=words)


#: words of a likeness, and what a step is called that differs in one
_DIFFERENT = {
    "precision": "another precision",
    "base": "a base in other precision",
    "software": "other software",
    "attention": "another kernel of attention",
    "recompute": "other recompute",
}


def calibrate(
    *sources: Source, step_time: str | None = None, throughput: str | None = None
) -> Calibration:
    """What a machine does, from measured steps on it.

    ``sources``: run files with the speed that was measured (``hardware.calibrate``, ``throughput``
    or ``utilization``), or one run file beside ``step_time`` ("2.1 s") or ``throughput`` ("31000
    token/s"); a table of several (``steps:``, each a ``run`` with its ``step_time`` or
    ``throughput``); a calibration that was written before; a report of a tracked run.

    Raises:
        InputError: a source cannot be read, says no speed, or they are of several machines.

    >>> run = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> made = calibrate(run, step_time="90 s")
    >>> made.accelerator, len(made.steps)
    ('h100-sxm5-80', 1)
    """
    speed: dict[str, object] | None = (
        {"calibrate": {"step_time": step_time}} if step_time is not None else None
    )
    if throughput is not None:
        if speed is not None:
            raise _wrong("--throughput", "expected --step-time or --throughput; got both")
        speed = {"throughput": throughput}
    if speed is not None and len(sources) != 1:
        raise _wrong("RUN.yaml", f"a measured speed is of one run file; got {len(sources)}")
    steps = [step for source in sources for step in _steps(source, speed)]
    if not 0 < len(steps) <= MAX_STEPS:
        raise _wrong("steps", f"expected 1 to {MAX_STEPS} measured steps; got {len(steps)}")
    machines = {step.held.accelerator: step.name for step in steps}
    if len(machines) > 1:
        said = ", ".join(f"{name} is on {machine}" for machine, name in machines.items())
        raise _wrong("hardware.accelerator", f"expected steps of one machine; {said}")
    return Calibration(accelerator=next(iter(machines)), steps=tuple(steps))


def _steps(source: Source, speed: Mapping[str, object] | None) -> Iterator[Step]:
    document, folder = document_of(source)
    if not isinstance(document.data, Mapping) or "steps" not in document.data:
        yield _step(document, folder, speed)
        return
    if speed is not None:
        raise InputError(document.problem(("steps",), "each of several steps says its own speed"))
    rows = document.data["steps"]
    if not isinstance(rows, list):
        raise InputError(document.problem(("steps",), "expected a list of measured steps"))
    for number, row in enumerate(rows):
        yield _row(document, folder, number, row)


def _row(document: Document, folder: Path | None, number: int, row: object) -> Step:
    run = row.get("run") if isinstance(row, Mapping) else None
    if not isinstance(row, Mapping) or not isinstance(run, (str, Mapping)):
        message = "expected run: (a run file or its mapping) with step_time: or throughput:"
        raise InputError(document.problem(("steps", number), message))
    said = {key: row[key] for key in ("step_time", "throughput") if key in row}
    speed = {"calibrate": said} if "step_time" in said else said or None
    if isinstance(run, str):
        inner, place = document_of((folder or Path()) / run)
    else:
        inner, place = replace(document, data=dict(run)), folder
    return _step(inner, place, speed, named=row.get("name"))


def _step(
    document: Document,
    folder: Path | None,
    speed: Mapping[str, object] | None,
    named: object = None,
) -> Step:
    document = own_run(document)
    data = document.data if isinstance(document.data, Mapping) else {}
    if speed is not None and isinstance(data.get("hardware"), Mapping):
        kept = _without(data["hardware"], (*SPEEDS, "utilization_basis"))
        data = {**data, "hardware": {**kept, **speed}}
    whole = replace(document, data=data) if isinstance(document.data, Mapping) else document
    request = check(whole, folder, look_up)
    return Step(
        name=str(named or data.get("name") or Path(document.name).stem),
        run=_kept(request, folder),
        held=held_of(request),
    )


def _kept(request: Request, folder: Path | None) -> dict[str, object]:
    """What of a run its step depends on; ``config`` as a path of its own."""
    raw = request.parts[0].raw
    made: dict[str, object] = {
        name: _without(raw[name], _NOT_THE_STEP) for name in _SECTIONS if name in raw
    }
    model = made.get("model")
    config = model.get("config") if isinstance(model, dict) else None
    if isinstance(model, dict) and isinstance(config, str):
        model["config"] = os.path.abspath((folder or Path()) / config)  # noqa: PTH100
    return made


def _without(section: object, keys: Collection[str]) -> dict[str, object]:
    if not isinstance(section, Mapping):
        return {}
    return {key: value for key, value in section.items() if key not in keys}


def _moved(run: Mapping[str, object], folder: Path | None) -> dict[str, object]:
    """The run with its configuration's path relative to a folder."""
    model = run.get("model")
    config = model.get("config") if isinstance(model, Mapping) else None
    if folder is None or not isinstance(model, Mapping) or not isinstance(config, str):
        return dict(run)
    return {**run, "model": {**model, "config": os.path.relpath(config, folder)}}


def _wrong(key: str, message: str) -> InputError:
    return InputError(Problem(key=key, message=message))


def percent(found: Carried) -> tuple[float, float]:
    """The factor on the modelled rate, and half the width of its 90 % range as a share."""
    return math.exp(found.mean), math.expm1(Z95 * found.spread)
