"""The ledger as metrics of Prometheus: counters of jobs, gauges of the ledger and of budgets.

Names and units follow prometheus.io/docs/practices/naming: base units, ``_total`` on counters.
``costcalc_job_…_total`` never fall: what a correction takes back they wait out.  What the ledger
says now, by state and by what metered it, are the gauges ``costcalc_ledger_…``.  Labels are
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from costcalc import __version__
from costcalc.base.errors import CostcalcError, MissingExtraError
from costcalc.fleet.budgets import used
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.counting import OTHER, count, kept
from costcalc.fleet.freshening import freshen
from costcalc.fleet.kinds import HOUR, KWH
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import Reach, reach
from costcalc.fleet.period import month_of
from costcalc.fleet.sums import NONE
from costcalc.fleet.tables import imports, sums

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_CARBON = "CO2e of electricity, by location, and of making the hardware"
Value = Callable[[Mapping[str, object]], float | None]
Log = Callable[[str], None]
_NUMBERS = re.compile(r"\d+")


class Collector:
    """What a scrape of the ledger gives."""

    def __init__(self, ledger: Ledger, cluster: Cluster, log: Log = lambda _: None) -> None:
        self.ledger, self.cluster, self._log = ledger, cluster, log
        self._faults: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        """Every metric; where the database does not answer, that alone is said, and why is logged:
        each reason once, until it answers again."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        yield InfoMetricFamily("costcalc_build", "The exporter.", {"version": __version__})
        try:
            found = list(self._found())
        except CostcalcError as error:
            found = []
            self._down(str(error).splitlines()[0])
        else:
            self._back()
        up = "Whether the ledger's database answered."
        yield GaugeMetricFamily("costcalc_ledger_up", up, 1.0 if found else 0.0)
        yield from found

    def _down(self, why: str) -> None:
        kind = _NUMBERS.sub("", why)  # a port or a process differs from scrape to scrape
        if kind not in self._faults:
            self._log(f"costcalc_ledger_up is 0: {why}")
        self._faults.add(kind)

    def _back(self) -> None:
        if self._faults:
            self._log("costcalc_ledger_up is 1: the ledger answers again")
        self._faults.clear()

    def _found(self) -> Iterator[Metric]:
        freshen(self.ledger)
        currency = self.ledger.about("currency").lower()  # of what stands there now
        counted = count(self.ledger)
        with self.ledger.reading() as connection:
            rows = _rows(connection)
            done = connection.execute(select(func.max(imports.c.ended))).scalar()
            out = connection.execute(select(func.sum(imports.c.refused))).scalar()
        yield from self._counted(counted, currency)
        yield from self._ledger(rows, currency)
        known = reach(self.ledger)
        last = known and known.end
        yield from self._budgets(known)
        yield _gauge(
            "costcalc_ledger_last_job_end_timestamp_seconds", "When its last job ended.", last
        )
        yield _gauge("costcalc_ledger_last_import_timestamp_seconds", "When an import ended.", done)
        yield _counter("costcalc_import_refused_rows", "Rows that imports refused.", out)

    def _counted(self, rows: Sequence[Mapping[str, object]], currency: str) -> Iterator[Metric]:
        """What has been counted of each account and partition, which never falls."""
        from prometheus_client.core import CounterMetricFamily

        told: tuple[tuple[str, str, str, float], ...] = (
            ("costcalc_jobs", "Attempts of jobs", "jobs", 1.0),
            ("costcalc_job_device_seconds", "Time that devices were held", "device_hours", HOUR),
            ("costcalc_job_energy_joules", "Energy of the facility", "energy", KWH),
            (f"costcalc_job_cost_{currency}", "Money", "cost", 1.0),
            ("costcalc_job_carbon_gco2e", _CARBON, "carbon_total", 1000.0),
            ("costcalc_job_water_liters", "Water on site and at power plants", "water", 1.0),
        )
        for name, words, column, factor in told:
            family = CounterMetricFamily(name, f"{words}; stands until corrections are made up "
                                         "for.", labels=("account", "partition"))  # fmt: skip
            for row in rows:
                if row[column] is not None:  # what is known of none of these jobs has no series
                    labels = (str(row["account"]), str(row["partition"]))
                    family.add_metric(labels, float(str(row[column])) * factor)
            yield family

    def _ledger(self, rows: Sequence[Mapping[str, object]], currency: str) -> Iterator[Metric]:
        """What the ledger says now, which a correction may make less."""
        from prometheus_client.core import GaugeMetricFamily

        own = kept(rows)
        where, whole = ("account", "partition"), ("account", "partition", "state")
        told: tuple[tuple[str, str, tuple[str, ...], Value], ...]
        told = (
            ("jobs", "Attempts of jobs", whole, lambda r: _of(r, "jobs")),
            ("device_seconds", "Time that devices were held", whole,
             lambda r: _known(r, "device_hours", HOUR)),
            ("energy_joules", "Energy of the facility", (*where, "basis"),
             lambda r: _known(r, "energy", KWH * _of(r, "of_basis"))),
            (f"cost_{currency}", "Money", where, lambda r: _known(r, "cost")),
            ("carbon_gco2e", _CARBON, where, lambda r: _known(r, "carbon_total", 1000.0)),
            ("water_liters", "Water on site and at power plants", where,
             lambda r: _known(r, "water")),
            ("jobs_unpriced", "Attempts whose cost is not known", where,
             lambda r: _of(r, "jobs") - _of(r, "n_cost")),
        )  # fmt: skip
        for name, words, labels, value in told:
            family = GaugeMetricFamily(
                f"costcalc_ledger_{name}", f"{words}, as the ledger says now.", labels=labels
            )
            added: dict[tuple[str, ...], float] = {}
            for row in _by_basis(rows) if "basis" in labels else rows:
                account = str(row["account"] or NONE)
                key = (account if account in own else OTHER, *[_label(row, n) for n in labels[1:]])
                number = value(row)
                if number is not None:
                    added[key] = added.get(key, 0.0) + number
            for key, total in sorted(added.items()):
                family.add_metric(key, total)
            yield family

    def _budgets(self, known: Reach | None) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        if known is None or not self.cluster.fleet.budgets:
            return
        from costcalc.decide.clock import zone

        month = month_of(known.until, zone(self.cluster.fleet.timezone))
        found = used(self.ledger, self.cluster, (month,), known.until, known.first)
        labels = ("account", "of", "length")
        families = {
            "used": "Share of a budget that jobs used; idle nodes are not in it.",
            "forecast": "Share of a budget that jobs will have used at its period's pace.",
            "elapsed": "Share of a budget's period that is over.",
        }
        for kind, words in families.items():
            family = GaugeMetricFamily(f"costcalc_budget_{kind}_ratio", words, labels=labels)
            for one, budget in zip(found, _lengths(self.cluster, found), strict=True):
                value = {
                    "used": one.share,
                    "forecast": None if one.forecast is None else one.forecast.value / one.budget,
                    "elapsed": one.elapsed,
                }[kind]
                if value is not None:
                    family.add_metric((one.account or "(all)", one.of, budget), value)
            yield family


def _lengths(cluster: Cluster, found: Sequence[object]) -> list[str]:
    """The length of each budget's period: month, quarter, year."""
    made: list[str] = []
    for budget in cluster.fleet.budgets:
        said = (budget.cost, budget.energy, budget.carbon, budget.device_hours)
        made += [budget.period] * sum(value is not None for value in said)
    assert len(made) == len(found)
    return made


def _rows(connection: Connection) -> list[Mapping[str, object]]:
    figures = ("device_hours", "energy", "cost", "carbon_total", "water")
    names = ("jobs", *figures, *(f"n_{name}" for name in figures), "metered", "energy_it")
    basis = sums.c.meter.is_not(None).label("by_meter")
    keys = (sums.c.account, sums.c.partition, sums.c.state, basis)
    asked = select(*keys, *[func.sum(sums.c[n]).label(n) for n in names]).group_by(*keys)
    return [dict(row) for row in connection.execute(asked).mappings()]


def _by_basis(rows: Sequence[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """The rows, in two where a meter saw a part: one of boards alone saw no host.

    ``of_basis``: the share of the energy that is by this basis.
    """
    for row in rows:
        whole = _of(row, "energy_it")
        seen = min(_of(row, "metered") / whole, 1.0) if row["by_meter"] and whole else 0.0
        for basis, share in (("measured", seen), ("modelled", 1.0 - seen)):
            if share > 1e-9:  # what is left of a sum of floats is no part
                yield {**row, "basis": basis, "of_basis": share}


def _of(row: Mapping[str, object], name: str) -> float:
    return float(str(row[name] or 0.0))


def _known(row: Mapping[str, object], name: str, factor: float = 1.0) -> float | None:
    """A sum, None where the figure is known of no job in it."""
    return _of(row, name) * factor if _of(row, f"n_{name}") else None


def _label(row: Mapping[str, object], name: str) -> str:
    return str(row[name] or NONE)


def _gauge(name: str, words: str, value: object) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, words, None if value is None else float(str(value)))


def _counter(name: str, words: str, value: object) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, words, float(str(value or 0)))


def registry(ledger: Ledger, cluster: Cluster, log: Log = lambda _: None) -> CollectorRegistry:
    """A registry that holds the ledger's metrics and no others.

    ``log`` is told why the ledger does not answer, and when it does again.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise MissingExtraError("the exporter", "prometheus-client", "fleet") from error
    made = CollectorRegistry(auto_describe=False)
    made.register(Collector(ledger, cluster, log))
    return made


def serve(
    ledger: Ledger, cluster: Cluster, host: str, port: int, log: Log = lambda _: None
) -> None:
    """Answer scrapes until interrupted; ``log`` as in :func:`registry`.

    Raises:
        InputError: the port cannot be had.
    """
    import threading

    from costcalc.base.errors import wrong

    held = registry(ledger, cluster, log)
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, addr=host, registry=held)
    except OSError as error:
        raise wrong("--port", f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        threading.Event().wait()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
