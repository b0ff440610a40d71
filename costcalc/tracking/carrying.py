"""What a checkpoint carries of a job: the totals of its attempts, as of this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.tracking.attempts import last
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import Totals, carried, shared, totals
from costcalc.tracking.records import Attempt, Counts, of_checkpoint

if TYPE_CHECKING:
    from costcalc.tracking.plan import Plan


def by_now(looked: tuple[Totals, Written] | None, now: Written, plan: Plan) -> Iterator[Attempt]:
    """The attempts as the thread saw them last, with our own counts since; no file is read.

    ``looked`` is what was seen, and our own record at that moment.
    """
    if looked is None:
        yield from map(carried, totals([now], layout=plan.layout).attempts)
        return
    whole, then = looked
    *before, current = map(carried, whole.attempts)
    known = {item.id for item in before}
    yield from (item for item in now.start.earlier if item.id not in known)
    yield from before
    yield _gone_on(current, then, now, shared(plan.layout))


def _gone_on(attempt: Attempt, then: Written, now: Written, parts: int) -> Attempt:
    """The attempt with what this process did since, the other ranks taken to have done as much."""
    old, new = last(then), last(now)
    seconds = new.elapsed - old.elapsed
    times = attempt.world / min(parts, attempt.world)
    was = attempt.counts
    counts = Counts(
        steps=max(was.steps, new.steps),
        timed=was.timed + new.timed - old.timed,
        busy=was.busy + new.busy - old.busy,
        tokens=new.total_tokens or _more(was.tokens, old.tokens, new.tokens, times),
        samples=_more(was.samples, old.samples, new.samples, times),
        gaps=was.gaps,
        notes=was.notes,
        pauses=new.pauses,
    )
    on = 1 + seconds / attempt.elapsed if attempt.elapsed > 0 else 1.0
    energy = {
        key: replace(
            item,
            joules=item.joules * (1.0 if item.component == "device" else on),
            gap=item.gap + seconds,
        )
        for key, item in attempt.energy.items()
    }
    return replace(
        attempt,
        elapsed=attempt.elapsed + seconds,
        unseen=attempt.unseen + attempt.held * seconds,
        counts=counts,
        energy=energy,
    )


def _more(whole: float | None, old: float | None, new: float | None, times: float) -> float | None:
    return whole if new is None else (whole or 0.0) + (new - (old or 0.0)) * times


def together(known: Sequence[Attempt], brought: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Attempts of two checkpoints, or of one that is read twice: each once."""
    ids = {item.id for item in known}
    return (*known, *(item for item in brought if item.id not in ids))


def of_state(state: Mapping[str, object]) -> list[Attempt]:
    """The attempts of a checkpoint, also of one that an earlier version wrote.

    Raises:
        TypeError: they are no list.
        ValueError: one is no attempt.
    """
    name = "records" if "attempts" not in state else "attempts"
    found = state.get(name) or ()
    if not isinstance(found, (list, tuple)):
        raise TypeError(f"expected a list of {name}; got {type(found).__name__}")
    if name == "attempts":
        return [of_checkpoint(item) for item in found]
    written = [w for lines in found if (w := Written.from_lines(lines)).last is not None]
    return [carried(attempt) for attempt in totals(written).attempts] if written else []
