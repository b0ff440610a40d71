"""Logs in which a plain reading is a wrong number that looks sure: bursts, clocks, two meters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.report.check import verified
from costcalc.report.importing import carbontracker, dcgm, nvidia_smi
from costcalc.report.importing import read as source_of
from costcalc.report.importing.costed import Costing

HEAD = "timestamp, index, name, power.draw [W]\n"
PLACE = Costing(
    changes={"site.region": "FR", "site.pue": 1.2, "hardware.accelerator": "a100-sxm4-80"}
)


def ends(report: Any, key: str = "energy_it") -> tuple[float, float, float]:
    """Low, value and high in joules."""
    figure = report["results"][key]
    low, value, high = (figure[end] * 3.6e6 for end in ("low", "value", "high"))
    return low, value, high


def holds(report: Any) -> bool:
    return verified(Document(dict(report), "r")).discrepancies == ()


def smi(seconds: list[float], name: str = "NVIDIA A100-SXM4-80GB", day: str = "2026/11/27") -> str:
    """A board at 300 W, at so many seconds of a day."""
    return HEAD + "".join(
        f"{day} {s // 3600:02.0f}:{s % 3600 // 60:02.0f}:{s % 60:06.3f}, 0, {name}, 300.00 W\n"
        for s in seconds
    )


# --- bursts ---------------------------------------------------------------------------------------

#: two samples 10 s apart, then 90 s without one, nine times: 9 x 10 s of 890 are metered
BURSTS = [float(start + after) for start in range(0, 900, 100) for after in (0, 10)][:-1]


def test_a_log_in_bursts_has_gaps_and_a_range_up_to_the_rating() -> None:
    """8 x 10 s at 300 W are 24 kJ; 8 x 90 s at the 400 W of the board may be 288 kJ more."""
    made: Any = nvidia_smi.read(smi(BURSTS), "gpu.csv")
    assert made["measurement"]["gaps"] == pytest.approx(720 / 800)
    assert ends(made) == pytest.approx((24_000, 24_000, 312_000))
    assert made["results"]["energy_it"]["bound"] == "lower"
    assert (
        "the range goes up to what the boards would have drawn in that time at their rating"
    ) in made["warnings"]
    assert holds(made)


def test_a_board_that_nobody_knows_may_have_drawn_the_most_that_was_seen() -> None:
    """8 x 90 s at 300 W are 216 kJ."""
    made: Any = nvidia_smi.read(smi(BURSTS, "NVIDIA H900"), "gpu.csv")
    assert ends(made) == pytest.approx((24_000, 24_000, 240_000))
    assert any("the most that was seen of each, where its rating" in n for n in made["warnings"])


def test_the_range_of_a_gap_goes_into_what_follows_with_a_place() -> None:
    made: Any = nvidia_smi.read(smi(BURSTS), "gpu.csv", costing=PLACE)
    low, value, high = ends(made)
    assert value == pytest.approx(24_000)
    assert low == pytest.approx(24_000)
    assert high > 200_000  # drawn between both ends
    assert made["run"]["measured"]["energy_it_high"]
    assert holds(made)


def test_the_unit_of_a_power_is_that_of_its_head() -> None:
    with pytest.raises(InputError) as caught:
        nvidia_smi.read(smi([0, 1]).replace("[W]", "[mW]"), "gpu.csv")
    assert str(caught.value).splitlines()[0] == (
        "gpu.csv:1: expected powers in W; got the column power.draw [mW]"
    )


# --- clocks that are changed ----------------------------------------------------------------------


@pytest.mark.parametrize("devices", [1, 8])
@pytest.mark.parametrize(
    ("first", "then", "day", "said"),
    [
        (
            7200,  # an hour from 02:00, then the same hour again
            [(7200, 10800), (7200, 10801)],
            "2026/10/25",
            "the clock of the log went back by an hour at 2026-10-25 02:00:00, as where summer "
            "time ends: taken as that",
        ),
        (
            3600,  # an hour from 01:00, then from 03:00
            [(3600, 7200), (10800, 14401)],
            "2026/03/29",
            "the clock of the log went forward by an hour at 2026-03-29 03:00:00, as where summer "
            "time begins: taken as that",
        ),
    ],
)
def test_a_clock_that_is_changed_adds_no_hour_and_takes_none(
    devices: int, first: int, then: list[tuple[int, int]], day: str, said: str
) -> None:
    """Two hours at 300 W, a sample each half minute: 0.6 kWh a board, whatever the clock says."""
    seconds = [float(s) for begin, end in then for s in range(begin, end, 30)]
    one = smi(seconds, day=day).splitlines()[1:]
    rows = [line.replace(", 0, ", f", {n}, ") for line in one for n in range(devices)]
    made: Any = nvidia_smi.read(HEAD + "\n".join(rows) + "\n", "gpu.csv")
    assert made["results"]["wall_clock"]["value"] == pytest.approx(2.0)
    assert made["results"]["device_hours"]["value"] == pytest.approx(2.0 * devices)
    assert made["results"]["energy_it"]["value"] == pytest.approx(0.6 * devices)
    assert made["measurement"]["gaps"] == 0
    assert said in made["warnings"]


@pytest.mark.parametrize(
    ("before", "day"),
    [
        (36_060, "2026/03/29"),  # until 10:00:50 on a Sunday; 36,000 are 10 h
        (7_200, "2026/03/31"),  # until 01:59:50 on a Tuesday, then from 03:00:00
    ],
)
def test_a_pause_of_an_hour_by_day_or_in_the_week_is_a_pause(before: int, day: str) -> None:
    """Six samples, 3,610 s without any, and six: 50 + 50 s of 3,710."""
    seconds = [*range(before - 60, before, 10), *range(before + 3600, before + 3660, 10)]
    made: Any = nvidia_smi.read(smi([float(s) for s in seconds], day=day), "gpu.csv")
    assert made["results"]["wall_clock"]["value"] == pytest.approx(100 / 3600)
    assert made["measurement"]["gaps"] == 0
    assert (
        "not counted: 1 pause of 1 h in which no device was read, as of a run that was resumed; "
        "devices that were held in them were for 1.03 h, not 0.0278 h"
    ) in made["warnings"]


# --- two meters of one board ----------------------------------------------------------------------


def dmon(watts: float, step: float, interval: float | None = 1.0, **more: Any) -> Any:
    """Ten steps of a board: what it draws by its power, and by its counter (J a row)."""
    rows = "".join(f"GPU 0  {watts}  {1000 * step * row:.0f}\n" for row in range(11))
    text = f"#Entity   POWER    TOTEC\nID        W        mJ\n{rows}"
    return dcgm.read(text, "dcgm.txt", interval=interval, **more)


def test_a_counter_and_a_power_that_disagree_are_told_and_ranged() -> None:
    """10 s: 3,000 J by the counter, 10 x 100 W = 1,000 J by the power, two thirds less."""
    made = dmon(100.0, 300.0)
    assert ends(made) == pytest.approx((1000, 3000, 3000))
    assert (
        "the counters of energy say 0.0008333 kWh, the power sampled beside them comes to "
        "0.0002778 kWh, 66.7 % less: the counters are taken, the range holds both"
    ) in made["warnings"]
    assert holds(made)
    more = dmon(400.0, 300.0)  # 4,000 J
    assert ends(more) == pytest.approx((3000, 3000, 4000))
    assert any("33.3 % more" in note for note in more["warnings"])


def test_a_counter_and_a_power_that_agree_say_nothing() -> None:
    made = dmon(310.0, 300.0)  # 3 % apart
    assert ends(made) == pytest.approx((3000, 3000, 3000))
    assert not any("counters" in note for note in made["warnings"])


def test_of_rows_of_an_unsaid_interval_that_is_told_which_would_fit() -> None:
    """3,000 J of ten rows at 100 W take 30 s: 3 s a row."""
    made = dmon(100.0, 300.0, None)
    assert any("of rows 3 s apart they would be the same" in note for note in made["warnings"])


def test_the_range_of_two_meters_goes_into_what_follows_with_a_place() -> None:
    made = dmon(100.0, 300.0, costing=PLACE)
    low, value, high = ends(made)
    assert value == pytest.approx(3000)
    assert high == pytest.approx(3000)
    assert 1000 <= low < 1500
    assert holds(made)


# --- carbontracker: a block a run -----------------------------------------------------------------


def tracked(stamp: str, epochs: int, time: str, kwh: float, gpu: str = "A", of: int = 3) -> str:
    return (
        f"2026-01-01 {stamp} - CarbonTracker: The following components were found: GPU with "
        f"device(s) {gpu}.\n2026-01-01 {stamp} - CarbonTracker: \n"
        f"Predicted consumption for {of} epoch(s):\n\tTime:\t9:00:00\n\tEnergy:\t90 kWh\n"
        f"2026-01-01 {stamp} - CarbonTracker: \n"
        f"Actual consumption for {epochs} epoch(s):\n\tTime:\t{time}\n"
        f"\tEnergy:\t{kwh:.12f} kWh\n\tCO2eq:\t{100 * kwh:.12f} g\n"
        f"2026-01-01 {stamp} - CarbonTracker: Finished monitoring.\n"
    )


ONE = tracked("01:00:00", 3, "1:00:00", 0.6)
TWO = tracked("04:00:00", 3, "2:00:00", 1.2, "A, A")


def test_two_runs_in_one_log_are_two_runs() -> None:
    """1 h on one board with 0.6 kWh, 2 h on two with 1.2: 5 device-hours and 1.8 kWh."""
    made: Any = carbontracker.read(ONE + TWO, "log")
    assert [run["hours"] for run in made["runs"]] == [1.0, 2.0]
    assert made["results"]["device_hours"]["value"] == pytest.approx(5.0)
    assert made["results"]["energy"]["value"] == pytest.approx(1.8)
    assert made["results"]["carbon_operational"]["value"] == pytest.approx(0.18)
    assert holds(made)


def test_a_run_that_a_log_holds_twice_counts_once() -> None:
    made: Any = carbontracker.read(ONE + ONE, "log")
    once: Any = carbontracker.read(ONE, "log")
    assert made["results"]["energy"]["value"] == pytest.approx(0.6)
    assert "1 run that the log holds again: counted once" in made["warnings"]
    assert made["runs"][0]["id"] == once["runs"][0]["id"]


def test_a_run_of_which_a_part_was_metered_says_so() -> None:
    made: Any = carbontracker.read(tracked("01:00:00", 1, "0:20:00", 0.2), "log")
    assert ("1 of 3 epochs were metered: the energy of any others is not in the figure") in made[
        "warnings"
    ]


def test_runs_of_two_pues_are_refused() -> None:
    log = "multiplied by a PUE coefficient of 1.58 (x).\nmultiplied by a PUE coefficient of 1.2.\n"
    with pytest.raises(InputError, match=r"expected one PUE; the log has 1\.58, 1\.2: a log each"):
        carbontracker.read(log + ONE, "log")


# --- which boards a log is of ---------------------------------------------------------------------

BOARD = "NVIDIA A100-SXM4-80GB"
ELSEWHERE = Costing(changes={"site.region": "FR", "site.pue": 1.2})  # and no accelerator


def named(report: Any) -> str:
    """What a report calls its hardware, costed without a word of the user's about it."""
    assert report["results"]["carbon_total"]["value"] is not None
    return str(report["run"]["hardware"]["accelerator"])


def test_boards_that_discovery_listed_above_a_log_of_dcgmi_are_known() -> None:
    listed = (
        "1 GPU found.\n| GPU ID | Device Information              |\n"
        f"| 0      | Name: {BOARD}    |\n|        | PCI Bus ID: 00000000:07:00.0    |\n"
    )
    rows = "".join(f"GPU 0  300.0  {300_000 * row}\n" for row in range(11))
    text = f"{listed}#Entity   POWER    TOTEC\nID        W        mJ\n{rows}"
    assert named(dcgm.read(text, "d", interval=1.0, costing=ELSEWHERE)) == BOARD
    with pytest.raises(InputError, match=r"no device is recorded, so that its price and power"):
        dcgm.read(text.replace(listed, ""), "d", interval=1.0, costing=ELSEWHERE)


@pytest.mark.parametrize("folder", [".", "files"])
@pytest.mark.parametrize(
    "said", [{"gpu": BOARD, "gpu_count": 2}, {"gpu_nvidia": [{"name": BOARD}, {"name": BOARD}]}]
)
def test_boards_that_the_metadata_of_wandb_name_are_known(
    folder: str, said: dict[str, Any], tmp_path: Path
) -> None:
    rows = "".join(f"{1780000000 + 60 * minute},300,300\n" for minute in range(11))
    export = tmp_path / "system.csv"
    export.write_text(f"_timestamp,system.gpu.0.powerWatts,system.gpu.1.powerWatts\n{rows}")
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "wandb-metadata.json").write_text(json.dumps(said))
    made: Any = source_of("wandb", export, costing=ELSEWHERE)
    assert named(made) == BOARD
    assert made["details"]["hardware"]["count"] == 2


@pytest.mark.parametrize(("kind", "key"), [("params", "gpu_name"), ("tags", "gpu_type")])
def test_boards_that_a_parameter_or_a_tag_of_mlflow_names_are_known(
    kind: str, key: str, tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics" / "system"
    metrics.mkdir(parents=True)
    (metrics / "gpu_0_power_usage_watts").write_text("1000 300 0\n11000 300 1\n")
    (tmp_path / kind).mkdir()
    (tmp_path / kind / key).write_text(f"{BOARD}\n")
    for path in (tmp_path, metrics):
        assert named(source_of("mlflow", path, costing=ELSEWHERE)) == BOARD
    (tmp_path / kind / key).write_text("the big one")
    with pytest.raises(InputError, match=r"no device is recorded, so that its price and power"):
        source_of("mlflow", tmp_path, costing=ELSEWHERE)
