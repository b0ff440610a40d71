"""A source into the ledger: in batches, each whole; what is refused is listed with its reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, insert, update

from costcalc.base.human import number_of
from costcalc.fleet import unnamed
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.counting import settle
from costcalc.fleet.entering import Counted, enter, parts, with_readings
from costcalc.fleet.facts import Facts, Refused, cleaned, pseudonym
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.nobodys import of_nobody
from costcalc.fleet.owning import parts_first
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.standing import Clusters, clusters_of, weigh
from costcalc.fleet.tables import imports, refused

BATCH = 5_000
SHOWN = 20  # refusals that are kept at hand to be printed; the ledger has them all


@dataclass(slots=True)
class Taken:
    """What came of an import; ``notes``: what else its reader has to know."""

    counted: Counted = field(default_factory=Counted)
    refused: int = 0
    shown: list[Refused] = field(default_factory=list)
    lacking: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def plus(self, counted: Counted, out: Sequence[Refused]) -> None:
        """A further batch: what was counted of it, and what was refused."""
        self.add(Taken(counted, len(out), list(out)))

    def add(self, other: Taken) -> None:
        """What came of a further import."""
        self.counted.plus(other.counted)
        self.refused += other.refused
        self.shown += other.shown[: SHOWN - len(self.shown)]
        self.lacks(other.lacking)
        self.notes += [note for note in other.notes if note not in self.notes]

    def lacks(self, fields: Mapping[str, int]) -> None:
        """What rows left out that the ledger has of them, and of how many."""
        for name, number in fields.items():
            self.lacking[name] = self.lacking.get(name, 0) + number

    def lines(self) -> list[str]:
        """What is said of it."""
        found = self.counted
        told = (
            f"{number_of(found.added, 'job')} added, {found.corrected} corrected, "
            f"{found.known} known already, "
            f"{number_of(self.refused, 'row')} refused"
        )
        rows = [
            f"  {f'line {one.line}: ' if one.line else ''}{one.row}: {one.why}"
            for one in self.shown
        ]
        more = self.refused - len(self.shown)
        rest = [f"  … and {more} more: costcalc fleet check --refused"] if more > 0 else []
        kept = ", ".join(f"{name} of {number:,}" for name, number in sorted(self.lacking.items()))
        left = f"left out by the source, and kept as the ledger had it: {kept}"
        return [told, *rows, *rest, *([left] if kept else []), *self.notes]


def take(
    ledger: Ledger,
    cluster: Cluster,
    stream: Iterable[Facts | Refused],
    *,
    source: str,
    name: str,
    until: float | None = None,
) -> Taken:
    """Every attempt of a stream into the ledger.

    ``until``: the moment to which the stream tells all jobs, where its source was asked.

    A stream that breaks leaves what came before it, which importing again finds known.

    Raises:
        InputError: the stream breaks, or the database does.
    """
    ledger.counts_in(cluster.fleet.currency)
    pricing, taken, number = Pricing(cluster), Taken(), begun(ledger, source, name)
    secret = ledger.about("secret") if cluster.fleet.privacy.users == "hash" else None
    with ledger.reading() as connection:
        clusters = clusters_of(connection, cluster.fleet.name or "")
    of: Counter[tuple[str | None, str | None]] = Counter()
    for batch in parts(map(cleaned, stream), BATCH):
        told = [one for one in batch if isinstance(one, Facts)]
        if secret is not None:
            told = [replace(f, user=pseudonym(f.user, secret)) if f.user else f for f in told]
        out = [one for one in batch if isinstance(one, Refused)]
        of.update((one.partition, one.account) for one in told)
        _batch(ledger, pricing, told, out, number, taken, clusters)
    ended(ledger, number, until)
    settle(ledger)
    taken.notes += pricing.notes
    taken.notes += unnamed.told(cluster.fleet, ((*pair, jobs) for pair, jobs in of.items()))
    with ledger.reading() as connection:
        taken.notes += of_nobody(connection, cluster.fleet)
    return taken


def begun(ledger: Ledger, source: str, name: str) -> int:
    """The number of an import that begins."""
    with ledger.writing() as connection:
        row = insert(imports).values(source=source, name=name, began=time.time())
        return int(connection.execute(row.returning(imports.c.id)).scalar_one())


def note(connection: Connection, number: int, counted: Counted, out: Sequence[Refused]) -> None:
    """What a batch of an import came to: the rows that were refused, and how many were taken."""
    if out:
        rows = [
            {"import_id": number, "line": one.line, "row": one.row, "why": one.why} for one in out
        ]
        connection.execute(insert(refused), rows)
    connection.execute(
        update(imports)
        .where(imports.c.id == number)
        .values(
            added=imports.c.added + counted.added,
            corrected=imports.c.corrected + counted.corrected,
            known=imports.c.known + counted.known,
            refused=imports.c.refused + len(out),
        )
    )


def ended(ledger: Ledger, number: int, until: float | None = None) -> None:
    """An import is through; ``until``: it told all jobs to that moment."""
    values = {"ended": time.time(), "until": until}
    with ledger.writing() as connection:
        connection.execute(update(imports).where(imports.c.id == number).values(values))


def _batch(
    ledger: Ledger,
    pricing: Pricing,
    facts: list[Facts],
    out: list[Refused],
    number: int,
    taken: Taken,
    clusters: Clusters,
) -> None:
    """One batch: read, costed, compared and written in one transaction."""
    keep_users = pricing.fleet.privacy.users == "keep"
    with ledger.writing() as connection:
        ledger.counting_in(connection, pricing.fleet.currency)
        weighed = weigh(connection, facts, keep_users=keep_users, clusters=clusters)
        entered = parts_first(connection, weighed.facts)
        priced = pricing.rows(with_readings(connection, entered))
        counted = enter(connection, priced, number)
        # rows of one attempt in a batch; a job that its parts are counted of is none
        counted.known += len(facts) - len(weighed.facts) - len(weighed.refused)
        taken.notes += [
            f"{one.job}: {one.why}" for one in entered if one.had and one not in weighed.facts
        ]
        out = [*out, *weighed.refused]
        note(connection, number, counted, out)
    taken.plus(counted, out)
    taken.lacks(weighed.lacking)
