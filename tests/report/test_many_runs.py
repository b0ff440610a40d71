"""Reports of very many recorded runs: what is written can be read, and says the same sums."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from costcalc import InputError
from costcalc.report import files
from costcalc.report.check import verify
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.grouped import EACH, together
from costcalc.report.tools import BOARDS

PLACE = Costing(changes={"site.region": "FR", "site.pue": 1.1, "price.device_hour": "2 USD"})


def runs(number: int) -> list[Recorded]:
    """Of 4 devices, odd ones of 1 hour and 1.2 kWh, the others of 3 hours and 3.6 kWh."""
    return [
        Recorded(
            key=str(at), name=f"run {at}", hours=1.0 + 2.0 * (at % 2 == 0), devices=4.0,
            energy_it=1.2 + 2.4 * (at % 2 == 0), hardware="NVIDIA A100-SXM4-80GB",
            began="2026-01-01T00:00:00", machine="m", parts={"gpu": 1.0},
        )
        for at in range(1, number + 1)
    ]  # fmt: skip


def made(recorded: list[Recorded], **more: Any) -> Any:
    known = {"name": "n", "tool": "nvidia-smi", "version": None, "boundary": BOARDS,
             "costing": PLACE}  # fmt: skip
    return report(recorded, **known | more)


def test_few_runs_are_a_stage_each() -> None:
    assert EACH == 100
    assert together(runs(100)) == runs(100)
    assert len(made(runs(3))["stages"]) == 3


def test_very_many_that_differ_in_time_and_energy_alone_stand_together() -> None:
    found = made(runs(200))
    results = {name: figure["value"] for name, figure in found["results"].items()}
    # 100 of 1 hour and 100 of 3: 2 in the mean, 400 × 4 device-hours at 2 USD, 480 kWh × 1.1
    assert results["wall_clock"] == pytest.approx(2.0)
    assert results["device_hours"] == pytest.approx(1600.0)
    assert results["cost"] == pytest.approx(3200.0)
    assert results["energy_it"] == pytest.approx(480.0)
    assert results["energy"] == pytest.approx(528.0)
    (row,) = found["runs"]
    assert (row["number"], row["name"]) == (200.0, "run 1 and 199 more")
    assert row["parts"] == {"cpu": None, "gpu": 200.0, "ram": None}
    assert (row["began"], row["machine"]) == (None, None)
    assert (
        "of 200 runs those that differ in time and energy alone stand together, which leaves 1; "
        "that another rank metered one of their machines would not be noticed"
    ) in found["warnings"]
    assert len(files.text(found)) < 20_000


def test_the_sums_are_those_of_runs_apart() -> None:
    # of 150, the last three in other hands
    others = [replace(run, devices=8.0) for run in runs(147)[-3:]]
    all_runs = [*runs(147), *[replace(run, key=f"o{run.key}") for run in others]]
    at_once = made(all_runs)
    assert [row["number"] for row in at_once["runs"]] == [147.0, 3.0]
    halves = [made(all_runs[:75])["results"], made(all_runs[75:])["results"]]
    for name in ("device_hours", "cost", "energy_it", "energy", "carbon_total"):
        apart = sum(half[name]["value"] for half in halves)
        assert at_once["results"][name]["value"] == pytest.approx(apart, rel=1e-9), name


def test_factors_that_do_not_count_or_are_quotients_keep_none_apart() -> None:
    """1.2 kWh at 50 and at 50.01 g: 75 × 60 g + 75 × 60.012 g = 9.0009 kg, × PUE 1.1."""
    first = replace(runs(1)[0], energy_it=1.2, parts={})
    each = [replace(first, key=str(at), grid=50.0 + 0.01 * (at % 2)) for at in range(150)]
    own = Costing(changes={"site.pue": 1.1, "hardware.accelerator": "a100-sxm4-80"})
    (row,) = made(each, costing=own)["runs"]
    carbon = made(each, costing=own)["results"]["carbon_operational"]["value"]
    assert carbon == pytest.approx(9.0009 * 1.1)
    assert row["number"] == 150.0
    far = [replace(run, grid=50.0 + at, pue=1.0 + at / 1000) for at, run in enumerate(each)]
    assert len(made(far)["runs"]) == 1  # region and PUE of the user count


def test_processors_stand_together_too(tmp_path: Path) -> None:
    """150 of 1.2 kWh on four boards, and 150 of 0.5 kWh without one, all of an hour."""
    board = replace(runs(1)[0], hours=1.0, energy_it=1.2, parts={})
    some = [replace(board, key=str(at)) for at in range(150)]
    bare = [replace(run, key=f"c{run.key}", devices=0.0, hardware=None, energy_it=0.5)
            for run in some]  # fmt: skip
    found = made([*some, *bare], warnings=[f"energy: {BOARDS}"])
    assert [row["number"] for row in found["runs"]] == [150.0, 150.0]
    results = found["results"]
    assert results["energy_it"]["value"] == pytest.approx(150 * 1.7)
    assert results["wall_clock"]["value"] == pytest.approx(300.0)
    assert results["cost"]["known"]["value"] == pytest.approx(150 * 4 * 2)
    assert (results["cost"]["known"]["runs"], results["cost"]["known"]["of"]) == (150.0, 300.0)
    path = tmp_path / "many.yaml"
    path.write_text(files.text(found), encoding="utf-8")
    assert not verify(path).discrepancies


@pytest.mark.parametrize(
    "change", [{"energy_it": None}, {"role": "failed"}, {"hardware": "NVIDIA H100 80GB HBM3"},
               {"hours": None, "device_hours": 8.0}, {"place": "DEU"}, {"pue": 1.3}]
)  # fmt: skip
def test_who_differs_in_more_stands_apart(change: dict[str, Any]) -> None:
    first, *rest = runs(150)
    assert [run.number for run in together([replace(first, **change), *rest])] == [1, 149]


def test_ends_of_runs_stand_for_runs_without_any() -> None:
    # 75 of 1 to 3 kWh about 2, and 75 of 2 that say no ends: 75 + 150 to 225 + 150
    first = replace(runs(1)[0], energy_it=2.0, parts={})
    wide = replace(first, energy_low=1.0, energy_high=3.0)
    each = [replace(first if at % 2 else wide, key=str(at)) for at in range(150)]
    (one,) = together(each)
    assert (one.energy_it, one.energy_low, one.energy_high) == (300.0, 225.0, 375.0)
    # of runs that say none there is none, though an end is of one of them 0
    (none,) = together([replace(run, energy_low=None, energy_high=None) for run in each])
    assert (none.energy_low, none.energy_high) == (None, None)
    (zero,) = together([replace(run, energy_low=0.0) for run in each])
    assert zero.energy_low == 0.0


def test_hours_and_parts_that_some_lack_are_not_summed() -> None:
    first = runs(1)[0]
    each = [replace(first, key=str(at), hours=None, device_hours=8.0) for at in range(150)]
    (one,) = together(each)
    assert (one.hours, one.device_hours) == (None, 150 * 8.0)
    assert one.members == tuple(str(at) for at in range(150))
    some = [replace(run, parts={"gpu": 1.0} | ({"cpu": 0.5} if at else {}))
            for at, run in enumerate(each)]  # fmt: skip
    (one,) = together(some)
    assert one.parts == {"gpu": 150.0}  # one says no processors


def test_what_cannot_be_of_one_is_said_though_the_mean_can() -> None:
    hot = replace(runs(1)[0], name="hot", energy_it=4.0)  # 4 kWh in 4 device-hours: 1,000 W
    found = made([*runs(150)[1:], hot])
    (line,) = [one for one in found["warnings"] if one.startswith("hot: ")]
    assert "1,000 W" in line


def test_it_is_read_and_verified(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    bare = [replace(run, parts={}) for run in runs(2000)]
    path.write_text(files.text(made(bare, warnings=[f"energy: {BOARDS}"])), encoding="utf-8")
    assert not verify(path).discrepancies


def test_what_would_not_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BOUNDS", files.BOUNDS._replace(size=10_000))
    with pytest.raises(InputError) as caught:
        files.text(made(runs(3)), Path("many.yaml"))
    assert str(caught.value).startswith(
        "many.yaml: expected a report of at most 0.01 MB, which is what is read; this would be 0.0"
    )
    assert "take fewer runs at once, and keep their reports apart" in str(caught.value)
