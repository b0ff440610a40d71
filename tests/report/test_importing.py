"""What other tools measured becomes a measured report; their traps are kept out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import cli
from costcalc.errors import InputError
from costcalc.report.importing import carbontracker, codecarbon, read, slurm
from costcalc.report.verify import verify
from costcalc.report.write import text

HEAD = (
    "timestamp,project_name,run_id,experiment_id,duration,emissions,energy_consumed,"
    "country_name,region,gpu_count,gpu_model,codecarbon_version,pue\n"
)


def row(run: str, seconds: float, kg: float, kwh: float, pue: float = 1.0) -> str:
    return (
        f"2026-01-01T00:00:00,secret,{run},x,{seconds},{kg},{kwh},France,idf,2,"
        f"2 x NVIDIA A100-SXM4-80GB,3.3.2,{pue}\n"
    )


def value(report: dict[str, Any], key: str) -> Any:
    return report["results"][key]["value"]


def checked(report: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "r.yaml"
    path.write_text(text(report), encoding="utf-8")
    verdict = verify(path)
    assert verdict.discrepancies == ()
    return report


def test_codecarbon_flushes_count_once_and_pue_is_taken_out(tmp_path: Path) -> None:
    table = HEAD + row("a", 1800, 0.5, 1.2) + row("a", 3600, 1.0, 2.4, 1.2) + row("b", 7200, 2, 4.8)
    report = checked(codecarbon.read(table, "e.csv"), tmp_path)
    assert report["kind"] == "measured"
    assert len(report["runs"]) == 2
    assert value(report, "device_hours") == pytest.approx(2 * 1 + 2 * 2)
    assert value(report, "energy") == pytest.approx(2.4 + 4.8)
    assert value(report, "energy_it") == pytest.approx(2.4 / 1.2 + 4.8)
    assert value(report, "carbon_operational") == pytest.approx(3.0)
    assert report["measurement"]["meters"][0]["version"] == "3.3.2"


def test_nobody_is_named_unless_asked() -> None:
    table = HEAD + row("a", 3600, 1, 2)
    assert "secret" not in text(codecarbon.read(table, "e.csv"))
    assert "secret" in text(codecarbon.read(table, "e.csv", identify=True))
    jobs = SACCT.replace("100|train", "100|alice-run")
    assert "alice" not in text(slurm.read(jobs, "s"))
    assert "alice-run 100" in text(slurm.read(jobs, "s", identify=True))


def test_codecarbon_energy_of_0_is_unknown(tmp_path: Path) -> None:
    report = checked(codecarbon.read(HEAD + row("a", 3600, 0, 0), "e.csv"), tmp_path)
    assert value(report, "energy") is None
    assert report["results"]["energy"]["why"] == "CodeCarbon recorded no energy"


SACCT = """JobID|JobName|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw|Submit|Start
100|train|NODE_FAIL|3600|cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1||2026-01-01T00:00:00|T1
100|train|COMPLETED|7200|cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1|0|2026-01-01T01:00:00|T2
100.batch|batch|COMPLETED|7200|cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1|7200000||T2
100.extern|extern|COMPLETED|7200|cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1|7200000||T2
"""


def test_slurm_attempts_are_runs_and_steps_are_not(tmp_path: Path) -> None:
    report = checked(slurm.read(SACCT, "s.txt"), tmp_path)
    assert [run["role"] for run in report["runs"]] == ["failed", "final"]
    assert value(report, "device_hours") == pytest.approx(4 * 1 + 4 * 2)
    stages = report["stages"]
    assert stages[0]["results"]["energy_it"]["value"] is None
    assert stages[1]["results"]["energy_it"]["value"] == pytest.approx(
        2.0
    )  # 7.2 MJ, extern not added
    assert value(report, "energy_it") is None
    assert "no energy" in report["results"]["energy_it"]["why"]


@pytest.mark.parametrize(
    ("tres", "number"),
    [
        ("gres/gpu:a100=4,gres/gpu=4", 4.0),
        ("gres/gpu=8", 8.0),
        ("gres/gpu:a=2,gres/gpu:b=3", 5.0),
        ("cpu=4", None),
        ("gres/gpu=0", None),
        ("gres/gpu=x", None),
    ],
)
def test_typed_and_untyped_gpus_are_not_added(tres: str, number: float | None) -> None:
    assert slurm.accelerators(tres) == number


def test_gcds_are_said() -> None:
    report = slurm.read(SACCT.replace("a100", "mi250x"), "s.txt")
    assert "devices are GCDs as Slurm counts them: two a MI250X module" in report["warnings"]


LOG = """2026-01-01 00:00:00 - carbontracker version 2.4.7
2026-01-01 00:10:00 -
Predicted consumption for 10 epoch(s):
\tTime:\t5:00:00
\tEnergy:\t9.000000 kWh
\tCO2eq:\t900.000000 g
2026-01-01 01:00:00 -
Actual consumption for 10 epoch(s):
\tTime:\t0:30:00
\tEnergy:\t1.100000 kWh
\tCO2eq:\t55.000000 g
"""


def test_carbontracker_predictions_are_no_measurements(tmp_path: Path) -> None:
    report = checked(carbontracker.read(LOG, "log"), tmp_path)
    assert value(report, "wall_clock") == pytest.approx(0.5)
    assert value(report, "energy") == pytest.approx(1.1)
    assert math.isclose(value(report, "carbon_operational"), 0.055)
    with pytest.raises(InputError, match="a prediction is not a measurement"):
        carbontracker.read(LOG.split("2026-01-01 01:00:00", maxsplit=1)[0], "log")


def test_the_command(tmp_path: Path) -> None:
    table, out = tmp_path / "e.csv", tmp_path / "r.yaml"
    table.write_text(HEAD + row("a", 3600, 1, 2))
    assert cli.run(["report", "import", "codecarbon", str(table), "-o", str(out)]) == 0
    assert cli.run(["report", "verify", str(out)]) == 0
    assert cli.run(["report", "import", "codecarbn", str(table)]) == 2
    with pytest.raises(InputError, match="did you mean codecarbon"):
        read("codecarbn", table)


@settings(max_examples=60, deadline=None)
@given(noise=st.text(max_size=200), source=st.sampled_from([codecarbon, carbontracker, slurm]))
def test_noise_is_refused_or_read_never_a_crash(noise: str, source: Any) -> None:
    for start in ("", HEAD, SACCT, LOG):
        try:
            source.read(start + noise, "x")
        except InputError:
            continue
