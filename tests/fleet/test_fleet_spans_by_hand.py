"""Names of nodes, times of an attempt, whose a meter is, what a submission asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fleet_byhand import cluster, line, told

from costcalc.fleet import believing, submitting
from costcalc.fleet.bounding import Bound
from costcalc.fleet.cluster import Partition
from costcalc.fleet.facts import Facts
from costcalc.fleet.holding import Held
from costcalc.fleet.importing import spans
from costcalc.fleet.requests import Request
from costcalc.fleet.submitting import Quoted
from costcalc.report.importing import nodes

BERLIN = ZoneInfo("Europe/Berlin")
#: 2026-10-25, 03:00 there becomes 02:00: 01:00 UTC
BACK = 1792890000.0
HOUR = 3600.0


# --- nodes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()), ("gpu1", ("gpu1",)), (" a , b ,", ("a", "b")),
        ("n[8-11]", ("n8", "n9", "n10", "n11")), ("n[08-10]", ("n08", "n09", "n10")),
        ("n[1-2,5]x", ("n1x", "n2x", "n5x")), ("r[1-2]n[3-4]", ("r1n3", "r1n4", "r2n3", "r2n4")),
        ("n[3-3]", ("n3",)), ("n[3-2]", ()), ("n[a-b]", ("na-b",)), ("n[1-b]", ("n1-b",)),
    ],
)  # fmt: skip
def test_which_nodes_a_name_is_of(text: str, names: tuple[str, ...]) -> None:
    assert nodes.expanded(text) == names


def test_no_more_nodes_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST", 5)
    nodes.expanded.cache_clear()
    assert len(nodes.expanded("m[1-5]")) == 5
    assert len(nodes.expanded("m[1-5],k,l")) == 5
    assert nodes.expanded("m[1-6]") == ("m1-6",)  # a range of more is none
    nodes.expanded.cache_clear()


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "times", "off"),
    [
        (BERLIN, (BACK,), 3602.0), (BERLIN, (BACK - HOUR,), 3602.0),
        (BERLIN, (BACK - HOUR - 1,), 2.0), (BERLIN, (BACK + HOUR - 1,), 3602.0),
        (BERLIN, (BACK + HOUR,), 2.0),
        (BERLIN, (None, BACK), 3602.0), (BERLIN, (None,), 2.0), (BERLIN, (), 2.0),
        (None, (BACK,), 2.0),
    ],
)  # fmt: skip
def test_an_hour_off_where_clocks_are_set(zone: Any, times: Any, off: float) -> None:
    assert spans.slack(zone, *times) == off


def test_of_an_hour_that_stands_twice_the_one_that_fits() -> None:
    start, shown = BACK - 2 * HOUR, BACK - 1800  # 01:00, and 02:30, for the first time
    assert spans.by_clock(start, shown, 1.5 * HOUR, BERLIN) == (start, shown)
    assert spans.by_clock(start, shown, 2.5 * HOUR, BERLIN) == (start, shown + HOUR)
    assert spans.by_clock(shown, BACK + 2 * HOUR, 1.5 * HOUR, BERLIN)[0] == shown + HOUR
    assert spans.by_clock(None, shown, 9.0, BERLIN) == (None, shown)
    assert spans.by_clock(start, None, 9.0, BERLIN) == (start, None)
    assert spans.by_clock(start, shown, 2.5 * HOUR, None) == (start, shown)


def test_spans_at_their_bounds() -> None:
    assert not spans.backwards(10.0, 8.0, 2.0)
    assert spans.backwards(10.0, 7.9, 2.0)
    assert not spans.backwards(None, 1.0, 2.0)
    assert not spans.backwards(1.0, None, 2.0)
    assert spans.longer(0.0, 100.0, 102.0, 2.0) == ""
    assert spans.longer(0.0, 1000.0, 1002.5, 2.0) == (
        "it ran for 1,002 s, and from its start to its end are 1,000 s"
    )
    assert spans.longer(50.0, 50.0, 3.0, 2.0) != ""
    assert spans.longer(50.0, 49.0, 3.0, 2.0) == ""  # an end before the start says nothing
    assert spans.longer(None, 9.0, 99.0, 2.0) == spans.longer(0.0, None, 99.0, 2.0) == ""
    lacking = "it ran for less than from its start to its end, and was not suspended"
    assert spans.unexplained(0.0, 100.0, 60.0, 38.0, 2.0) == ""
    assert spans.unexplained(0.0, 100.0, 60.0, 37.9, 2.0) == lacking
    assert spans.unexplained(None, 100.0, 0.0, 0.0, 2.0) == ""
    assert spans.unexplained(0.0, None, 0.0, 0.0, 2.0) == ""


# --- whose a meter is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "cpus", "of_nodes", "per_node", "cores", "part"),
    [
        (4.0, None, 1, 8, None, 0.5), (4.0, None, 2, 8, None, 0.25), (16.0, None, 2, 8, None, 1.0),
        (20.0, None, 2, 8, None, 1.0),  # no more than all
        (0, 16.0, 1, None, 64, 0.25), (0, 64.0, 2, None, 64, 0.5),
        (0, 16.0, 1, 8, 64, None),  # beside jobs with devices
        (0, 64.0, 1, 8, 64, 1.0),  # nobody is beside all
        (4.0, 16.0, 1, None, 64, None), (0, None, 1, None, 64, None), (None, 16.0, 1, 8, 64, None),
        (4.0, None, None, 8, None, None), (4.0, None, 0, 8, None, None),
    ],
)  # fmt: skip
def test_the_part_of_its_nodes(
    devices: Any, cpus: Any, of_nodes: Any, per_node: Any, cores: Any, part: float | None
) -> None:
    one: Any = SimpleNamespace(cpus=cpus, nodes=of_nodes)
    own = Held(accelerator=None, devices=devices)
    partition = Partition.model_construct(per_node=per_node, cpus=cores)
    assert believing._part(one, own, partition) == part


def facts(**more: Any) -> Facts:
    known: dict[str, Any] = {
        "source": "slurm", "cluster": "", "job": "1", "attempt": "", "start": 0.0, "end": 9.0,
        "seconds": 9.0, "state": "completed", "partition": "p", "joules": 800.0, "scope": "node",
        "meter": "ipmi", "nodes": 1, "whole_nodes": True, "devices": 4.0,
    }  # fmt: skip
    return Facts(**{**known, **more})


def own_of(text: str, devices: float = 4.0, **more: Any) -> Facts:
    fleet = cluster(f"partitions: {{p: {{{text}}}}}\n").fleet
    meters = believing.Meters(fleet, None, lambda *_: 0.0)  # type: ignore[arg-type]
    return meters._own(facts(**more), Held(accelerator=None, devices=devices))


def test_what_of_a_nodes_meter_is_a_jobs_own() -> None:
    half = own_of("per_node: 8")
    assert (half.joules, half.part, half.faulty) == (400.0, 0.5, False)
    alone = own_of("plugin: exclusive")
    assert (alone.joules, alone.scope, alone.whole_nodes) == (800.0, "node", False)
    boards = own_of("plugin: boards")
    assert (boards.joules, boards.scope, boards.whole_nodes) == (800.0, "boards", False)
    assert own_of("per_node: 8", whole_nodes=False).joules == 800.0
    shared = "its nodes' meter may have other jobs in it: give partitions.NAME."
    for text, devices, why in (
        ("cpus: 64", 4.0, f"{shared}per_node, or plugin"),
        ("accelerator: h100-sxm5-80", 0, f"{shared}cpus, or plugin"),
        ("per_node: 8", 0, "its nodes' meter has their devices in it, which it did not hold"),
    ):
        found = own_of(text, devices)
        assert (found.joules, found.meter, found.faulty, found.why) == (None, None, True, why)


# --- a submission --------------------------------------------------------------------------------


def request(**more: Any) -> Request:
    known: dict[str, Any] = {
        "tres": "", "nodes": 1, "cpus": None, "cores": False, "whole": False, "seconds": 7200.0,
        "partitions": (), "account": None,
    }  # fmt: skip
    return Request(**{**known, **more})


@pytest.mark.parametrize(
    ("asked", "bound", "said"),
    [
        ({}, Bound(devices=8.0, device="h100"), "8 × h100, 2.00 hours"),
        ({"tasks": 3}, Bound(devices=8.0), "3 tasks of 8 × devices, 2.00 hours"),
        ({"tasks": 1}, Bound(cpus=64.0), "up to 64 processors, no accelerator, 2.00 hours"),
        ({"tres": "gres/gpu=4"}, Bound(), "gres/gpu=4, 2.00 hours"),
        ({"tres": "cpu=4", "seconds": None}, Bound(), "no accelerator, no time limit"),
    ],
)
def test_what_a_component_asks_for(asked: dict[str, Any], bound: Bound, said: str) -> None:
    assert submitting._held(request(**asked), bound) == said


def quote(*pairs: tuple[Request, Bound], **more: Any) -> Quoted:
    parts, bounds = zip(*pairs, strict=True)
    return Quoted(parts=parts, bounds=bounds, currency="USD", **more)


def test_the_most_is_of_all_tasks_of_all_components() -> None:
    one = (request(tasks=3), Bound(cost=2.0, energy=1.0, carbon=0.5, devices=1.0, notes=("a",)))
    two = (request(), Bound(cost=4.0, energy=5.0, carbon=0.5, devices=2.0, notes=("a", "b")))
    found = quote(one, two)
    assert (found.most, found._sum("energy"), found._sum("carbon")) == (10.0, 8.0, 2.0)
    assert found.lines() == [
        "asks for 3 tasks of 1 × devices, 2.00 hours", "and 2 × devices, 2.00 hours",
        "can cost at most: 10.0 USD, 8.00 kWh, CO2e up to 2.00 kgCO2e (95th percentile, no "
        "maximum), and as much again if it is requeued",
        "note: a", "note: b",
    ]  # fmt: skip
    unknown = quote(one, (request(), Bound(why="it has no time limit")))
    assert unknown.most is None
    assert unknown.lines()[-1] == "can cost at most: unknown: it has no time limit"
    assert submitting.over(found, 10.0) == ""
    assert submitting.over(found, 9.5) == "--max-cost: 10.0 USD at most are more than 9.50 USD"
    assert submitting.over(unknown, 1e9) == "--max-cost cannot be judged: it has no time limit"


def test_an_estimate_beyond_the_limit_is_noted() -> None:
    def told(hours: float | None, seconds: float | None = 7200.0) -> list[str]:
        results: Any = {key: SimpleNamespace(value=1.0, unit="kWh") for key in submitting._SHOWN}
        results["wall_clock"] = SimpleNamespace(value=hours, unit="h")
        made: Any = SimpleNamespace(results=results)
        asked = (request(seconds=seconds), Bound(cost=1.0))
        return quote(asked, run_file="r.yaml", estimated=made)._estimated()

    first = "r.yaml: estimated at 2.00 hours, 1.00 kWh, 1.00 kWh, 1.00 kWh"
    assert told(2.0) == [first]  # just in time
    assert told(2.1)[1:] == ["note: it will not end within its limit: 2.10 hours are estimated"]
    assert told(2.0, None) == [first]
    assert told(None)[1:] == []
    failed = quote((request(), Bound(cost=1.0)), run_file="r.yaml", not_estimated="no such file")
    assert failed._estimated() == ["r.yaml: not estimated: no such file"]
    assert quote((request(), Bound(cost=1.0)))._estimated() == []


# --- a row of sacct ------------------------------------------------------------------------------


def test_a_row_that_lacks_its_start_or_its_end() -> None:
    def only(**cells: str) -> Facts:
        (found,) = told(line(**cells))
        return found

    whole = only()
    assert whole.start is not None
    assert whole.end == whole.start + 7200
    lacks = only(Start="Unknown", ElapsedRaw="3600")
    assert (lacks.end, lacks.start) == (whole.end, whole.end - 3600)  # so long before its end
    runs = only(End="Unknown", ElapsedRaw="60", Suspended="00:00:30", State="RUNNING")
    assert (runs.start, runs.end) == (whole.start, whole.start + 60 + 30)
    neither = only(Start="Unknown", End="Unknown", ElapsedRaw="60")
    assert neither.start == neither.submit == whole.start - HOUR
    assert neither.end == whole.start - HOUR + 60


def test_what_a_row_says_of_its_nodes_and_devices() -> None:
    (found,) = told(line(NNodes="2", NCPUS="48", Comment="costcalc model=small"))
    assert (found.nodes, found.cpus, found.devices) == (2, 48.0, 4.0)
    (none,) = told(line(NNodes="0", AllocTRES="billing=1,cpu=4"))
    assert (none.nodes, none.devices) == (None, 0.0)
    # 4 devices of 20 kW for two hours are 576 MJ: what is more no node draws
    (most,) = told(line(ConsumedEnergyRaw=str(4 * 20_000 * 7200)))
    assert (most.joules, most.scope, most.faulty) == (4 * 20_000 * 7200, "node", False)
    (over,) = told(line(ConsumedEnergyRaw=str(4 * 20_000 * 7200 + 1)))
    assert (over.joules, over.scope, over.meter, over.faulty) == (None, None, None, True)
    assert over.why == "the energy counter wrapped: more than any node draws"
