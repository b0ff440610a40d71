"""Files in which readings or jobs stand more than once, and logs that are mostly gaps."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from costcalc.base.writing import to_yaml
from costcalc.report import verify
from costcalc.report.importing import read
from costcalc.report.importing.costed import Costing

_HEAD = "timestamp, index, name, power.draw [W]"
_START = datetime(2026, 3, 1, 10)


def _log(folder: Path, seconds: list[float]) -> Path:
    """Of one A100 that draws 300 W whenever it is read."""
    stamps = [(_START + timedelta(seconds=s)).strftime("%Y/%m/%d %H:%M:%S.%f") for s in seconds]
    rows = [f"{stamp[:-3]}, 0, NVIDIA A100-SXM4-80GB, 300.00 W" for stamp in stamps]
    path = folder / "gpu.csv"
    path.write_text("\n".join([_HEAD, *rows, ""]))
    return path


@pytest.mark.parametrize("apart", [[0.0, 0.003], [0.0, 0.45], [0.0, 0.02, 0.05]])
def test_loggers_that_wrote_to_one_file_are_one_meter(apart: list[float], tmp_path: Path) -> None:
    # an hour by two or three loggers that read every 10 s, one a moment behind the other
    log = _log(tmp_path, [s + behind for s in range(0, 3601, 10) for behind in apart])
    report = read("nvidia-smi", log)
    energy = report["results"]["energy_it"]
    # 300 W for an hour; it was 0.0001 kWh, with nothing sampled for 1e+02 % of the time
    assert energy["value"] == pytest.approx(0.3)
    assert energy.get("bound") is None
    assert report["measurement"]["gaps"] == 0


def test_bursts_with_pauses_between_stay_gaps(tmp_path: Path) -> None:
    # 10 samples a second apart every 5 minutes: 9 of 300 s are metered
    log = _log(tmp_path, [start + s for start in range(0, 3600, 300) for s in range(10)])
    report = read("nvidia-smi", log)
    # 12 bursts of 9 s at 300 W
    assert report["results"]["energy_it"]["value"] == pytest.approx(12 * 9 * 0.3 / 3600)
    assert report["results"]["energy_it"]["bound"] == "lower"


def test_a_log_of_gaps_says_so_in_words_and_verifies(tmp_path: Path) -> None:
    # 5 s of every 1,795 s, which is less than a pause
    log = _log(tmp_path, [first + s for first in range(0, 36_000, 1795) for s in (0, 5)])
    report = read("nvidia-smi", log, costing=Costing(changes={"site.region": "FR"}))
    assert any("sampled for more than 99 % of the time" in line for line in report["warnings"])
    path = tmp_path / "report.yaml"
    path.write_text(to_yaml(report))
    assert verify(path).discrepancies == ()


def test_jobs_of_two_tables_put_together_count_once(tmp_path: Path) -> None:
    head = "JobID|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw|Submit|Start"
    job = "1|COMPLETED|3600|gres/gpu:a100=4,gres/gpu=4,node=1|5400000|2026-03-01|2026-03-01"
    table = tmp_path / "jobs.txt"
    table.write_text("\n".join([head, job, head, job, ""]))
    report = read("slurm", table)
    # 5.4 MJ are 1.5 kWh, 4 devices for an hour
    assert report["results"]["energy_it"]["value"] == pytest.approx(1.5)
    assert report["results"]["device_hours"]["value"] == pytest.approx(4)
    assert "rows that stand twice count once: 1" in report["warnings"]
