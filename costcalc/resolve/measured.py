"""What was measured of a run: typed by its user under ``measured:``, or handed over by a tracker.

Both are :class:`costcalc.runfile.schema.Measured`, SI numbers once read; each figure takes the
place of the one that would be calculated.  All are of one run, whatever ``training.runs`` says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from costcalc.base.assumption import Assumption, exact
from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.base.units import to_si
from costcalc.resolve.known import currency, dollars
from costcalc.runfile.loading import Input, Request
from costcalc.runfile.rules import Lacking, faults
from costcalc.runfile.schema import Hardware, Measured, Model, Run, Section, Training

#: so an assumption says that its figure is of one run, where there are several
OF_ONE = "of one of"


def with_measured(
    given: Input, known: dict[str, Assumption]
) -> tuple[dict[str, Assumption], dict[str, Assumption]]:
    """Measured figures as the run says them, of one of its runs, and as the formulas take them.

    Device-hours, energy and cost are of all runs in the formulas, time of one.
    """
    measured = given.part.measured
    if measured is None:
        return {}, {}
    found: dict[str, tuple[float, str, str]] = {}
    if measured.wall_clock is not None:
        found["wall_clock"] = (measured.wall_clock, "h", "wall_clock")
    if measured.device_hours is not None:
        seconds = to_si(measured.device_hours, "device_hour")
        found["device_hours"] = (seconds, "device_hour", "device_hours")
        found["wall_clock"] = (seconds / known["devices"].value, "h", "device_hours")
    if measured.energy is not None:
        found["energy"] = (measured.energy, "kWh", "energy")
        found["energy_it"] = (measured.energy / known["pue"].value, "kWh", "energy")
    if measured.energy_it is not None:
        found["energy_it"] = (measured.energy_it, "kWh", "energy_it")
    if measured.cost is not None:
        name, usd = currency(given.part.price)
        found["cost"] = (dollars(measured.cost, given.part.price) / usd, name, "cost")
    said = {
        name: exact(
            f"measured.{key}",
            value,
            shown,
            basis="measured",
            source="run file",
            where=given.place("measured", key),
        )
        for name, (value, shown, key) in found.items()
    }
    if measured.energy is not None and measured.energy_it is None:  # as unsure as the PUE is
        pue, it = known["pue"], said["energy_it"]
        said["energy_it"] = replace(
            it,
            key="measured.energy_it",
            why="measured.energy / PUE",
            low=it.value * pue.value / pue.high,
            high=it.value * pue.value / pue.low,
        )
    if measured.energy_it is not None:
        ends = (measured.energy_it_low, measured.energy_it, measured.energy_it_high)
        known_ends = [end for end in ends if end is not None]
        said["energy_it"] = replace(said["energy_it"], low=min(known_ends), high=max(known_ends))
    runs = known["runs"].value
    of_all = {k: one if k == "wall_clock" else times(one, runs) for k, one in said.items()}
    return {name: of_one(item, runs) for name, item in said.items()}, of_all


def times(item: Assumption, runs: float) -> Assumption:
    """What one of so many runs took, as all of them did."""
    return replace(item, value=item.value * runs, low=item.low * runs, high=item.high * runs)


def of_one(item: Assumption, runs: float) -> Assumption:
    """The same, saying that it is of one of so many runs."""
    if runs == 1:
        return item
    why = f"{OF_ONE} {runs:,.4g} runs"
    return replace(item, why=f"{item.why}; {why}" if item.why else why)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A run file as its typed record (SI) and as it is written; both are changed together.

    >>> job = JobRun(run=Run.model_validate({}), written={"name": "small"})
    >>> job = job.changed("measured", wall_clock=7200.0)
    >>> job.written["measured"], job.run.measured.wall_clock
    ({'wall_clock': '7200.0 s'}, 7200.0)
    """

    run: Run
    written: Mapping[str, object]

    def changed(self, section: str, *, without: Collection[str] = (), **values: object) -> JobRun:
        """The same with values, in SI, in one of its sections, and ``without`` some of its keys."""
        kind = _SECTIONS[section]
        old: Section = getattr(self.run, section) or kind()
        new = old.model_copy(update={**dict.fromkeys(without), **values})
        before = self.written.get(section)
        before = before if isinstance(before, Mapping) else {}
        kept = {k: v for k, v in before.items() if k not in without}
        said = kind.model_construct(set(values), **values).model_dump(exclude_unset=True)
        if not (kept or said):
            return self.lacking(section)
        return JobRun(
            run=self.run.model_copy(update={section: new}),
            written={**self.written, section: {**kept, **said}},
        )

    def lacking(self, *sections: str) -> JobRun:
        """The same without some of its sections."""
        return JobRun(
            run=self.run.model_copy(update=dict.fromkeys(sections)),
            written={k: v for k, v in self.written.items() if k not in sections},
        )

    @property
    def given(self) -> Input:
        """The run as the stages read it; its paths are absolute."""
        return Input(
            name=self.run.name or "run",
            raw={k: v for k, v in self.written.items() if k not in _OF_THE_FILE},
            part=self.run,
            document=Document(dict(self.written), "run"),
            own=(),
            folder=None,
        )

    def request(self, *, may_lack: Collection[Lacking] = ()) -> Request:
        """What the calculator takes.

        Raises:
            InputError: the sections do not go together.
        """
        given = self.given
        found = list(faults(self.run, may_lack=may_lack))
        if found:
            raise InputError([given.document.problem(item.path, item.message) for item in found])
        return Request(run=self.run, raw=self.written, parts=(given,), document=given.document)


_SECTIONS: Mapping[str, type[Section]] = {
    "model": Model,
    "training": Training,
    "hardware": Hardware,
    "measured": Measured,
}
_OF_THE_FILE = ("stages", "limits", "subject", "profiles", "sweep")
