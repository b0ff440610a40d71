"""Jobs of Slurm that ran on one node at once: its counter is in the energy of each."""

from __future__ import annotations

import pytest

from costcalc.base.errors import InputError
from costcalc.report.importing import nvidia_smi, slurm
from costcalc.report.recompute import recompute

HEAD = "JobID|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw|Start|NodeList|NNodes\n"


def job(number: int, begins: str, nodes: str = "n1", minutes: int = 60, many: int = 1) -> str:
    """A job with two A100 of a node that drew a kilowatt."""
    joules = 60 * minutes * 1000
    return (
        f"{number}|COMPLETED|{60 * minutes}|cpu=8,gres/gpu:a100=2,node={many}|{joules}|"
        f"2026-10-01T{begins}:00|{nodes}|{many}\n"
    )


def energies(*rows: str) -> list[float | None]:
    return [run["energy_it"] for run in slurm.read(HEAD + "".join(rows), "s.txt")["runs"]]


def test_a_counter_that_two_jobs_have_is_neithers() -> None:
    # 3.6 MJ each: one kilowatt-hour of the node, not two
    assert energies(job(1, "00:00"), job(2, "00:00")) == [None, None]
    assert energies(job(1, "00:00"), job(2, "00:30")) == [None, None]
    # one after another; on other nodes; less than a twentieth of the shorter, three minutes of 60
    assert energies(job(1, "00:00"), job(2, "01:00")) == [1.0, 1.0]
    assert energies(job(1, "00:00"), job(2, "00:00", "n2")) == [1.0, 1.0]
    assert energies(job(1, "00:00"), job(2, "00:57")) == [1.0, 1.0]
    assert energies(job(1, "00:00"), job(2, "00:56")) == [None, None]
    # one node of two is enough
    assert energies(job(1, "00:00", "n[1-2]", many=2), job(2, "00:10", "n2")) == [None, None]
    # the first still runs when the third begins
    three = energies(job(1, "00:00", minutes=180), job(2, "00:00", "n2"), job(3, "02:00"))
    assert three == [None, 1.0, None]


def test_it_is_said_once_and_the_report_verifies() -> None:
    made = slurm.read(HEAD + job(1, "00:00") + job(2, "00:00") + job(3, "02:00"), "s.txt")
    said = [told for told in made["warnings"] if "its counter is in the energy of each" in told]
    assert said == [
        "jobs that ran on one node at the same time, so that its counter is in the energy of each: "
        "2 (job 1 beside job 2 on n1, …); their energy is taken as unknown"
    ]
    assert recompute(made).found == ()


def _log(*rows: tuple[str, int, float]) -> str:
    head = "timestamp, index, name, power.draw [W]\n"
    return head + "".join(f"2026/03/01 10:{at}, {i}, NVIDIA H100, {w:.2f} W\n" for at, i, w in rows)


def test_two_machines_in_one_log_are_refused() -> None:
    # device 0 of two nodes at 400 and 600 W: half of the energy was counted, and looked whole
    both = [(f"{10 + m:02}:00.000", 0, w) for m in range(6) for w in (400.0, 600.0)]
    with pytest.raises(InputError, match="device 0 has several, as where logs of several machines"):
        nvidia_smi.read(_log(*both), "n.csv")
    # one row twice, as a log that was appended to has it: five minutes at 400 W are 33.3 Wh
    one = [(f"{10 + m:02}:00.000", 0, 400.0) for m in range(6)]
    made = nvidia_smi.read(_log(*one[:3], *one[2:]), "n.csv")
    assert made["runs"][0]["energy_it"] == pytest.approx(0.4 * 5 / 60)


def test_why_an_energy_is_not_known_is_why_it_is_doubted() -> None:
    """Of one node: 3.6 GJ in an hour are 1 MW; 18 of 60 minutes; two jobs at once; nothing."""
    head = "the energy that Slurm recorded is "
    half = f"{job(1, '00:00')}1.0|COMPLETED|1080|cpu=8|1080000|2026-10-01T00:00:00|n1|1\n"
    cases = (
        (job(1, "00:00").replace("3600000|", "3600000000|"), "none that the job can have drawn"),
        (half.replace("|3600000|2026", "||2026"), "of a part of the job"),
        (job(1, "00:00") + job(2, "00:00"), "of several jobs on one node at once"),
    )
    for rows, why in cases:
        unknown = slurm.read(HEAD + rows, "s.txt")["runs"][0]["unknown"]
        assert unknown["energy_it"] == unknown["energy"] == f"{head}{why}: see warnings"
    (none,) = slurm.read(HEAD + job(1, "00:00").replace("3600000|", "0|"), "s.txt")["runs"]
    assert none["unknown"]["energy_it"].startswith("Slurm recorded no energy")
