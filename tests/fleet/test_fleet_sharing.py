"""A node's meter shared among its jobs, as Slurm's plugin reads it; processors by the hour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory, rows, total
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base.errors import InputError
from costcalc.fleet import by_prometheus
from costcalc.fleet.checking import check
from costcalc.fleet.importing.prometheus import KNOWN
from costcalc.fleet.importing.prometheus_nodes import of_nodes
from costcalc.fleet.job import attempts, full, paragraph
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import read_meters
from costcalc.fleet.month import of_period
from costcalc.fleet.sharing import Present, shared
from costcalc.fleet.summary import summed
from costcalc.fleet.taking import Taken

SHARED = FLEET.replace(", plugin: exclusive", "")
JOULES = str(2 * 3_600_000 * 5)  # 10 kWh over two hours: the node drew 5 kW


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with memory() as made:
        yield made


def devices(number: int) -> str:
    return f"cpu={8 * number},gres/gpu={number},node=1"


def test_jobs_of_a_node_have_no_more_than_its_meter_says(ledger: Ledger) -> None:
    """Three jobs at once on a node of 8: 4, 2 and 1 devices, and one that nobody has."""
    lines = [line(JobID=str(n), AllocTRES=devices(n), ConsumedEnergyRaw=JOULES) for n in (4, 2, 1)]
    imported(ledger, cluster(SHARED), *lines)
    found = rows(ledger)
    assert [row.metered for row in found] == pytest.approx([5.0, 2.5, 1.25])
    assert total(found, "energy_it") == pytest.approx(8.75)  # of 10: an eighth is idle
    assert [row.part for row in found] == [0.5, 0.25, 0.125]
    assert {row.utilization for row in found} == {None}  # others' boards are in it
    assert paragraph(attempts(ledger, "4"), "USD").endswith(
        "6.00 kWh (metered); 2.30 kg CO2e. It has its devices' part of its nodes' meter; what its "
        "own boards drew is not known."
    )
    report = full(ledger, attempts(ledger, "4"))
    assert report["results"]["energy_it"]["value"] == pytest.approx(5.0)
    assert "50 % of what it says, as of their devices" in str(report["measurement"])


def test_a_whole_node_has_all_of_its_meter(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), line(AllocTRES=devices(8), ConsumedEnergyRaw=JOULES))
    (row,) = rows(ledger)
    assert (row.metered, row.part) == (10.0, 1.0)
    assert row.utilization is not None


def test_what_the_plugin_counts_is_said_by_partition(ledger: Ledger) -> None:
    of_boards = SHARED.replace("nodes: 2}", "nodes: 2, plugin: boards}")
    imported(ledger, cluster(of_boards), line(ConsumedEnergyRaw=JOULES))
    (row,) = rows(ledger)
    assert (row.scope, row.metered, row.part) == ("boards", 10.0, None)
    imported(ledger, cluster(FLEET), line(ConsumedEnergyRaw=JOULES))  # a correction: exclusive
    (row,) = rows(ledger)
    assert (row.scope, row.metered, row.revision) == ("node", 10.0, 1)


def test_a_node_of_unknown_size_is_not_taken(ledger: Ledger) -> None:
    bare = SHARED.replace(" per_node: 8,", "")
    imported(ledger, cluster(bare), line(ConsumedEnergyRaw=JOULES))
    (row,) = rows(ledger)
    assert (row.metered, row.meter) == (None, None)
    assert row.energy > 0
    assert row.why == (
        "its nodes' meter may have other jobs in it: give partitions.NAME.per_node, or plugin"
    )


def test_a_part_is_taken_once_however_often_the_row_is_costed(ledger: Ledger) -> None:
    """A report that names the model alone costs the row anew from what the ledger keeps."""
    from costcalc.fleet.metering import Reading, read_meters

    imported(ledger, cluster(SHARED), line(JobID="7", ConsumedEnergyRaw=JOULES))
    named = Reading(
        source="report", cluster="", job="7", meter="costcalc track", scope="node", joules=None,
        seconds=None, model="vit-b-16",
    )  # fmt: skip
    read_meters(ledger, cluster(SHARED), iter([named]), source="reports", name="x")
    (row,) = rows(ledger)
    assert (row.model, row.metered, row.part) == ("vit-b-16", 5.0, 0.5)


# --- processors ----------------------------------------------------------------------------------

PRICED = SHARED + "  cpu: {cpus: 64, cpu_hour: 0.02 USD}\n"
CPU = {"Partition": "cpu", "AllocTRES": "cpu=16,mem=32G,node=1", "NCPUS": "16"}


def test_processors_cost_by_the_hour(ledger: Ledger) -> None:
    text = PRICED.replace("accounts:\n", "accounts:\n  biology: {cpu_hour: 0.01 USD}\n")
    imported(
        ledger,
        cluster(text),
        line(JobID="1", **CPU),
        line(JobID="2", Account="biology", **CPU),
        line(JobID="3", ConsumedEnergyRaw=JOULES, **CPU),
        line(JobID="4"),
    )
    one, two, three, four = rows(ledger)
    assert (one.cost, two.cost, three.cost) == (16 * 2 * 0.02, 16 * 2 * 0.01, 16 * 2 * 0.02)
    assert one.why == "no accelerator, and no meter: its energy is not known"
    assert three.energy_it == pytest.approx(2.5)  # 16 of 64 processors: a quarter of 10 kWh
    assert three.why is None
    whole = summed(ledger, ["2026-10"], ("partition",))
    figure = whole.total.figures["cost"]
    assert figure.value == pytest.approx(0.64 + 0.32 + 0.64 + four.cost)
    assert (figure.low, figure.high, figure.unknown) == (figure.value, figure.value, 0)
    cpu = next(group for group in whole.groups if group.key == ("cpu",))
    assert (cpu.figures["cost"].low, cpu.figures["cost"].value) == (1.6, 1.6)


def test_a_new_price_of_processors_supersedes(ledger: Ledger) -> None:
    imported(ledger, cluster(PRICED), line(**CPU))
    again = imported(ledger, cluster(PRICED), line(**CPU))
    assert again.counted.known == 1
    dearer = imported(ledger, cluster(PRICED.replace("0.02", "0.03")), line(**CPU))
    assert dearer.counted.corrected == 1
    assert rows(ledger)[0].cost == pytest.approx(0.96)


def test_a_price_of_processors_is_in_the_ledgers_money() -> None:
    with pytest.raises(InputError) as error:
        cluster(PRICED.replace("0.02 USD", "0.02 EUR"))
    assert "partitions.cpu.cpu_hour: expected USD, the ledger's currency; got EUR" in str(
        error.value
    )


# --- nodes' meters, step by step -----------------------------------------------------------------

EDGES = np.linspace(0.0, 3600.0, 61)


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 3700), st.floats(-100, 3700), st.floats(0, 8),
            st.none() | st.floats(0, 2e4),
        ),
        min_size=1, max_size=6,
    ),
    st.lists(st.floats(0, 5e5) | st.just(math.nan), min_size=60, max_size=60),
)  # fmt: skip
def test_jobs_never_have_more_than_the_node_drew(
    jobs: list[tuple[float, float, float, float | None]], joules: list[float]
) -> None:
    present = [
        Present(start=min(a, b), end=max(a, b), devices=d, watts=w) for a, b, d, w in jobs
    ]  # fmt: skip
    made = shared(EDGES, np.array(joules), present, 8.0)
    assert made.given <= made.whole * (1 + 1e-12)
    assert (made.joules >= 0).all()
    assert made.whole == pytest.approx(sum(j for j in joules if math.isfinite(j)))


def test_a_job_with_a_meter_of_its_own_has_what_it_draws_and_others_the_rest() -> None:
    """An hour at 4 kW: one of 4 devices draws 3 kW by its own meter; one of 2 has half of the
    rest, as 4 devices are left; the other half is idle."""
    joules = np.full(60, 4_000.0 * 60)
    own = Present(start=0, end=3600, devices=4, watts=3_000.0)
    other = Present(start=0, end=1800, devices=2)
    made = shared(EDGES, joules, [own, other], 8.0)
    assert made.joules.tolist() == pytest.approx([3_000 * 3600, 500 * 1800])
    assert made.capped.tolist() == [False, False]
    dear = Present(start=0, end=3600, devices=4, watts=6_000.0)
    capped = shared(EDGES, joules, [dear, other], 8.0)
    assert capped.joules.tolist() == pytest.approx([4_000 * 3600, 0.0])
    assert capped.capped.tolist() == [True, False]


class Fake:
    """Answers as a Prometheus does: a gauge of watts by node, from and to some times."""

    def __init__(self, nodes: Mapping[str, tuple[float, float, float]]) -> None:
        self.nodes = nodes

    def ask(self, path: str, **values: Any) -> Any:
        result = []
        for node, (watts, first, last) in self.nodes.items():
            if f'"({node})' in values["query"]:
                times = np.arange(values["start"], values["end"] + 1, values["step"])
                points = [[float(t), str(watts)] for t in times if first <= t <= last]
                result.append({"metric": {"instance": f"{node}:9290"}, "values": points})
        return {"result": [one for one in result if one["values"]]}


class Server(Fake):
    """One that has series of boards and of nodes, and nothing in those of boards."""

    shown = "http://fake"

    def names(self) -> set[str]:
        return {"DCGM_FI_DEV_POWER_USAGE", "ipmi_dcmi_power_consumption_watts"}


START, HOUR_ = 1_791_194_400.0, 3_600.0  # 2026-10-05T10:00 UTC


def shared_of(
    ledger: Ledger,
    text: str,
    nodes: Mapping[str, tuple[float, float, float]],
    since: float | None = None,
) -> Taken:
    guests = by_prometheus._guests(ledger, cluster(text), since)
    sizes = by_prometheus._sizes(cluster(text), guests)
    known = [one for one in KNOWN if one.name == "ipmi_dcmi_power_consumption_watts"]
    stream = of_nodes(Fake(nodes), guests, sizes, known, since=since)  # type: ignore[arg-type]
    return read_meters(ledger, cluster(text), stream, source="prometheus", name="fake")


UTC_ = SHARED.replace("Europe/Berlin", "UTC")


def test_who_looks_at_the_last_jobs_takes_nothing_from_those_beside_them(ledger: Ledger) -> None:
    """Half of 4 kW for an hour, a quarter for two: 4 of 96 kWh; the first had ended before."""
    imported(
        ledger,
        cluster(UTC_),
        line(JobID="1", AllocTRES=devices(4), End="2026-10-05T11:00:00", ElapsedRaw="3600"),
        line(JobID="2", AllocTRES=devices(2)),
        line(JobID="3", AllocTRES=devices(2), Submit="2026-10-01T10:00:00",
             Start="2026-10-01T10:00:00", End="2026-10-01T12:00:00"),
    )  # fmt: skip
    day = START - 10 * HOUR_
    node = {"gpu01": (4_000.0, day, day + 86_400)}
    told = "meters of 1 node: 96.0 kWh, of which jobs have 4.00 kWh; 92.0 kWh idled"
    for since in (START + 1.5 * HOUR_, None, START + 1.5 * HOUR_):
        taken = shared_of(ledger, UTC_, node, since)
        assert check(ledger).nodes == told
        one, two, three = sorted(rows(ledger), key=lambda row: row.job)
        assert two.metered == pytest.approx(2.0)
        assert three.metered is None
        assert taken.refused == (since is None)  # no meter saw the third
    assert one.metered == pytest.approx(2.0)


def test_whom_no_node_is_known_of_is_told_what_its_boards_lack(ledger: Ledger) -> None:
    imported(
        ledger,
        cluster(UTC_),
        line(JobID="1", NodeList="", AllocTRES=devices(4)),
        line(JobID="2", NodeList="gpu02", AllocTRES=devices(4)),
    )
    taken = by_prometheus.from_prometheus(ledger, cluster(UTC_), Server({}), None)  # type: ignore[arg-type]
    boards = "no series of it, by job or by node"
    assert sorted((one.row, one.why) for one in taken.shown) == [
        ("1", boards),
        ("2", f"{boards}; its nodes' meters cover 0 % of its time"),
    ]
    assert taken.refused == 2


def test_devices_are_no_part_of_a_nodes_processors(ledger: Ledger) -> None:
    """4 devices on a node of 64 processors, and nobody says how many devices it has."""
    text = UTC_.replace("per_node: 8", "cpus: 64")
    assert "cpus: 64" in text
    imported(ledger, cluster(text), line(JobID="1", AllocTRES=devices(4)))
    day = START - 10 * HOUR_
    taken = shared_of(ledger, text, {"gpu01": (4_000.0, day, day + 86_400)})
    (one,) = rows(ledger)
    assert (one.metered, one.part) == (None, None)
    (refused,) = taken.shown
    assert refused.why == "its nodes' size is not said: partitions.gpu.per_node"


def test_a_nodes_meter_goes_to_its_jobs_and_the_rest_is_idle(ledger: Ledger) -> None:
    imported(
        ledger,
        cluster(UTC_),
        line(JobID="1", AllocTRES=devices(4)),
        line(JobID="2", AllocTRES=devices(2), End="2026-10-05T11:00:00", ElapsedRaw="3600"),
        line(JobID="3", NodeList="gpu02", AllocTRES=devices(8)),
        line(JobID="4", Partition="new", NodeList="gpu03", AllocTRES="gres/gpu:h100=4,node=1"),
    )
    day = START - 10 * HOUR_
    taken = shared_of(
        ledger, UTC_,
        {"gpu01": (4_000.0, day, day + 86_400), "gpu02": (6_000.0, START, START + HOUR_)},
    )  # fmt: skip
    one, two, three, four = sorted(rows(ledger), key=lambda row: row.job)
    # half of 4 kW for 2 h, a quarter for one; a day of 4 kW is 96 kWh, of which they have 5
    assert (one.metered, two.metered) == (pytest.approx(4.0), pytest.approx(1.0))
    assert (one.part, two.part, one.meter) == (
        0.5, 0.25, "ipmi_dcmi_power_consumption_watts (Prometheus, part of its nodes)"
    )  # fmt: skip
    assert three.meter is None  # seen for an hour of two
    assert [r.why for r in taken.shown] == [
        "its nodes' meters cover 50 % of its time",
        "its nodes' size is not said: partitions.new.per_node",
    ]
    assert four.meter is None
    (gpu, _) = of_period(ledger, cluster(UTC_), "2026-10").idle
    assert gpu.metered > 0
    assert (
        check(ledger).nodes
        == "meters of 2 nodes: 102 kWh, of which jobs have 11.0 kWh; 91.0 kWh idled"
    )
    again = shared_of(ledger, UTC_, {"gpu01": (4_000.0, day, day + 86_400)})
    assert again.counted.known == 2
    assert again.counted.corrected == 0


def test_what_idled_by_meters(ledger: Ledger) -> None:
    """One node of the partition, metered for the whole of what the ledger knows: 24 h at 4 kW."""
    text = UTC_.replace("nodes: 2}", "nodes: 1}").replace(" pue: 1.2,", " pue: 1,")
    day = START - 10 * HOUR_
    imported(
        ledger, cluster(text),
        line(Start="2026-10-05T00:00:00", End="2026-10-06T00:00:00", ElapsedRaw="86400"),
    )  # fmt: skip
    shared_of(ledger, text, {"gpu01": (4_000.0, day, day + 86_400)})
    (gpu, _) = of_period(ledger, cluster(text), "2026-10").idle
    assert gpu.metered == pytest.approx(1.0)
    assert gpu.figures["energy_it"].value == pytest.approx(48.0)  # 96 kWh, half of it the job's
    assert rows(ledger)[0].energy_it + gpu.figures["energy_it"].value == pytest.approx(96.0)


def test_boards_that_say_more_than_their_node_drew(ledger: Ledger) -> None:
    """Half of the node's devices at 5 kW by their boards, while the node drew 4 kW in all."""
    from costcalc.fleet.metering import Reading

    imported(ledger, cluster(UTC_), line(JobID="1"), line(JobID="2", AllocTRES=devices(2)))
    boards = Reading(
        source="report", cluster="", job="1", meter="costcalc track: NVML", scope="boards",
        joules=5_000.0 * 7200, seconds=7200.0,
    )  # fmt: skip
    read_meters(ledger, cluster(UTC_), iter([boards]), source="reports", name="x")
    day = START - 10 * HOUR_
    for _ in range(2):  # however often it is looked at
        shared_of(ledger, UTC_, {"gpu01": (4_000.0, day, day + 86_400)})
        one, two = sorted(rows(ledger), key=lambda row: row.job)
        assert one.metered == pytest.approx(8.0)
        assert one.meter.endswith("(Prometheus, all that its nodes drew)")
        assert two.metered == pytest.approx(0.0) or two.meter is None
        assert one.energy_it + (two.energy_it if two.meter else 0.0) <= 8.0 * (1 + 1e-9)
