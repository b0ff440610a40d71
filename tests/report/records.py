"""What other tools recorded, small enough to be worked out: a report of each, as is and costed."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from costcalc.report.importing import read
from costcalc.report.importing.costed import Costing

#: four A100 for ten hours at 10 kWh, a job of processors at 2 kWh, one that still runs, one failed
SLURM = """\
JobID|JobName|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw|Submit|Start
1|a|COMPLETED|36000|cpu=8,gres/gpu:a100=4,node=1|36000000|2026-05-01T00:00:00|2026-05-01T00:00:00
2|b|COMPLETED|36000|cpu=8,node=1|7200000|2026-05-01T00:00:00|2026-05-01T00:00:00
3|c|RUNNING|36000|cpu=8,gres/gpu:a100=4,node=1|36000000|2026-05-02T00:00:00|2026-05-02T00:00:00
4|d|FAILED|3600|cpu=8,gres/gpu:a100=4,node=1|0|2026-05-02T00:00:00|2026-05-02T00:00:00
"""
#: three runs of which one has no energy, and one no GPU
CODECARBON = """\
timestamp,project_name,run_id,duration,emissions,energy_consumed,cpu_energy,gpu_energy,ram_energy,\
country_name,country_iso_code,region,codecarbon_version,cpu_model,gpu_count,gpu_model,pue
2026-05-01T12:00:00,p,r1,7200,0.336,6.0,1.5,4.0,0.5,France,FRA,idf,3.0.4,EPYC,4,\
4 x NVIDIA A100-SXM4-80GB,1.2
2026-05-02T12:00:00,p,r2,3600,0,0,0,0,0,France,FRA,idf,3.0.4,EPYC,4,4 x NVIDIA A100-SXM4-80GB,1.2
2026-05-03T12:00:00,p,r3,3600,0.028,0.5,0.4,0,0.1,France,FRA,idf,3.0.4,EPYC,,,1.2
"""
#: two boards at 300 W for an hour, of which eleven minutes lack
_MINUTES = [*range(31), *range(41, 61)]
SMI = "timestamp, index, name, power.draw [W]\n" + "".join(
    f"2026/11/27 1{minute // 60}:{minute % 60:02}:00.000, {board}, NVIDIA A100-SXM4-80GB, 300 W\n"
    for minute in _MINUTES
    for board in (0, 1)
)
WANDB = "_timestamp,system.gpu.0.powerWatts,system.gpu.1.powerWatts\n" + "".join(
    f"{1780000000 + 60 * minute},300,300\n" for minute in _MINUTES
)
DCGM = "#Entity   POWER   TOTEC\nID\n" + "".join(
    f"GPU {board}     300.0     {300_000 * second}\n" for second in range(3601) for board in (0, 1)
)
ZEUS = "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n0,a,3600,1080000,1080000\n"
CARBONTRACKER = """\
2026-11-27 10:00:00 - CarbonTracker: The following components were found: GPU with device(s) \
NVIDIA A100-SXM4-80GB.
2026-11-27 11:00:00 - CarbonTracker:
Actual consumption for 10 epoch(s):
\tTime:\t1:00:00
\tEnergy:\t0.600000000000 kWh
\tCO2eq:\t33.600000000000 g
"""
MLFLOW = "".join(f"{1780000000000 + 60000 * minute} 300 {minute}\n" for minute in _MINUTES)
SOURCES = {
    "slurm": SLURM,
    "codecarbon": CODECARBON,
    "nvidia-smi": SMI,
    "wandb": WANDB,
    "dcgm": DCGM,
    "mlflow": MLFLOW,
    "zeus": ZEUS,
    "carbontracker": CARBONTRACKER,
}
PLACE = Costing(
    changes={
        "site.region": "FR",
        "site.pue": 1.2,
        "price.device_hour": "2 USD",
        "hardware.accelerator": "a100-sxm4-80",
    }
)


@functools.cache
def _read(source: str, costed: bool) -> Any:
    with TemporaryDirectory() as folder:
        if source == "mlflow":
            place = Path(folder)
            for board in (0, 1):
                (place / f"gpu_{board}_power_usage_watts").write_text(MLFLOW, "utf-8")
        else:
            place = Path(folder) / "record_output.log"
            place.write_text(SOURCES[source], "utf-8")
        said = {"interval": 1.0} if source == "dcgm" else {}
        return read(source, place, costing=PLACE if costed else None, **said)


def recorded(source: str, *, costed: bool = False) -> dict[str, Any]:
    """A copy of the report of a tool's record."""
    return dict(copy.deepcopy(_read(source, costed)))
