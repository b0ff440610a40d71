"""What samples of a Prometheus add up to: each rule on a few samples, its arithmetic beside it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from costcalc.fleet.facts import Refused
from costcalc.fleet.importing import prometheus, prometheus_nodes
from costcalc.fleet.importing.prometheus import Job, Series, by_node, readings
from costcalc.fleet.importing.prometheus_nodes import Guest
from costcalc.fleet.metering import NodeDay, Reading

HOUR, DAY = 3600.0, 86400.0
#: millijoules that add up, by job or node, and watts of a node
COUNTER = Series(name="mj", scope="boards", factor=1e-3, counter=True, job="hpc_job", node="host")
GAUGE = Series(name="w", scope="boards", factor=1.0, counter=False, job="hpc_job", node="host")
OF_NODE = Series(name="node_w", scope="node", factor=1.0, counter=False, job=None, node="instance")


class Server:
    """A server that has the series and says these samples; it keeps what it was asked."""

    shown = "http://here"

    def __init__(self, *series: str, **samples: list[dict[str, Any]]) -> None:
        self.series, self.samples = {*series, *samples}, samples
        self.asked: list[tuple[str, float, float, float]] = []

    def names(self) -> set[str]:
        return self.series

    def ask(self, path: str, **values: Any) -> dict[str, Any]:
        assert path == "query_range"
        self.asked.append((values["query"], values["start"], values["end"], values["step"]))
        return {"result": self.samples.get(values["query"].partition("{")[0], [])}


def one(values: list[tuple[float, float]], **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [(at, str(value)) for at, value in values]}


def job(**more: Any) -> Job:
    known: dict[str, Any] = {
        "cluster": "c", "job": "7", "raw": "7", "attempt": "a", "start": 0.0, "end": 600.0,
        "devices": 1.0, "nodes": ("n1",), "whole": False,
    }  # fmt: skip
    return Job(**{**known, **more})


def every(step: float, watts: float, end: float = 600.0) -> list[tuple[float, float]]:
    return [(step * n, watts) for n in range(int(end / step) + 1)]


def counted(watts: float, factor: float, end: float = 600.0) -> list[tuple[float, float]]:
    return [(at, watts * at / factor) for at, _ in every(15.0, 0.0, end)]


# --- what samples add up to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "series", "total", "covered"),
    [
        # of watts the mean of two samples over the time between: 15 · 150 + 15 · 200
        ([(0, 100), (15, 200), (30, 200)], GAUGE, 2250 + 3000, 30),
        # a gap of more than one and a half steps is left out
        ([(0, 100), (22.5, 100), (45.1, 100)], GAUGE, 2250, 22.5),
        # what was counted between
        ([(0, 1000), (15, 4000), (30, 4000)], COUNTER, 3000, 30),
        # it began again: 5000 to 0 is lost, 0 to 2000 is not
        ([(0, 5000), (15, 0), (30, 2000)], COUNTER, 2000, 15),
        # 20 kW · 15 s are 300 kJ: what is no more than that may be, what is more was never counted
        ([(0, 0), (15, 3e8)], COUNTER, 3e8, 15),
        ([(0, 0), (15, 3.0001e8)], COUNTER, 0, 0),
        ([(0, 5)], GAUGE, 0, 0),
        ([], GAUGE, 0, 0),
    ],
)  # fmt: skip
def test_what_points_add_up_to(
    points: list[tuple[float, float]], series: Series, total: float, covered: float
) -> None:
    assert prometheus._integral(points, series, 15.0) == (total, covered)


def test_a_job_is_metered_by_all_of_its_boards() -> None:
    two = [one(counted(watts, 1e-3), host="n1", UUID=f"g{watts}") for watts in (300, 500)]
    server: Any = Server(mj=two)
    (made,) = readings(server, [job(devices=2.0)], [COUNTER])
    assert made == Reading(
        source="prometheus", cluster="c", job="7", attempt="a",
        meter="mj (Prometheus, by job)", scope="boards",
        joules=pytest.approx(600 * (300 + 500)), seconds=600.0,
        coverage=1.0,  # 600 s of those between the first and the last sample
    )  # fmt: skip
    assert server.asked == [('mj{hpc_job=~"7"}', 0.0, 600.0, 15.0)]
    # of a long job no more than 10,000 samples a series: 300,000 s are one each 30 s
    list(readings(server, [job(end=3e5)], [COUNTER]))
    assert server.asked[-1][3] == 30.0
    list(readings(server, [job(end=300_001.0)], [COUNTER]))
    assert server.asked[-1][3] == 31.0


def test_a_meter_whose_labels_changed_is_one() -> None:
    first = one(every(15.0, 300.0, 300.0), host="n1", UUID="a", driver="1")
    then = one([(at + 315.0, w) for at, w in every(15.0, 300.0, 285.0)], host="n1", UUID="a")
    server: Any = Server(w=[first, then])
    (made,) = readings(server, [job()], [GAUGE])
    assert isinstance(made, Reading)
    assert made.joules == pytest.approx(600 * 300)
    for label in ("serial_number", "gpu"):  # by what else tells boards apart
        parts = [one(every(15.0, 300.0), host="n1", **{label: name}) for name in "ab"]
        apart: Any = Server(w=parts)
        (made,) = readings(apart, [job(devices=2.0)], [GAUGE])
        assert isinstance(made, Reading), label
        assert made.joules == pytest.approx(2 * 600 * 300)


def refused(samples: list[tuple[float, float]], series: Series = GAUGE, **more: Any) -> str:
    server: Any = Server(**{series.name: [one(samples, host="n1", UUID="a")]})
    (made,) = readings(server, [job(**more)], [series])
    assert isinstance(made, Refused), made
    assert (made.line, made.row) == (None, "7")
    return made.why


def test_why_a_series_is_not_believed() -> None:
    full = every(15.0, 300.0)
    assert refused(full, devices=2.0) == "w by job: 1 of 2 meters"
    assert refused(every(15.0, 0.0)) == "w by job: says 0 J, which no board draws"
    # 600 s less a step are 585: 525 of them are 90 %, 510 are 87 %
    assert refused(every(15.0, 300.0, 510.0)) == "w by job: covers 87 % of its time"
    server: Any = Server(w=[one(every(15.0, 300.0, 540.0), host="n1")])
    (made,) = readings(server, [job()], [GAUGE])
    assert isinstance(made, Reading)
    assert made.coverage == pytest.approx(540 / 585)
    # the mean of what is covered, over all of its time
    assert made.joules == pytest.approx(300 * 600)
    # samples of 0 W are none: 39 of 41 seen, the gap of 45 s is left out
    gap = [(at, 0.0 if 300 <= at < 420 else w) for at, w in full]
    assert refused(gap) == "w by job: covers 79 % of its time; 8 of 41 samples say 0 W"
    assert refused(every(15.0, 20_001.0)) == "w by job: more watts than any device draws"
    # 0.9 of the 100 W that a board draws when idle
    assert refused(every(15.0, 90.0), idle=100.0) == (
        "w by job: a board says 90 W, less than one draws when idle (100 W)"
    )
    fine: Any = Server(w=[one(every(15.0, 90.1), host="n1")])
    assert isinstance(next(readings(fine, [job(idle=100.0)], [GAUGE])), Reading)


def test_a_node_is_asked_for_where_a_job_had_it_to_itself() -> None:
    server: Any = Server("node_w", node_w=[one(every(15.0, 1000.0), instance="n1:9100")])
    (made,) = readings(server, [job(devices=8.0, whole=True)], [OF_NODE])
    assert isinstance(made, Reading)
    assert (made.scope, made.joules) == ("node", pytest.approx(600 * 1000))
    assert made.meter == "node_w (Prometheus, by node)"
    (none,) = readings(server, [job(devices=8.0)], [OF_NODE])
    assert isinstance(none, Refused)
    assert none.why == "no series of it, by job or by node"
    # eight boards of 130 W idle are 1,040 W: 0.9 of them are 936 W, and 930 W are less
    low: Any = Server(node_w=[one(every(15.0, 930.0), instance="n1")])
    (made,) = readings(low, [job(devices=8.0, whole=True, idle=130.0)], [OF_NODE])
    assert isinstance(made, Refused)
    assert made.why == (
        "node_w by node: a node says 930 W, less than one draws when idle (1.04e+03 W)"
    )
    zero: Any = Server(node_w=[one(every(15.0, 0.0), instance="n1")])
    (made,) = readings(zero, [job(whole=True)], [OF_NODE])
    assert isinstance(made, Refused)
    assert made.why == "node_w by node: says 0 J, which no node draws"


def test_how_a_series_is_asked_for() -> None:
    assert by_node(OF_NODE, ["n1", "n.2"]) == '{instance=~"(n1|n\\\\.2)([.:].*)?"}'
    only = Series(**{**{name: getattr(GAUGE, name) for name in GAUGE.__slots__}, "only": 'a="b"'})
    assert list(prometheus._matchers(only, job(raw="9", whole=True))) == [
        ('{hpc_job=~"7|9",a="b"}', "job"), ('{host=~"(n1)([.:].*)?",a="b"}', "node"),
    ]  # fmt: skip
    assert list(prometheus._matchers(GAUGE, job())) == [('{hpc_job=~"7"}', "job")]
    assert list(prometheus._matchers(OF_NODE, job(whole=True, nodes=()))) == []


def test_which_series_are_known() -> None:
    found = {one.name: (one.scope, one.factor, one.counter, one.job) for one in prometheus.KNOWN}
    assert found == {
        # energy in mJ and µJ, power in W
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("boards", 1e-3, True, "hpc_job"),
        "DCGM_FI_DEV_POWER_USAGE": ("boards", 1.0, False, "hpc_job"),
        "gpu_energy_consumed": ("boards", 1e-6, True, "job_id"),
        "gpu_package_power": ("boards", 1.0, False, "job_id"),
        "kepler_node_platform_joules_total": ("node", 1.0, True, None),
        "ipmi_dcmi_power_consumption_watts": ("node", 1.0, False, None),
        "redfish_power_powercontrol_power_consumed_watts": ("node", 1.0, False, None),
    }


# --- a node's meter, shared ----------------------------------------------------------------------


def guest(**more: Any) -> Guest:
    known: dict[str, Any] = {
        "cluster": "c", "job": "7", "attempt": "a", "partition": "gpu", "start": 0.0, "end": 7200.0,
        "seconds": 7200.0, "devices": 4.0, "nodes": ("n1",), "watts": None,
    }  # fmt: skip
    return Guest(**{**known, **more})


def added(**more: Any) -> Any:
    return prometheus_nodes._Sum(**{"meters": {"node_w"}, **more})


def test_a_jobs_part_of_its_nodes() -> None:
    # 4 of 8 devices for 2 h at 1,000 W: 7.2 MJ
    made = prometheus_nodes._reading(guest(), added(joules=7.2e6, seconds=7200.0), {"gpu": 8.0})
    assert made == Reading(
        source="prometheus", cluster="c", job="7", attempt="a",
        meter="node_w (Prometheus, part of its nodes)", scope="node", joules=7.2e6, seconds=7200.0,
        coverage=1.0, part=0.5,
    )  # fmt: skip
    # 8 devices on two nodes of 8, seen for 13,000 s of 2 · 7,200; allocated for 10,800 s
    two = guest(devices=8.0, nodes=("n1", "n2"), seconds=10_800.0, watts=900.0)
    made = prometheus_nodes._reading(
        two, added(joules=1e7, seconds=13_000.0, capped=True), {"gpu": 8.0}
    )
    assert isinstance(made, Reading)
    assert made.seconds == pytest.approx(13_000 / 2 * 10_800 / 7200)
    assert (made.coverage, made.part) == (pytest.approx(13_000 / 14_400), 8 / 16)
    assert (made.source, made.meter) == ("nodes", "node_w (Prometheus, all that its nodes drew)")
    # more than all of it is all
    made = prometheus_nodes._reading(
        guest(devices=9.0), added(joules=7.2e6, seconds=7300.0), {"gpu": 8.0}
    )
    assert isinstance(made, Reading)
    assert (made.coverage, made.part) == (1.0, 1.0)


def test_why_a_jobs_part_is_not_known() -> None:
    def why(own: Any, sizes: dict[str, float] | None = None, **more: Any) -> str | None:
        found = prometheus_nodes._reading(
            guest(**more), own, {"gpu": 8.0} if sizes is None else sizes
        )
        return None if found is None else found.why if isinstance(found, Refused) else "read"

    fine = added(joules=7.2e6, seconds=7200.0)
    assert why(fine) == "read"
    # 6,480 of 7,200 s are 90 %
    assert why(added(joules=7.2e6, seconds=6480.0)) == "read"
    assert why(added(joules=7.2e6, seconds=6400.0)) == "its nodes' meters cover 89 % of its time"
    assert why(added(joules=7.2e6, seconds=6400.0), {}) == (
        "its nodes' size is not said: partitions.gpu.per_node"
    )
    assert why(added(), {}, partition="") == "its nodes' size is not said: partitions.NAME.per_node"
    assert why(added(meters=set(), seconds=7200.0)) == "its nodes' meters cover 100 % of its time"
    assert why(added(), end=0.0) == "its nodes' meters cover 0 % of its time"
    # 1,000 W of a node for 4 devices are 250 W each: not below 0.9 of 277, but of 278 W
    assert why(fine, idle=200.0, host=77.0) == "read"
    assert why(fine, idle=200.0, host=78.0) == (
        "its nodes' meters leave 250 W to each of its devices, less than one draws when idle with "
        "its share of the host (278 W)"
    )
    never = "its nodes' meters say what no node draws"
    assert why(added(joules=7200 * 80_000.0, seconds=7200.0)) == "read"  # 20 kW each
    assert why(added(joules=7200 * 80_001.0, seconds=7200.0)) == never
    assert why(added(joules=0.0, seconds=7200.0)) == never
    # with a meter of its own, only where the nodes say less
    assert why(fine, watts=900.0) is None
    assert why(added(joules=1.0, seconds=60.0, capped=True), watts=900.0) is None


@pytest.mark.parametrize(
    ("beside", "more", "wrong"),
    [
        (1.8e6, {}, False),  # 0.9 of the 2 MJ that the boards say
        (1.79e6, {}, True),
        (1.79e6, {"boards": None}, False),
        # 700 W a board at the most: four are 2,800 W, and 2,900 W of them are in doubt
        (1.79e6, {"boards": 2800.0, "most": 700.0}, True),
        (1.79e6, {"boards": 2900.0, "most": 700.0}, False),
        (1.79e6, {"boards": 1400.0, "most": 700.0, "nodes": ("n1", "n2")}, True),
        (1.79e6, {"boards": 1401.0, "most": 700.0, "nodes": ("n1", "n2")}, False),
    ],
)
def test_a_node_draws_no_less_than_its_boards(
    beside: float, more: dict[str, Any], wrong: bool
) -> None:
    own = added(beside=beside, boards=2e6)
    why = prometheus_nodes._below_boards(guest(**{"boards": 1000.0, **more}), own)
    assert why == (
        "node_w says 497 Wh of its nodes, and their boards 556 Wh: a node draws no less than its "
        "boards, whose meter is kept" if wrong else ""
    )  # fmt: skip


def test_what_nodes_draw_at_least() -> None:
    idle = guest(idle=100.0, host=50.0)
    assert (idle.least, guest(host=50.0).least) == (150.0, 0.0)
    assert guest(idle=100.0, on_processors=True).least == 0.0
    other = guest(idle=90.0, partition="other")
    assert prometheus_nodes._least([idle, guest(idle=120.0), other, guest()], "gpu") == 120.0
    assert prometheus_nodes._least([guest()], "gpu") == 0.0
    steps = np.array([1080 * 60.0, np.nan])
    # eight boards with their host of 150 W: 1,200 W when idle, of which 0.9 are 1,080 W
    assert prometheus_nodes._too_low(steps, "node_w", 150.0, 8.0) == ""
    assert prometheus_nodes._too_low(steps - 60.0, "node_w", 150.0, 8.0) == (
        "node_w says 1.08e+03 W, less than its 8 boards and their host draw when idle (1.2e+03 W)"
    )
    assert prometheus_nodes._too_low(steps - 60.0, "node_w", 0.0, 8.0) == ""
    assert prometheus_nodes._too_low(np.array([np.nan]), "node_w", 150.0, 8.0) == ""


def test_who_was_on_a_node_on_a_day() -> None:
    day = NodeDay(cluster="c", node="n1", partition="gpu", at=0.0, meter="m", joules=1.0, given=0.0,
                  seconds=DAY)  # fmt: skip
    assert prometheus_nodes._on(guest(), day, DAY)
    assert not prometheus_nodes._on(guest(cluster="d"), day, DAY)
    assert not prometheus_nodes._on(guest(nodes=("n2",)), day, DAY)
    assert not prometheus_nodes._on(guest(start=DAY, end=DAY + 1), day, DAY)  # it came after it
    assert not guest(start=-9.0, end=0.0).ran(0.0, DAY)
    assert guest(start=-9.0, end=0.1).ran(0.0, DAY)
    assert guest(start=DAY - 0.1, end=2 * DAY).ran(0.0, DAY)


def test_days_are_those_of_the_place() -> None:
    noon = datetime(2026, 10, 5, 12, tzinfo=UTC).timestamp()
    midnight = datetime(2026, 10, 5, tzinfo=UTC).timestamp()
    assert list(prometheus_nodes._days(noon, noon + DAY, UTC)) == [
        (midnight, midnight + DAY), (midnight + DAY, midnight + 2 * DAY),
    ]  # fmt: skip
    assert len(list(prometheus_nodes._days(noon, midnight + DAY, UTC))) == 1
    east = timezone(timedelta(hours=14))  # where noon is the next day's two o'clock
    assert next(prometheus_nodes._days(noon, noon + 1, east))[0] == midnight + DAY - 14 * HOUR
    assert prometheus_nodes._shown(noon, east) == "2026-10-06"


def test_what_a_node_says_in_each_step() -> None:
    def steps(series: Series, *values: list[tuple[float, float]], most: float = 1e9) -> list[Any]:
        found = [one(each) for each in values]
        return [
            None if math.isnan(each) else each
            for each in prometheus_nodes._steps(found, series, 0.0, 4, most).tolist()
        ]

    # 60 s at the mean of 100 and 200 W, of 200 and 200; the last sample is not there
    assert steps(OF_NODE, [(0, 100), (60, 200), (120, 200)]) == [9000, 12_000, None]
    # samples a little off their moment, and those that are none
    assert steps(OF_NODE, [(29, 100), (61, 200), (120, 200), (999, 5), (-40, 5)]) == [
        9000, 12_000, None,
    ]  # fmt: skip
    assert steps(OF_NODE, [(0, 100), (60, 0), (120, 100), (180, math.inf)]) == [None, None, None]
    # two series of a node add up
    assert steps(OF_NODE, *[[(60 * n, 100) for n in range(4)]] * 2) == [12_000, 12_000, 12_000]
    # mJ that add up: 3 J and 5 J, then it began again
    assert steps(COUNTER, [(0, 0), (60, 3000), (120, 8000), (180, 1000)]) == [3.0, 5.0, None]
    # no more than a node draws in a step
    assert steps(COUNTER, [(0, 0), (60, 3000), (120, 8000), (180, 8000)], most=4.0) == [
        3.0, None, 0.0,
    ]  # fmt: skip


def test_a_node_is_asked_by_its_best_meter() -> None:
    samples = [one([(60.0 * n, 100.0) for n in range(4)], instance="n1")]
    server: Any = Server(node_w=samples)
    found = prometheus_nodes._energy(server, "n1", 0.0, 150.0, [COUNTER, OF_NODE], 8.0)
    assert found is not None
    edges, joules, meter = found
    assert edges.tolist() == [0.0, 60.0, 120.0, 180.0]
    assert (joules.tolist(), meter) == ([6000.0] * 3, "node_w")
    assert [asked[0].partition("{")[0] for asked in server.asked] == ["mj", "node_w"]
    assert server.asked[-1][1:] == (0.0, 150.0, 60.0)
    assert prometheus_nodes._energy(server, "n1", 0.0, 150.0, [COUNTER], 8.0) is None
    # of 8 boards 20 kW each: 9.6 MJ in 60 s may be, more was never counted
    for joule, kept in ((9.6e6, 9.6e6), (9.7e6, None)):
        most: Any = Server(mj=[one([(0.0, 0.0), (60.0, joule * 1e3)], host="n1")])
        made = prometheus_nodes._energy(most, "n1", 0.0, 60.0, [COUNTER], 8.0)
        assert made is not None
        assert made[1].tolist() == pytest.approx([kept if kept else math.nan], nan_ok=True)
