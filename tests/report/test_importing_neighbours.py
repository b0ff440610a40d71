"""Jobs of Slurm that ran on one node at once: its counter is in the energy of each."""

from __future__ import annotations

from costcalc.report.importing import slurm
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
