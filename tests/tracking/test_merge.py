"""The totals of a job by hand: everything once, nothing twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import named, totals
from costcalc.tracking.records import Device, Energy, Place, Sample, Start


def gpu(joules: float, basis: Any = "measured") -> Energy:
    return Energy(joules=joules, basis=basis, meter="nvml", component="device")


def cpu(joules: float) -> Energy:
    return Energy(joules=joules, basis="modelled", meter="load", component="cpu")


def writer(
    rank: int = 0,
    *,
    at: float = 0.0,
    seconds: float = 100.0,
    world: int = 1,
    node: int = 0,
    nodes: int = 1,
    boot: str = "",
    attempt: str | None = None,
    devices: str = "",
    energy: dict[str, Energy] | None = None,
    job: str = "j",
    machine: dict[str, object] | None = None,
    **sample: Any,
) -> Written:
    boot = boot or f"boot{node}"
    place = Place(rank=rank, world=world, node=node, nodes=nodes, job=job, attempt=attempt)
    found = tuple(Device(uuid=f"{boot}/{name}", name="H100") for name in devices)
    start = Start(
        job=job,
        writer=f"w{node}.{rank}.{at}",
        time=at,
        place=place,
        boot=boot,
        host="h",
        devices=found,
        machine=machine or {},
    )
    return Written(
        start=start, last=Sample(time=at + seconds, elapsed=seconds, energy=energy or {}, **sample)
    )


def test_one_process() -> None:
    found = totals(
        [
            writer(
                seconds=3600,
                steps=10,
                tokens=5e6,
                devices="ab",
                timed=9,
                busy=90.0,
                energy={"gpu:a": gpu(7.2e6), "cpu:b": cpu(3.6e6)},
            )
        ]
    )
    assert found.elapsed == 3600
    assert found.device_seconds(1) == 7200
    assert (found.steps, found.tokens, found.timed, found.busy) == (10, 5e6, 9, 90.0)
    assert found.joules() == 10.8e6
    assert found.joules("device") == 7.2e6
    assert found.joules("memory") is None
    assert named(found.devices) == {"H100": 2}


def test_four_ranks_that_all_meter_the_same_node_count_once() -> None:
    energy = {"gpu:a": gpu(1e6), "cpu:b": cpu(5e5)}
    ranks = [
        writer(r, world=4, at=r * 0.1, tokens=100.0, devices="abcd", energy=energy)
        for r in range(4)
    ]
    found = totals(ranks)
    assert found.joules() == 1.5e6
    assert len(found.devices) == 4
    assert found.tokens == 400
    assert found.elapsed == pytest.approx(100.3)  # from the first start to the last word


@pytest.mark.parametrize(
    ("layout", "tokens"),
    [
        ({}, 800.0),  # eight replicas
        ({"tensor": 2}, 400.0),
        ({"tensor": 2, "pipeline": 2}, 200.0),
        ({"tensor": 4, "pipeline": 2}, 100.0),
        ({"context": 2, "data": 4}, 400.0),
        ({"tensor": 64}, 100.0),  # a layout of another run: the job is one replica at least
    ],
)
def test_ranks_of_a_replica_count_once(layout: dict[str, int], tokens: float) -> None:
    ranks = [writer(r, world=8, tokens=100.0) for r in range(8)]
    assert totals(ranks, layout=layout).tokens == tokens


def test_a_rank_that_counts_for_all_says_so() -> None:
    found = totals([writer(0, world=8, tokens=100.0)], layout={"tensor": 2})
    assert found.tokens == 400.0
    assert found.notes == (
        "tokens: 1 of 8 ranks counted; the others are taken to have seen as many",
    )


def test_total_tokens_are_job_wide() -> None:
    ranks = [writer(r, world=2, tokens=1.0, total_tokens=1000.0 + r) for r in range(2)]
    assert totals(ranks).tokens == 1001.0


def test_a_restart_goes_on_with_the_sum_and_is_listed() -> None:
    first = [
        writer(
            r,
            world=2,
            tokens=50.0,
            steps=5,
            devices="ab",
            status="running",
            energy={"gpu:a": gpu(1e6)},
        )
        for r in range(2)
    ]
    second = [
        writer(
            r,
            world=2,
            at=500.0,
            tokens=70.0,
            steps=7,
            devices="ab",
            status="completed",
            energy={"gpu:a": gpu(2e6)},
        )
        for r in range(2)
    ]
    found = totals(first + second)
    assert [(a.began, a.elapsed, a.status) for a in found.attempts] == [
        (0.0, 100.0, "running"),
        (500.0, 100.0, "completed"),
    ]
    assert found.elapsed == 200.0  # the wait between them held nothing
    assert (found.tokens, found.steps, found.joules()) == (240.0, 12, 3e6)


def test_an_elastic_restart_has_its_own_world() -> None:
    early = [writer(r, world=4, attempt="0", tokens=10.0, devices="abcd") for r in range(4)]
    late = [writer(r, world=2, at=200.0, attempt="1", tokens=10.0, devices="ab") for r in range(2)]
    found = totals(early + late)
    assert found.tokens == 60.0
    assert found.device_seconds(0) == 4 * 100 + 2 * 100


def test_a_command_around_a_launcher_is_of_the_same_attempt() -> None:
    around = writer(at=0.0, seconds=120.0, energy={"cpu:b": cpu(9e5)})
    ranks = [
        writer(r, world=4, at=5.0, attempt="0", tokens=10.0, energy={"cpu:b": cpu(7e5)})
        for r in range(4)
    ]
    found = totals([around, *ranks])
    (attempt,) = found.attempts
    assert (found.elapsed, found.tokens, found.joules()) == (120.0, 40.0, 9e5)
    assert (attempt.world, attempt.status) == (4, "running")


def test_nodes_that_are_missing_or_there_twice_are_named() -> None:
    ranks = [
        writer(0, world=4, node=0, nodes=4),
        writer(1, world=4, node=2, nodes=4),
        writer(2, world=4, node=2, nodes=4, boot="other"),
    ]
    (attempt,) = totals(ranks).attempts
    assert attempt.missing == (1, 3)
    assert attempt.duplicate == (2,)
    assert (attempt.nodes, attempt.nodes_expected) == (2, 4)


def test_meters_apart_in_time_add_up_and_the_weaker_names_the_sum() -> None:
    found = totals(
        [
            writer(at=0.0, energy={"gpu:a": gpu(1e6)}),
            writer(at=100.0, energy={"gpu:a": gpu(1e6, "modelled")}),
        ]
    )
    assert found.energy["gpu:a"].joules == 2e6
    assert found.energy["gpu:a"].basis == "modelled"


def test_records_of_two_jobs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the records of one job; got 2"):
        totals([writer(job="a"), writer(job="b")])
    with pytest.raises(ValueError, match="expected the records of one job; got 0"):
        totals([])


@given(order=st.randoms(use_true_random=False), ranks=st.integers(1, 6), who=st.integers(0, 5))
def test_neither_the_order_nor_who_metered_matters(
    order: random.Random, ranks: int, who: int
) -> None:
    def job(meters: int) -> list[Written]:
        energy = {"gpu:a": gpu(1e6)}
        return [
            writer(r, world=ranks, tokens=10.0, energy=energy if r == meters else None)
            for r in range(ranks)
        ]

    mixed = job(who % ranks)
    order.shuffle(mixed)
    one, other = totals(job(0)), totals(mixed)
    assert one.energy == other.energy
    assert (one.tokens, one.elapsed) == (other.tokens, other.elapsed)


# --- gaps of a meter ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "joules"),
    [
        (0.0, 1000.0),
        (0.5, 1000.0 * 100 / 99.5),  # 1000 J in the 99.5 s that were seen, of 100 s
        (20.0, 1000.0 * 100 / 80),
        (50.0, 1000.0 * 100 / 50),  # half was seen: the other half is taken at its mean power
        (50.1, 1000.0),  # more than half was missed: what was seen is all that is claimed
        (100.0, 1000.0),
    ],
)
def test_a_gap_is_filled_at_the_mean_power_up_to_half(gap: float, joules: float) -> None:
    found = totals([writer(energy={"cpu:a": replace(cpu(1000.0), gap=gap)})])
    assert found.joules() == pytest.approx(joules, rel=1e-12)
    assert found.energy["cpu:a"].gap == gap


def test_gaps_above_half_of_one_meter_leave_the_other_alone() -> None:
    # 1000 J with 80 of 100 s missed stay 1000 J; 500 J with 20 of 100 s missed become 625 J.
    energy = {"cpu:a": replace(cpu(1000.0), gap=80.0), "cpu:b": replace(cpu(500.0), gap=20.0)}
    assert totals([writer(energy=energy, gaps=80.0)]).joules() == pytest.approx(1000.0 + 625.0)


def test_gaps_of_attempts_add_up_and_of_writers_at_once_do_not() -> None:
    first = writer(gaps=3.0, energy={"cpu:a": replace(cpu(97.0), gap=3.0)})
    beside = writer(1, world=2, gaps=2.0)
    later = writer(at=200.0, gaps=4.0, energy={"cpu:a": replace(cpu(96.0), gap=4.0)})
    found = totals([first, beside, later])
    assert found.gaps == max(3.0, 2.0) + 4.0
    # 97 J in 97 s and 96 J in 96 s: 1 W, so 100 J each.
    assert found.energy["cpu:a"].joules == pytest.approx(200.0)
    assert found.energy["cpu:a"].gap == 3.0 + 4.0


def test_of_meters_at_once_the_one_that_saw_most_counts() -> None:
    # Both over the same 100 s; the third begins as they end, and adds.
    both = [writer(r, world=2, energy={"cpu:a": cpu(10.0 + r)}) for r in range(2)]
    after = writer(at=100.0, energy={"cpu:a": cpu(5.0)})
    assert totals([*both, after]).joules() == 11.0 + 5.0
    # One that overlaps both ends of them is of the same time: no more than the most, 20 J in 100 s,
    # which is 0.2 W; the launch holds the device for 190 s, of which it missed 90.
    over = writer(2, world=3, at=90.0, energy={"cpu:a": cpu(20.0)})
    assert totals([*both, over]).joules() == pytest.approx(0.2 * 190)


def test_an_overlap_lasts_until_the_last_of_it_ends() -> None:
    # 0-100 s, 10-20 s, then 50-150 s: the second does not end the first's time.
    spans = [(0.0, 100.0, 7.0), (10.0, 10.0, 1.0), (50.0, 100.0, 9.0)]
    found = totals(
        [
            writer(rank, world=3, at=at, seconds=seconds, energy={"cpu:a": cpu(joules)})
            for rank, (at, seconds, joules) in enumerate(spans)
        ]
    )
    # 9 J in 100 s; the launch holds the device for 150 s
    assert found.joules() == pytest.approx(9.0 / 100 * 150)


def test_a_gap_of_a_device_is_unseen_and_no_joule_is_added() -> None:
    # 7 s of one and 20 s of the other: 27 device-seconds of 200, at 3000 J in the 173 s
    energy = {
        "gpu:boot0/a": replace(gpu(1000.0), gap=7.0),
        "gpu:boot0/b": replace(gpu(2000.0), gap=20.0),
        "cpu:boot0": cpu(500.0),
    }
    found = totals([writer(devices="ab", energy=energy, gaps=20.0)])
    assert found.joules("device") == 3000.0
    assert found.unseen == pytest.approx(27.0)
    assert found.device_watts == pytest.approx(3000 / 173)
    assert found.joules_of_all() == pytest.approx(3500 + 27 * 3000 / 173)


def test_devices_that_no_meter_saw_leave_the_whole_unknown() -> None:
    found = totals([writer(devices="ab", energy={"cpu:boot0": cpu(500.0)})])
    assert (found.joules(), found.joules_of_all(), found.device_watts) == (500.0, None, None)
    assert totals([writer(energy={"cpu:boot0": cpu(500.0)})]).joules_of_all() == 500.0


def test_where_nobody_says_how_many_nodes_there_are_none_is_missing() -> None:
    lone = writer()
    place = replace(lone.start.place, node=None, nodes=None)
    (attempt,) = totals([replace(lone, start=replace(lone.start, place=place))]).attempts
    assert (attempt.nodes, attempt.nodes_expected, attempt.missing) == (1, None, ())


def test_a_rank_that_begins_as_it_ends_is_a_new_attempt() -> None:
    assert len(totals([writer(at=0.0), writer(at=100.0)]).attempts) == 2
    # a clock may be set back by seconds between one process and the next
    assert len(totals([writer(at=0.0), writer(at=95.0)]).attempts) == 2
    assert len(totals([writer(at=0.0), writer(at=94.9)]).attempts) == 1
    # The tracker within lives longer: what begins while it does is of the same launch.
    nested = [writer(at=0.0), writer(at=50.0, seconds=100.0), writer(at=120.0)]
    assert len(totals(nested).attempts) == 1
    shorter = [writer(at=0.0), writer(at=10.0, seconds=20.0), writer(at=60.0)]
    assert len(totals(shorter).attempts) == 1


def test_device_seconds_are_each_attempts_own() -> None:
    with_devices = writer(devices="ab", seconds=10.0)
    without = writer(at=50.0, seconds=100.0, machine={"unmetered": {"NVML": "no NVIDIA driver"}})
    # 10 s x 2 devices that were seen + 100 s x 8 that were not
    assert totals([with_devices, without]).device_seconds(8.0) == 10.0 * 2 + 100.0 * 8


def test_steps_and_their_time_are_the_first_ranks_not_the_sum() -> None:
    ranks = [
        writer(r, world=2, steps=10 + r, timed=9 - r, busy=90.0 - r, tokens=None) for r in range(2)
    ]
    found = totals(ranks)
    assert (found.steps, found.timed, found.busy) == (11, 9, 90.0)
    again = [writer(r, at=500.0, world=2, steps=5, timed=4, busy=40.0) for r in range(2)]
    found = totals(ranks + again)
    assert (found.steps, found.timed, found.busy) == (11 + 5, 9 + 4, 90.0 + 40.0)
    assert found.tokens is None
