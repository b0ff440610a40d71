"""Which jobs a server is asked about, sizes of nodes, whole nodes, counts of options."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory

from costcalc.fleet import bounding, by_prometheus
from costcalc.fleet.cluster import Partition
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.holding import Held
from costcalc.fleet.requests import _Options


def test_jobs_without_a_meter_that_ended_from_then_on() -> None:
    utc = cluster(FLEET.replace("Europe/Berlin", "UTC"))
    noon = datetime(2026, 10, 5, 12, tzinfo=UTC).timestamp()  # when the usual job ended
    with memory() as ledger:
        imported(
            ledger, utc, line(JobID="1"), line(JobID="2", AllocTRES="cpu=4", NodeList="c1"),
            line(JobID="3", AllocTRES="gres/gpu:h100=8,gres/gpu=8", NodeList="gpu02"),
        )  # fmt: skip

        def asked(since: float | None) -> list[tuple[str, bool, tuple[str, ...]]]:
            found = by_prometheus._unmetered(ledger, utc, since)
            return [(one.job, one.whole, tuple(one.nodes)) for one in found]

        all_ = [("1", False, ("gpu01",)), ("3", True, ("gpu02",))]  # 4 and 8 of 8 devices
        assert asked(None) == asked(noon) == all_
        assert asked(noon + 1) == []
        first = by_prometheus._unmetered(ledger, utc, None)[0]
        assert (first.end - first.start, first.devices) == (7200.0, 4.0)


def test_sizes_of_nodes_are_devices_or_processors() -> None:
    of = cluster("partitions: {a: {per_node: 8, cpus: 64}, b: {per_node: 4}, c: {cpus: 32}}\n")

    def guest(partition: str, on_processors: bool) -> Any:
        return SimpleNamespace(partition=partition, on_processors=on_processors)

    guests = [guest("a", False), guest("a", True), guest("b", True), guest("c", True)]
    assert by_prometheus._sizes(of, guests) == {"a": 8.0, "c": 32.0}  # b says no processors
    assert by_prometheus._sizes(of, [guest("a", True)]) == {"a": 64.0}
    assert by_prometheus._sizes(of, [guest("c", False)]) == {}


def test_a_refusal_says_what_the_boards_lacked_too() -> None:
    boards = {name: Refused(line=None, row=name, why="no board") for name in ("1", "2")}
    stream: Any = [Refused(line=None, row="1", why="no node"), Refused(line=None, row="9", why="x")]
    guests: Any = [SimpleNamespace(job="1")]
    found = list(by_prometheus._with_both(iter(stream), boards, guests))
    assert [(one.row, one.why) for one in found] == [  # type: ignore[union-attr]
        ("1", "no board; no node"), ("9", "x"), ("2", "no board"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("per_node", "cpus", "devices", "of_ours", "expected"),
    [
        (8, None, 4.0, 1.0, 16.0),  # all eight of two nodes
        (8, None, 20.0, 1.0, 20.0),  # no fewer than were asked for
        (4, None, 4.0, 0.5, 16.0),  # two of the scheduler's are one of ours: 2 · 4 / 0.5
        (8, None, 4.0, None, 16.0),
        (None, 64, 4.0, 1.0, "it takes whole nodes; give partitions.p.per_node"),
        (None, None, 0.0, 1.0, "it takes whole nodes; give partitions.p.cpus, or per_node"),
    ],
)
def test_whole_nodes_hold_all_that_is_in_them(
    per_node: Any, cpus: Any, devices: float, of_ours: Any, expected: Any
) -> None:
    made = Facts(source="slurm", cluster="", job="", attempt="", start=0.0, end=0.0, seconds=1.0,
                 state="running", partition="p", devices=devices)  # fmt: skip
    held = SimpleNamespace(held=lambda _: Held(accelerator=None, devices=of_ours))
    pricing: Any = SimpleNamespace(holdings=held)
    partition = Partition.model_construct(per_node=per_node, cpus=cpus, accelerator=None)
    asked: Any = SimpleNamespace(nodes=2)
    found = bounding._of_whole_nodes(pricing, asked, made, partition)
    assert (found if isinstance(found, str) else found.devices) == expected


def test_whole_nodes_without_devices_are_their_processors() -> None:
    made = Facts(source="slurm", cluster="", job="", attempt="", start=0.0, end=0.0, seconds=1.0,
                 state="running", partition="p", devices=0.0)  # fmt: skip
    partition = Partition.model_construct(per_node=None, cpus=64, accelerator=None)
    asked: Any = SimpleNamespace(nodes=3)
    found = bounding._of_whole_nodes(None, asked, made, partition)  # type: ignore[arg-type]
    assert isinstance(found, Facts)
    assert found.cpus == 3 * 64


def options(**said: str) -> _Options:
    return _Options({key.replace("_", "-"): value for key, value in said.items()}, "x.sh")


@pytest.mark.parametrize(
    ("names", "number"),
    [("n[1-4]", 4), ("n1,n1,n2", 2), ("", 0), ("/etc/nodes", 0), ("n{1..4}", 0)],
)
def test_how_many_nodes_are_named(names: str, number: int) -> None:
    assert options(nodelist=names).listed() == number
    assert options().listed() == 0


def test_how_many_tasks_a_node_is_taken_to_have() -> None:
    assert options(sockets_per_node="2", cores_per_socket="4").layout() == 1  # no node is said
    assert options(nodes="1", sockets_per_node="2", cores_per_socket="4").layout() == 8
    assert options(extra_node_info="2:4:2").layout() == 16
    assert options(extra_node_info="2:*:2").layout() == 4
    assert options(nodelist="n1").layout() == 1
    assert options(tres_per_task="cpu=4,gres/gpu=1").of_tasks_cpus() == 4
    assert options(tres_per_task="gres/gpu=1,cpu:3").of_tasks_cpus() == 3
    assert options().of_tasks_cpus() == 0


@pytest.mark.parametrize(
    ("nodes", "most"),
    [("4", 4), ("2-4", 4), ("1-15:4", 15), ("1,5,9", 9), ("2k", 2048), ("0", None), ("x", None)],
)
def test_the_most_nodes(nodes: str, most: int | None) -> None:
    asked = options(nodes=nodes)
    assert asked.most_nodes() == most
    assert [one.message for one in asked.faults] == (
        [] if most else [f'expected a number, 1 or more; got "{nodes}"']
    )
    assert options().most_nodes() is None
