"""What one launch drew, by what drew it: writers that metered the same thing at once count once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from costcalc.tracking.attempts import begins_after, ends, last, span
from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Energy, weakest

# A meter that ended before its launch did missed the rest: from so much on, as a share and in s.
_EARLY, _EARLY_SECONDS = 0.01, 1.0


@dataclass(slots=True)
class Drawn:
    """Energy by what drew it; seconds of devices that meters stand for."""

    energy: dict[str, Energy] = field(default_factory=dict)
    device_seconds: float = 0.0

    def by_meter(self) -> dict[str, Energy]:
        """The same by component, basis and meter."""
        found: dict[str, Energy] = {}
        for item in self.energy.values():
            key = f"{item.component}, {item.basis}, {item.meter}"
            found[key] = found[key].plus(item) if key in found else item
        return found


def drawn(groups: Sequence[Sequence[Written]]) -> list[Drawn]:
    """What each launch drew.

    Of writers whose times overlap the one that saw most is taken, and counted with the launch in
    which the first of them began; those apart in time add up.  What a meter of a host missed is
    taken at the mean power of what it saw, where that was most of the time; of devices it is left
    out, and stands in with a range (``energy_parts``).
    """
    found = [Drawn() for _ in groups]
    lasted = [span(group)[0] for group in groups]
    by_key: dict[str, list[tuple[Written, int]]] = {}
    for number, group in enumerate(groups):
        for writer in group:
            for key in last(writer).energy:
                by_key.setdefault(key, []).append((writer, number))
    for key, spans in sorted(by_key.items()):
        spans.sort(key=lambda item: (item[0].start.time, ends(item[0])))
        runs = _runs(key, spans)
        for number in sorted({n for n, _ in runs}):
            mine = [writer for n, writer in runs if n == number]
            basis = weakest(last(w).energy[key].basis for w, n in spans if n == number)
            energy, seconds = _filled(key, mine, lasted[number])
            found[number].energy[key] = replace(energy, basis=basis)
            if energy.component == "device":
                found[number].device_seconds += seconds
    return found


def _runs(key: str, spans: Sequence[tuple[Written, int]]) -> list[tuple[int, Written]]:
    """Of each run of overlapping writers the launch of its first, and the one that saw most."""
    runs: list[tuple[int, Written]] = []
    until: Written | None = None  # of the run, the one that ended last
    for writer, number in spans:
        if until is None or begins_after(writer, until):
            runs.append((number, writer))
            until = writer
            continue
        first, most = runs[-1]
        runs[-1] = (first, max(most, writer, key=lambda w: last(w).energy[key].joules))
        until = max(until, writer, key=ends)
    return runs


def _filled(key: str, writers: Sequence[Written], lasted: float) -> tuple[Energy, float]:
    """What was metered, of hosts with what was missed, and the seconds that it is of."""
    first, *others = writers
    whole, covered = last(first).energy[key], last(first).elapsed
    for writer in others:
        whole, covered = whole.plus(last(writer).energy[key]), covered + last(writer).elapsed
    if lasted - covered > max(_EARLY * lasted, _EARLY_SECONDS):
        whole, covered = replace(whole, gap=whole.gap + lasted - covered), lasted
    seen = max(covered - whole.gap, 0.0)
    if whole.component == "device" or not 0 < whole.gap <= covered / 2:
        return whole, seen
    return replace(whole, joules=whole.joules * covered / seen), covered
