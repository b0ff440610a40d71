"""Launches told apart by time, on the clock of each machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_merge import gpu, writer

from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import totals

HOUR = 3600.0


def node(number: int, *, at: float = 0.0, boot: str = "", nodes: int = 1, **more: Any) -> Written:
    """A node of eight boards of 500 W, for an hour unless said."""
    seconds = more.pop("seconds", HOUR)
    boot = boot or f"boot{number}"
    return writer(
        number,
        at=at,
        seconds=seconds,
        node=number,
        nodes=nodes,
        world=nodes,
        boot=boot,
        devices="abcdefgh",
        energy={f"gpu:{boot}/{name}": gpu(500.0 * seconds) for name in "abcdefgh"},
        **more,
    )


def test_a_requeue_on_another_machine_does_not_count_the_wait() -> None:
    """An hour on one machine, ten in the queue, an hour on another: 2 h and 16 device-hours."""
    found = totals([node(0, boot="first"), node(0, at=11 * HOUR, boot="second")])
    assert len(found.attempts) == 2
    assert found.elapsed == 2 * HOUR
    assert found.device_seconds(0.0) == 16 * HOUR
    assert found.joules() == pytest.approx(2 * 8 * 500.0 * HOUR)


def test_a_node_whose_clock_is_two_hours_ahead_is_of_the_same_hour() -> None:
    found = totals([node(0, nodes=2), node(1, at=2 * HOUR, nodes=2)])
    (attempt,) = found.attempts
    assert attempt.elapsed == HOUR
    assert found.device_seconds(0.0) == 16 * HOUR
    assert found.joules() == pytest.approx(16 * 500.0 * HOUR)
    assert found.notes == (
        "the clocks of the nodes disagree by 120 minutes: the job is taken to have lasted as long "
        "as its longest node",
    )


@pytest.mark.parametrize("labels", [(None, None), ("slurm=0", "slurm=1")])
@pytest.mark.parametrize("ahead", [2 * HOUR, -7 * HOUR])
def test_a_clock_further_off_than_the_restart_splits_no_launch(
    ahead: float, labels: tuple[Any, ...]
) -> None:
    """Two launches of an hour, half an hour apart: 2 h and 32 device-hours, four ranks' tokens."""
    found = totals(
        [
            node(number, at=at + number * ahead, nodes=2, attempt=label, tokens=1000.0, steps=10)
            for at, label in zip((0.0, 1.5 * HOUR), labels, strict=True)
            for number in (0, 1)
        ]
    )
    assert [attempt.nodes for attempt in found.attempts] == [2, 2]
    assert found.elapsed == 2 * HOUR
    assert found.device_seconds(0.0) == 32 * HOUR
    assert found.unseen == 0.0
    assert found.joules() == pytest.approx(32 * 500.0 * HOUR)
    assert (found.tokens, found.steps) == (4000.0, 20)


def test_launches_that_lack_the_same_node_stay_apart() -> None:
    found = totals([node(0, nodes=2), node(0, at=3 * HOUR, nodes=2)])
    assert [attempt.missing for attempt in found.attempts] == [(1,), (1,)]
    assert found.device_seconds(0.0) == 2 * 16 * HOUR


def test_a_machine_that_begins_again_under_another_rank_is_a_launch_of_its_own() -> None:
    """Each launch lacks the other's rank, but one machine cannot be in one launch twice."""
    first = node(0, nodes=2, boot="only")
    second = node(1, at=3 * HOUR, nodes=2, boot="only")
    assert [attempt.elapsed for attempt in totals([first, second]).attempts] == [HOUR, HOUR]


@pytest.mark.parametrize("clocks", [(None, None), (1000.0, 1000.0 + HOUR + 1.0)])
def test_a_clock_that_steps_back_between_attempts_halves_nothing(clocks: tuple[Any, ...]) -> None:
    first, second = node(0), node(0, at=HOUR - 0.5)
    pair = [
        replace(one, start=replace(one.start, clock=clock))
        for one, clock in zip((first, second), clocks, strict=True)
    ]
    found = totals(pair)
    assert len(found.attempts) == 2
    assert found.joules() == pytest.approx(2 * 8 * 500.0 * HOUR)


def test_a_clock_that_never_is_set_tells_trackers_within_trackers() -> None:
    """By the wall an hour apart, by the machine's own clock at once: the wall's was set."""
    outer, inner = node(0), node(0, at=HOUR)
    pair = [
        replace(outer, start=replace(outer.start, clock=100.0)),
        replace(inner, start=replace(inner.start, clock=160.0)),
    ]
    found = totals(pair)
    assert len(found.attempts) == 1


def test_after_a_time_in_which_nobody_lives_a_new_attempt_begins() -> None:
    """Rank 0 of the first has left no record, rank 1 of the second neither."""
    first = node(1, nodes=2, boot="b")
    later = node(0, nodes=2, boot="b", at=HOUR + 61.0)
    sooner = node(0, nodes=2, boot="b", at=HOUR + 59.0)
    assert len(totals([first, later]).attempts) == 2
    assert len(totals([first, sooner]).attempts) == 1


def test_a_world_of_another_size_is_a_new_attempt_after_a_pause() -> None:
    small, large = node(0, nodes=1), node(1, nodes=2, at=2 * HOUR)
    assert len(totals([small, large]).attempts) == 2


def test_restarts_are_told_by_each_who_counts_them() -> None:
    same = [node(0, attempt="slurm=1"), node(1, attempt="slurm=1 torchrun=0", at=1.0)]
    assert len(totals(same).attempts) == 1  # a wrapper knows of no restarts of torchrun's
    again = [*same, node(2, attempt="slurm=1 torchrun=1", at=2.0)]
    assert len(totals(again).attempts) == 2


def test_a_dead_first_ranks_meter_is_a_gap_to_the_end() -> None:
    """Metered for half an hour of an hour and a half, by a rank that then died."""
    dead = node(0, seconds=HOUR / 2, boot="b")
    hanging = writer(1, seconds=1.5 * HOUR, world=2, boot="b")
    found = totals([dead, hanging])
    assert found.device_seconds(0.0) == 8 * 1.5 * HOUR
    assert found.attempts[0].unseen == pytest.approx(8 * HOUR)
    assert found.joules() == pytest.approx(8 * 500.0 * HOUR / 2)  # most was missed: as seen


def test_nodes_without_records_hold_as_many_devices() -> None:
    found = totals([node(0, nodes=4, tokens=100.0), node(2, nodes=4, tokens=100.0)])
    (attempt,) = found.attempts
    assert (attempt.missing, attempt.held, attempt.all_nodes) == ((1, 3), 32.0, 4)
    assert found.tokens == 400.0  # of the same nodes as the devices
    assert attempt.unseen == pytest.approx(16 * HOUR)


HANGS: dict[str, object] = {"unmetered": {"AMD SMI": "none"}, "unanswered": ["NVML"]}
HAS_NONE: dict[str, object] = {"unmetered": {"AMD SMI": "none", "NVML": "no NVIDIA driver"}}
SEES_NONE: dict[str, object] = {"unmetered": {"AMD SMI": "none"}, "hidden_devices": 8}


@pytest.mark.parametrize(
    ("machine", "held"), [(HANGS, 16), ({}, 16), (HAS_NONE, 8), (SEES_NONE, 8)]
)
def test_a_node_whose_driver_hangs_held_as_many_devices(
    machine: dict[str, object], held: int
) -> None:
    """Eight boards of one node are known; the other said nothing, or that it has none."""
    other = writer(1, seconds=HOUR, node=1, nodes=2, world=2, machine=machine)
    found = totals([node(0, nodes=2), other])
    assert found.device_seconds(0.0) == held * HOUR
    assert found.unseen == (held - 8) * HOUR
    joules = found.joules_of_all()
    assert joules == pytest.approx(held * 500.0 * HOUR)  # at the mean power of the rest
    silent = (
        "the drivers of 1 of 2 machines did not say which devices there are: they are taken to "
        "have held as many as the others"
    )
    assert (silent in found.notes) is (held == 16)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("machine", "held"), [(HANGS, 16), ({}, 16), (HAS_NONE, 0), (SEES_NONE, 0)]
)
def test_an_attempt_whose_driver_hangs_held_what_another_did(
    machine: dict[str, object], held: int, first: bool
) -> None:
    """Two nodes of eight boards, an hour each; two nodes of a launch say nothing for two hours."""
    known = [node(n, nodes=2, at=3 * HOUR) for n in (0, 1)]
    at = 0.0 if first else 5 * HOUR
    dark = [
        writer(n, seconds=2 * HOUR, at=at, node=n, nodes=2, world=2, machine=machine)
        for n in (0, 1)
    ]
    found = totals([*known, *dark])
    assert len(found.attempts) == 2
    assert found.device_seconds(0.0) == 16 * HOUR + 2 * held * HOUR
    assert found.unseen == 2 * held * HOUR
    assert bool(found.devices) is (first or held > 0)
    said = (
        "an attempt's drivers did not say which devices it held: it is taken to have held as many "
        "a node as another"
    )
    assert (said in found.notes) is (held > 0)


def test_four_thousand_nodes_take_one_pass() -> None:
    """Each writer's energy is asked for a few times, not once for every other writer."""
    asked = [0]

    class Counting(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            asked[0] += 1
            return super().__getitem__(key)

    def counted(number: int) -> Written:
        one = node(number, nodes=500)
        assert one.last is not None
        return replace(one, last=replace(one.last, energy=Counting(one.last.energy)))

    found = totals([counted(number) for number in range(500)])
    assert found.device_seconds(0.0) == 4000 * HOUR
    assert asked[0] <= 6 * 4000
