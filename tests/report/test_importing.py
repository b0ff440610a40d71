"""What other tools measured becomes a measured report; their traps are kept out."""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import cli
from costcalc.base.errors import InputError
from costcalc.report import importing
from costcalc.report.check import verify
from costcalc.report.files import text
from costcalc.report.importing import carbontracker, codecarbon, read, slurm
from costcalc.report.importing.tres import accelerators

RECORDED = Path(__file__).parent / "recorded"
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
    assert [run["role"] for run in report["runs"]] == ["failed", "unknown"]
    assert value(report, "device_hours") == pytest.approx(4 * 1 + 4 * 2)
    energies = [run["energy_it"] for run in report["runs"]]
    assert energies == [None, pytest.approx(2.0)]  # 7.2 MJ, extern not added
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
    assert accelerators(tres).count == number


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


# --- what the tools themselves wrote (recorded/README.md) -----------------------------------------


def test_a_real_sacct_table_with_requeued_and_array_jobs(tmp_path: Path) -> None:
    """GPU seconds of sacct.txt by hand, from the GRES that each job asked for.

    one 4 × 1, typed 4 × 2, gcd 5 × 8, fails 2 × 1, cpu 2 × 0, again 2 × 1 and 6 × 1, cancel 4 × 1,
    both 3 × 3, arr 3 × 3 × 1; the job that was cancelled before it began has no row.
    """
    seconds = 4 + 8 + 40 + 2 + 0 + 2 + 6 + 4 + 9 + 9
    report = checked(read("slurm", RECORDED / "sacct.txt"), tmp_path)
    assert value(report, "device_hours") == pytest.approx(seconds / 3600)
    assert len({run["id"] for run in report["runs"]}) == len(report["runs"]) == 12
    failed = [run["hours"] for run in report["runs"] if run["role"] == "failed"]
    assert failed == [2 / 3600, 2 / 3600, 4 / 3600]  # fails, again (requeued), cancel
    assert value(report, "energy_it") is None
    assert report["results"]["energy_it"]["why"].startswith("Slurm recorded no energy")
    kinds = [(run.get("hardware"), run["devices"]) for run in report["runs"]]
    assert kinds[2] == ("mi250x", 8.0)
    assert kinds[4] == (None, 0.0)  # the job without a GPU
    assert report["runs"][4]["device_hours"] == 0
    assert report["warnings"] == ["devices are GCDs as Slurm counts them: two a MI250X module"]


def test_rows_of_steps_or_not_the_hours_are_the_same() -> None:
    both = [read("slurm", RECORDED / f"{name}.txt") for name in ("sacct", "sacct-X")]
    assert value(both[0], "device_hours") == value(both[1], "device_hours")
    assert [run["id"] for run in both[0]["runs"]] == [run["id"] for run in both[1]["runs"]]


def test_without_duplicates_an_attempt_is_missing_and_it_is_said() -> None:
    whole, part = (read("slurm", RECORDED / f"{n}.txt") for n in ("sacct", "sacct-without-D"))
    assert value(whole, "device_hours") - value(part, "device_hours") == pytest.approx(2 / 3600)
    assert any("without sacct -D" in line for line in part["warnings"])


def test_energy_of_steps_by_attempt(tmp_path: Path) -> None:
    report = checked(read("slurm", RECORDED / "sacct-energy.txt"), tmp_path)
    joules = [run["energy_it"] for run in report["runs"]]
    known = {index: kwh for index, kwh in enumerate(joules) if kwh is not None}
    assert known == {
        1: pytest.approx(0.01),
        2: pytest.approx(0.01),  # srun steps, 36 kJ
        5: pytest.approx(0.002),
        11: pytest.approx(0.002),  # both attempts of the requeued job
    }
    assert value(report, "energy_it") is None  # the others are unknown


@pytest.mark.parametrize("which", ["carbontracker", "carbontracker_output"])
def test_a_real_carbontracker_log_whichever_of_the_two_is_named(which: str, tmp_path: Path) -> None:
    """0.000316008739 kWh of 3 × 4 s at 60 W and PUE 1.58: 12 s × 60 W × 1.58 = 0.000316 kWh."""
    file = next((RECORDED / "carbontracker").glob(f"*Z_{which}.log"))
    report = checked(read("carbontracker", file), tmp_path)
    assert value(report, "energy") == pytest.approx(0.000316008739)
    assert value(report, "energy") == pytest.approx(12 * 60 * 1.58 / 3.6e6, rel=1e-3)
    assert value(report, "energy_it") == pytest.approx(0.000316008739 / 1.58)
    assert value(report, "carbon_operational") == pytest.approx(0.000140623889)
    assert value(report, "wall_clock") == pytest.approx(12 / 3600)
    assert report["measurement"]["meters"][0]["version"] == "2.4.7"
    assert report["results"]["device_hours"]["why"] == (
        "carbontracker found processors alone, no GPU"
    )


def test_an_output_log_alone_says_that_its_pue_is_not_known(tmp_path: Path) -> None:
    log = next((RECORDED / "carbontracker").glob("*_output.log"))
    alone = tmp_path / log.name
    alone.write_text(log.read_text(encoding="utf-8"), encoding="utf-8")
    report = read("carbontracker", alone)
    assert value(report, "energy") == pytest.approx(0.000316008739)
    assert any("PUE" in line for line in report["warnings"])


def test_gpus_of_a_carbontracker_log_are_counted() -> None:
    found = "GPU with device(s) NVIDIA A100, NVIDIA A100. CPU with device(s) X."
    first = f"2026-01-01 00:00:00 - The following components were found: {found}"
    report = carbontracker.read(f"{first}\n{LOG}", "log")
    assert report["runs"][0]["devices"] == 2
    assert report["details"]["hardware"]["name"] == "NVIDIA A100"
    assert value(report, "device_hours") == pytest.approx(1.0)  # half an hour


def test_the_file_that_codecarbon_itself_writes(tmp_path: Path) -> None:
    import codecarbon as package

    for pue in (1.0, 1.2):
        tracker = package.OfflineEmissionsTracker(
            country_iso_code="FRA",
            output_dir=str(tmp_path),
            project_name="secret",
            pue=pue,
            measure_power_secs=1,
            log_level="critical",
            allow_multiple_runs=True,
        )
        tracker.start()
        time.sleep(1.5)
        tracker.flush()  # a second row of the same run
        time.sleep(0.5)
        tracker.stop()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "emissions.csv").read_text("utf-8"))))
    assert len(rows) == 4
    report = checked(read("codecarbon", tmp_path / "emissions.csv"), tmp_path)
    last = [rows[1], rows[3]]
    assert len(report["runs"]) == 2
    assert value(report, "energy") == pytest.approx(sum(float(r["energy_consumed"]) for r in last))
    assert value(report, "energy_it") == pytest.approx(
        float(last[0]["energy_consumed"]) + float(last[1]["energy_consumed"]) / 1.2
    )
    assert value(report, "carbon_operational") == pytest.approx(
        sum(float(r["emissions"]) for r in last)
    )
    assert value(report, "wall_clock") == pytest.approx(
        sum(float(r["duration"]) for r in last) / 3600
    )
    assert "secret" not in text(report)


def test_the_command(tmp_path: Path) -> None:
    table, out = tmp_path / "e.csv", tmp_path / "r.yaml"
    table.write_text(HEAD + row("a", 3600, 1, 2))
    assert cli.run(["report", "import", "codecarbon", str(table), "-o", str(out)]) == 0
    assert cli.run(["report", "verify", str(out)]) == 0
    assert cli.run(["report", "import", "codecarbn", str(table)]) == 2
    with pytest.raises(InputError, match="did you mean codecarbon"):
        read("codecarbn", table)
    with pytest.raises(InputError, match='got "sacct"; here that is slurm'):
        read("sacct", table)


@settings(max_examples=60, deadline=None)
@given(noise=st.text(max_size=200), source=st.sampled_from([codecarbon, carbontracker, slurm]))
def test_noise_is_refused_or_read_never_a_crash(noise: str, source: Any) -> None:
    for start in ("", HEAD, SACCT, LOG):
        try:
            source.read(start + noise, "x")
        except InputError:
            continue


@pytest.mark.parametrize("source", importing.SOURCES)
def test_an_importer_is_asked_for_names_where_its_files_hold_some(source: str) -> None:
    name = f"costcalc.report.importing.{source.replace('-', '_')}"
    module = importlib.import_module(name)
    read = getattr(module, "read_folder", None) or module.read
    assert ("identify" in inspect.signature(read).parameters) == (source in importing.NAMING)
