"""Periods, and the cells of a report: at their bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from fleet_byhand import cluster, imported, line, memory

from costcalc.base.errors import InputError
from costcalc.fleet import counting
from costcalc.fleet.charging import LAID_ON, Charge
from costcalc.fleet.freshening import freshen
from costcalc.fleet.period import around, month_of, period
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.sums import Figure, Group
from costcalc.fleet.told import _borne, columns, lines

DAY = 86400.0


def moment(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "name", "months", "days"),
    [
        ("2026-02", "2026-02", ("2026-02",), 28),
        ("2028-02", "2028-02", ("2028-02",), 29),
        (" 2026-12 ", "2026-12", ("2026-12",), 31),
        ("2026-q1", "2026-Q1", ("2026-01", "2026-02", "2026-03"), 31 + 28 + 31),
        ("2026-Q4", "2026-Q4", ("2026-10", "2026-11", "2026-12"), 31 + 30 + 31),
        ("2026", "2026", tuple(f"2026-{n:02d}" for n in range(1, 13)), 365),
        ("1970", "1970", tuple(f"1970-{n:02d}" for n in range(1, 13)), 365),
    ],
)
def test_which_months_a_period_has(
    text: str, name: str, months: tuple[str, ...], days: int
) -> None:
    found = period(text)
    assert (found.name, found.months, found.seconds) == (name, months, days * DAY)
    year, month = (int(part) for part in months[0].split("-"))
    assert (found.start, found.end) == (moment(year, month, 1), moment(year, month, 1) + days * DAY)


@pytest.mark.parametrize(
    "text", ["1969", "1969-12", "2026-13", "2026-00", "2026-Q5", "26", "x" * 50]
)
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(InputError) as caught:
        period(text)
    assert str(caught.value) == (f'--month: expected 2026-10, 2026-Q4 or 2026; got "{text[:40]}"')


@pytest.mark.parametrize(
    ("month", "length", "name"),
    [
        ("2026-01", "month", "2026-01"), ("2026-01", "quarter", "2026-Q1"),
        ("2026-03", "quarter", "2026-Q1"), ("2026-04", "quarter", "2026-Q2"),
        ("2026-12", "quarter", "2026-Q4"), ("2026-12", "year", "2026"),
    ],
)  # fmt: skip
def test_the_period_around_a_month(month: str, length: str, name: str) -> None:
    found = around(month, length)
    assert found == period(name)
    assert month in found.months


def test_a_month_begins_by_the_clock_of_the_place() -> None:
    east = timezone(timedelta(hours=2))
    last = moment(2026, 10, 31, 22, 0)  # midnight two hours east
    assert (month_of(last, UTC), month_of(last, east)) == ("2026-10", "2026-11")
    assert month_of(last - 1, east) == "2026-10"
    assert period("2026-11", east).start == last


# --- cells ---------------------------------------------------------------------------------------


def figures(unknown: int = 0, value: float = 2.0) -> dict[str, Figure]:
    return {
        name: Figure(value, value, value, unknown) for name in ("cost", "energy", "carbon_total")
    }


@pytest.mark.parametrize(
    ("group", "shown"),
    [
        # 3 of 12 device-hours for nothing, half of 8 seen hours trained; 1 of 2 kWh metered
        (Group(key=(), jobs=1200, device_hours=12.0, measured=1.0, seen=8.0, trained=4.0,
               figures={**figures(), "energy_it": Figure(2.0, 2.0, 2.0)},
               waste={"failed": {"device_hours": 1.0}, "timeout": {"device_hours": 2.0}}),
         ["1,200", "12.0", "2.00 USD", "2.00 kWh", "2.00 kgCO2e", "50 %", "50 %", "25 %"]),
        # hours that are known of three jobs alone; no figure of any
        (Group(key=(), jobs=4, device_hours=12.0, hours_unknown=1, figures=figures(unknown=4)),
         ["4", "12.0 + ?", "unknown", "unknown", "unknown", "-", "unknown", "0.0 %"]),
        (Group(key=(), jobs=2, figures=figures(unknown=1)),
         ["2", "0", "2.00 USD + ?", "2.00 kWh + ?", "2.00 kgCO2e + ?", "-", "unknown", "-"]),
    ],
)  # fmt: skip
def test_the_cells_of_a_group(group: Group, shown: list[str]) -> None:
    assert lines(group, "USD") == shown


def charge(unknown: int) -> Charge:
    idle = {name: Figure(3.0, 3.0, 3.0) for name in ("cost", "energy")}
    names = [name for names in LAID_ON.values() for name in names]
    whole = {name: Figure(5.0 + n, 5.0, 5.0, unknown) for n, name in enumerate(names)}
    return Charge((), idle, whole, 2)


def test_what_a_group_bears_of_idle_nodes() -> None:
    one = Group(key=(), jobs=2)
    # cost, energy, CO2e and water of idle nodes; then in all cost, energy, total CO2e and water
    assert _borne(one, charge(unknown=1)) == [3.0, 3.0, None, None, 5.0, 6.0, 8.0, 9.0]
    assert _borne(one, charge(unknown=2)) == [3.0, 3.0, None, None, None, None, None, None]
    assert _borne(Group(key=()), charge(unknown=0))[4:] == [5.0, 6.0, 8.0, 9.0]  # it ran no job
    assert _borne(one, None) == [None] * 8
    month: Any = SimpleNamespace(sums=SimpleNamespace(by=("account",)))
    head = columns(month)
    assert head[-10:] == [
        "idle_cost", "idle_energy", "idle_carbon_operational", "idle_water", "charged_cost",
        "charged_energy", "charged_carbon_total", "charged_water", "energy_by_hours",
        "energy_by_year",
    ]  # fmt: skip


# --- more than there is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "cpus", "nodes", "why"),
    [
        (16.0, 128.0, 2, ""),  # all of two nodes of 8 devices and 64 processors
        (16.0000005, 128.0, 2, ""),  # slices that add up to it
        (16.01, 128.0, 2, "more devices than its nodes have (partitions.gpu.per_node)"),
        (16.0, 128.5, 2, "more processors than its nodes have (partitions.gpu.cpus)"),
        (None, None, 2, ""),
        (99.0, 999.0, None, ""),  # how many nodes is not known
    ],
)
def test_what_a_job_holds_more_than_its_nodes_have(
    devices: float | None, cpus: float | None, nodes: int | None, why: str
) -> None:
    made = Pricing(cluster("partitions: {gpu: {per_node: 8, cpus: 64}}\n"))
    one: Any = SimpleNamespace(partition="gpu", nodes=nodes, cpus=cpus)
    held: Any = SimpleNamespace(devices=devices)
    assert made._crowded(one, held) == why
    nothing = Pricing(cluster("partitions: {gpu: {accelerator: h100-sxm5-80}}\n"))
    assert nothing._crowded(one, held) == ""


# --- counters ------------------------------------------------------------------------------------


def test_only_what_is_more_than_was_counted_is_written() -> None:
    with memory() as ledger:
        imported(ledger, cluster(), line(JobID="1"))
        freshen(ledger)
        (counted,) = counting.count(ledger)
        assert counted["device_hours"] == 4 * 2  # four devices, two hours
        with ledger.reading() as connection:
            before = counting._held(connection)
            assert counting._higher(connection, before) == {}
            (place,) = before
            stands, values = before[place]
            less = {place: (stands, {**values, "device_hours": 7.0})}
            more = {place: (stands, {**values, "device_hours": 9.0})}
            assert counting._higher(connection, less) == {place: values}
            assert counting._higher(connection, more) == {}
            assert counting._higher(connection, {}) == {place: values}
