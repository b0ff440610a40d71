"""Logs of power over time: integrals by hand, gaps, and the forms of five tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base import reading
from costcalc.base.errors import InputError
from costcalc.base.reading import read as parse
from costcalc.base.writing import to_yaml
from costcalc.report.check import verified
from costcalc.report.importing import carbontracker, codecarbon, dcgm, nvidia_smi, read, wandb, zeus
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, integrated
from costcalc.report.tools import BOARDS, BOARDS_ONLY


def value(report: Any, key: str) -> float | None:
    found: float | None = report["results"][key]["value"]
    return found


def test_the_integral_by_hand() -> None:
    # 0-2 s: (100 + 300)/2 x 2 = 400 J; 2-3 s: (300 + 100)/2 = 200 J
    found = integrated(Samples("a", [0.0, 2.0, 3.0], [100.0, 300.0, 100.0]))
    assert (found.joules, found.seconds, found.gaps) == (600.0, 3.0, 0.0)


def test_a_gap_is_not_filled_and_named() -> None:
    # a sample a second; then nothing for 100 s
    seconds = [0.0, 1.0, 2.0, 3.0, 103.0, 104.0]
    found = integrated(Samples("a", seconds, [200.0] * 6))
    assert (found.joules, found.seconds, found.gaps) == (800.0, 4.0, 100.0)


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=50), st.floats(0.1, 60))
def test_energy_lies_between_least_and_most_power(watts: list[float], step: float) -> None:
    samples = Samples("a", [i * step for i in range(len(watts))], watts)
    found = integrated(samples)
    assert min(watts) * found.seconds <= found.joules * (1 + 1e-9) + 1e-9
    assert found.joules <= max(watts) * found.seconds * (1 + 1e-9) + 1e-9


SMI = "timestamp, index, name, power.draw [W]\n"


def smi(*rows: str, head: str = SMI) -> Any:
    return nvidia_smi.read(head + "\n".join(rows) + "\n", "gpu.csv")


def test_nvidia_smi() -> None:
    rows = [
        f"2026/11/27 10:00:0{second}.000, {device}, NVIDIA A100-SXM4-80GB, {watts} W"
        for second in range(3)
        for device, watts in ((0, "360.00"), (1, "180.00"))
    ]
    made = smi(*rows)
    # (360 + 180) W x 2 s = 1,080 J = 3e-4 kWh, on two devices
    assert value(made, "energy_it") == pytest.approx(3e-4)
    assert value(made, "device_hours") == pytest.approx(2 * 2 / 3600)
    assert made["details"]["hardware"]["name"] == "NVIDIA A100-SXM4-80GB"
    assert made["measurement"]["gaps"] == 0
    assert "not the host" in made["boundary"]["components"][0]["name"]


def test_nvidia_smi_without_units_in_mean_power_and_with_what_is_not_known() -> None:
    rows = ("2026/11/27 10:00:00.000, 0000:01:00.0, 300.5",
            "2026/11/27 10:00:01.000, 0000:01:00.0, [N/A]",
            "2026/11/27 10:00:02.000, 0000:01:00.0, 299.5")  # fmt: skip
    made = smi(*rows, head="timestamp, pci.bus_id, power.draw.average\n")
    assert value(made, "energy_it") == pytest.approx(600 / 3.6e6)
    assert "1 sample without a power left out" in made["warnings"]


def test_the_pause_of_a_log_that_was_resumed_is_no_time_of_the_run() -> None:
    """Twice half an hour at 300 W, 1.5 h apart: 1 h and 0.3 kWh, not 2.5 h; and so of two boards,
    of which the second came with the second half: 1 h + 0.5 h with the half hour before a gap."""
    seconds = [first + s for first in (0, 7200) for s in range(0, 1801, 10)]
    rows = [f"2026/11/27 {9 + s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}.000, 0, H, 300 W"
            for s in seconds]  # fmt: skip
    made = smi(*rows)
    assert value(made, "device_hours") == pytest.approx(1.0)
    assert value(made, "energy_it") == pytest.approx(0.3)
    assert made["measurement"]["gaps"] == 0
    late = [row.replace(", 0, ", ", 1, ") for row in rows if row >= "2026/11/27 11"]
    both = smi(*sorted([*rows, *late]))
    assert value(both, "device_hours") == pytest.approx(2.0)
    assert value(both, "energy_it") == pytest.approx(0.45)
    assert both["measurement"]["gaps"] == pytest.approx(0.25)


def test_a_resumed_run_of_wandb_did_not_run_in_its_pause() -> None:
    """_runtime goes on from 60 to 70 s where the stamps go on by ten minutes."""
    rows = [f"{1000 + s + (590 if s > 60 else 0)},{s},360.0" for s in range(0, 121, 10)]
    made = wandb.read("_timestamp,_runtime,gpu.0.powerWatts\n" + "\n".join(rows), "w.csv")
    # 120 s at 360 W are 0.012 kWh
    assert value(made, "device_hours") == pytest.approx(120 / 3600)
    assert value(made, "energy_it") == pytest.approx(0.012)
    assert "not counted: 0.164 h in which the run did not run (_runtime)" in made["warnings"]


def test_nvidia_smi_names_its_gaps() -> None:
    stamps = ["10:00:00", "10:00:01", "10:00:02", "10:00:03", "10:16:43"]
    made = smi(*[f"2026/11/27 {stamp}.000, 0, T4, 70 W" for stamp in stamps])
    # 1,000 of 1,003 s
    assert made["measurement"]["gaps"] == pytest.approx(1000 / 1003)
    assert any("lower bound" in note for note in made["warnings"])


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the zone of whoever reads."""

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


def test_nvidia_smi_does_not_hang_on_the_zone_of_its_reader(zone: Callable[[str], None]) -> None:
    # the clocks of Berlin go from 02:00 to 03:00 on this night, those of the log do not
    stamps = [f"{h:02}:{m:02}:00" for h in (1, 2, 3, 4) for m in range(0, 60, 10)]
    rows = [f"2026/03/29 {stamp}.000, 0, T4, 60 W" for stamp in stamps]
    made = []
    for name in ("UTC", "Europe/Berlin"):
        zone(name)
        made.append(smi(*rows))
    # 60 W from 01:00 to 04:50: 23 steps of 600 s
    for one in made:
        assert value(one, "energy_it") == pytest.approx(60 * 23 * 600 / 3.6e6)
    assert made[0]["digest"] == made[1]["digest"]


def test_samples_that_step_back_in_time_are_counted() -> None:
    # a clock set back by two seconds after the third sample; 2 samples of it stand before that
    seconds = (0, 1, 2, 0, 1, 3)
    made = smi(*[f"2026/11/27 10:00:0{second}.000, 0, T4, 70 W" for second in seconds])
    assert value(made, "energy_it") == pytest.approx(70 * 3 / 3.6e6)
    note = "left out: 2 samples that would step back in time, which is a lower bound"
    assert note in made["warnings"]
    assert made["results"]["energy_it"]["bound"] == "lower"


def test_a_run_is_told_apart_by_its_samples_wherever_the_file_lies(tmp_path: Path) -> None:
    rows = [f"2026/11/27 10:00:0{second}.000, 0, T4, 70 W" for second in range(3)]
    ids = []
    for folder, text in (("a", "70 W"), ("b", "70 W"), ("c", "71 W")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "gpu.csv"
        file.write_text(SMI + "\n".join(rows).replace("70 W", text), encoding="utf-8")
        made: Any = read("nvidia-smi", file)
        ids.append(made["runs"][0]["id"])
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            "yesterday, 0, T4, 70 W",
            "gpu.csv:2: timestamp: expected a time such as 2026/11/27 10:00:00.000; "
            'got "yesterday"',
        ),
        ("2026/11/27 10:00:00, 0, T4, hot", 'gpu.csv:2: power.draw: expected watts; got "hot"'),
        (
            "2026/11/27 10:00:00, 0, T4, 70 W",
            "gpu.csv: expected the power of a device at two times or more; nvidia-smi has none",
        ),
    ],
)
def test_nvidia_smi_refusals(row: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        smi(row)
    assert str(caught.value).splitlines()[0] == text


NO_INDEX = "timestamp, name, power.draw [W]\n"
REFUSED = (
    "gpu.csv:1: expected a column that tells devices apart (uuid, pci.bus_id, index): these rows "
    "are of {} devices or more; log --query-gpu=timestamp,index,name,power.draw"
)


def logged(seconds: list[float], *names: str) -> list[str]:
    """A row a device at each time, the devices one after the other within some milliseconds."""
    return [
        f"2026/11/27 10:{second // 60:02.0f}:{second % 60 + 0.003 * number:06.3f}, {name}, 300.00 W"
        for second in seconds
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("devices", [2, 3, 8, 16])
@pytest.mark.parametrize("seconds", [[0, 1, 2], [0, 5, 10, 15, 600, 605, 610]])
def test_nvidia_smi_refuses_several_devices_without_an_index(
    devices: int, seconds: list[float]
) -> None:
    with pytest.raises(InputError) as caught:
        smi(*logged(seconds, *["A100"] * devices), head=NO_INDEX)
    assert str(caught.value).splitlines()[0] == REFUSED.format(devices)


def test_nvidia_smi_refuses_two_rows_of_one_moment_and_two_names() -> None:
    same = ["2026/11/27 10:00:00.000, A100, 300 W", "2026/11/27 10:00:00.000, A100, 200 W"]
    apart = ["2026/11/27 10:00:00.000, A100, 300 W", "2026/11/27 10:00:01.000, T4, 70 W"]
    for rows in (same, apart):
        with pytest.raises(InputError) as caught:
            smi(*rows, head=NO_INDEX)
        assert str(caught.value).splitlines()[0] == REFUSED.format(2)


@pytest.mark.parametrize(
    "seconds",
    [
        list(range(10)),
        [0, 1, 2, 3, 300, 301, 302],  # a pause is none
        [0, 5, 9, 14, 20, 24],  # uneven
        [0, 1, 100],
    ],
)
def test_nvidia_smi_takes_one_device_without_an_index(seconds: list[float]) -> None:
    made = smi(*logged(seconds, "A100"), head=NO_INDEX)
    assert value(made, "energy_it") is not None
    assert value(made, "device_hours") == pytest.approx((seconds[-1] - seconds[0]) / 3600)


DMON = """#Entity   POWER    TOTEC
ID        W        mJ
GPU 0     100.0    1000000
GPU 1     200.0    5000000
GPU 0     100.0    1300000
GPU 1     200.0    5400000
#Entity   POWER    TOTEC
GPU 0     100.0    1600000
GPU 1     200.0    5800000
"""


def test_dcgmi_takes_the_counter_before_the_samples() -> None:
    # 600 J and 800 J by the counters, whatever the time between rows
    for interval in (None, 1.0, 2.0):
        made = dcgm.read(DMON, "dcgm.txt", interval=interval)
        assert value(made, "energy_it") == pytest.approx(1400 / 3.6e6)
    assert value(made, "wall_clock") == pytest.approx(2 * 2 / 3600)


def test_dcgmi_without_a_counter_says_what_it_takes_for_the_time() -> None:
    text = "\n".join(" ".join(line.split()[:-1]) for line in DMON.splitlines() if "ID" not in line)
    made = dcgm.read(text + "\n", "dcgm.txt")
    assert value(made, "energy_it") == pytest.approx(300 * 2 / 3.6e6)
    assert any("say --interval" in note for note in made["warnings"])


def dmon(*rows: str) -> Any:
    head = "#Entity   POWER    TOTEC\nID        W        mJ\n"
    return dcgm.read(head + "\n".join(rows) + "\n", "dcgm.txt", interval=1.0)


def test_a_counter_of_dcgmi_that_is_reset_gives_no_negative_energy() -> None:
    # 900 -> 1,000 J, a new start of the driver, 10 -> 110 -> 210 J: 100 + 100 + 100 J of 4 steps
    rows = [f"GPU 0  100.0  {joules}000" for joules in (900, 1000, 10, 110, 210)]
    made = dmon(*rows)
    assert value(made, "energy_it") == pytest.approx(300 / 3.6e6)
    assert value(made, "wall_clock") == pytest.approx(4 / 3600)
    assert (
        "the counter of energy was reset 1 times: what was used from its last row before to its "
        "first after is not in the figure, which is a lower bound"
    ) in made["warnings"]
    assert not any("reset" in note for note in dmon(*rows[2:])["warnings"])


def test_a_counter_of_dcgmi_counts_for_the_rows_that_know_it() -> None:
    # 100 W at rows 0 and 1; the counter knows rows 2 to 4: 400 J in 2 s. Before, (0, 1): 100 W;
    # (1, 2) from 100 W to the mean of 200 W: 150 J. 100 + 150 + 400 J in 4 s
    made = dmon("GPU 0  100.0  N/A", "GPU 0  100.0  N/A", "GPU 0  N/A  1000000",
                "GPU 0  N/A  1100000", "GPU 0  N/A  1400000")  # fmt: skip
    assert value(made, "energy_it") == pytest.approx(650 / 3.6e6)
    assert value(made, "wall_clock") == pytest.approx(4 / 3600)


def test_rows_of_dcgmi_that_know_nothing_take_their_time() -> None:
    # 100 W at 0 s and 300 W at 2 s: 400 J
    made = dmon("GPU 0  100.0  N/A", "GPU 0  N/A  N/A", "GPU 0  300.0  N/A")
    assert value(made, "energy_it") == pytest.approx(400 / 3.6e6)
    assert value(made, "wall_clock") == pytest.approx(2 / 3600)


def test_zeus_counts_outer_windows_once() -> None:
    text = (
        "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n"
        "10.0,step,1.0,300,300\n"
        "0.0,epoch,100.0,36000,36000\n"
        "200.0,epoch,50.0,18000,18000\n"
    )
    made = zeus.read(text, "zeus.csv")
    # 72 kJ and 36 kJ of the two epochs: 0.03 kWh; 150 s on two devices
    assert value(made, "energy_it") == pytest.approx(0.03)
    assert value(made, "device_hours") == pytest.approx(2 * 150 / 3600)
    assert "1 window lies in another and is in its energy already" in made["warnings"]


def test_zeus_refuses_windows_that_overlap_in_part() -> None:
    head = "start_time,window_name,elapsed_time,gpu0_energy\n"
    with pytest.raises(InputError) as caught:
        zeus.read(f"{head}0.0,epoch,100.0,36000\n60.0,evaluate,100.0,36000\n", "zeus.csv")
    assert str(caught.value).splitlines()[0] == (
        'zeus.csv:3: window "evaluate" overlaps "epoch" of line 2 in part: the energy of both '
        "counts twice; keep one of them"
    )
    # windows that follow one another touch, but for the rounding of their clock
    made = zeus.read(f"{head}0.0,one,100.0004,36000\n100.0,two,100.0,36000\n", "zeus.csv")
    assert value(made, "energy_it") == pytest.approx(0.02)


def test_wandb_as_csv_and_as_json_lines() -> None:
    csv = (
        "_runtime,_timestamp,system.gpu.0.powerWatts,system.gpu.process.0.powerWatts\n"
        "1,1000,100,100\n2,1010,,\n3,1020,300,300\n"
    )
    lines = "\n".join(
        f'{{"_timestamp": {second}, "system.gpu.0.powerWatts": {watts}}}'
        for second, watts in ((1000, 100), (1020, 300))
    )
    for text in (csv, lines):
        # (100 + 300)/2 x 20 s = 4,000 J
        assert value(wandb.read(text, "run"), "energy_it") == pytest.approx(4000 / 3.6e6)
    with pytest.raises(InputError, match=r"expected system metrics of W&B"):
        wandb.read("loss,step\n1,2\n", "run")


def test_mlflow_reads_the_folder_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "metrics" / "system"
    folder.mkdir(parents=True)
    for device in (0, 1):
        file = folder / f"gpu_{device}_power_usage_watts"
        file.write_text("1000 100 0\n11000 300 1\n", encoding="utf-8")
    # 2 x (100 + 300)/2 x 10 s = 4,000 J
    for path in (tmp_path, folder, folder / "gpu_0_power_usage_watts"):
        assert value(read("mlflow", path), "energy_it") == pytest.approx(4000 / 3.6e6)
    (folder / "gpu_0_power_usage_watts").write_text("now hot\n", encoding="utf-8")
    with pytest.raises(InputError, match='expected "milliseconds watts step"; got "now hot"'):
        read("mlflow", tmp_path)


def test_carbontracker_around_a_command() -> None:
    text = (
        "CarbonTracker: The following components were found: CPU with device(s) cpu:0.\n"
        "CarbonTracker: Average carbon intensity during training was 150 gCO2/kWh at detected "
        "location: Copenhagen, DK.\nCarbonTracker: \nActual consumption:\n\tTime:\t0:01:00\n"
        "\tEnergy:\t0.002 kWh\n\tCO2eq:\t0.3 g\nCarbonTracker: Finished monitoring.\n"
    )
    made = carbontracker.read(text, "log")
    assert value(made, "energy") == pytest.approx(0.002)
    assert value(made, "carbon_operational") == pytest.approx(0.0003)
    assert value(made, "wall_clock") == pytest.approx(1 / 60)


def test_a_log_of_powershell_is_read(tmp_path: Path) -> None:
    rows = "".join(f"2026/11/27 10:00:0{i}.000, 0, T4, 70 W\r\n" for i in range(3))
    file = tmp_path / "gpu.csv"
    file.write_bytes((SMI + rows).encode("utf-16"))
    assert value(read("nvidia-smi", file), "energy_it") == pytest.approx(140 / 3.6e6)


def test_a_folder_of_mlflow_in_utf_16_is_read_and_one_too_large_is_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gpu_0_power_usage_watts"
    file.write_bytes("1000 100 0\n11000 300 1\n".encode("utf-16"))
    assert value(read("mlflow", tmp_path), "energy_it") == pytest.approx(2000 / 3.6e6)
    monkeypatch.setattr(reading, "MAX_TEXT", 20)
    with pytest.raises(InputError, match="larger than 0 MB"):
        read("mlflow", tmp_path)


# --- what would be a wrong joule in silence -------------------------------------------------------

HEAD = "timestamp, index, name, power.draw [W]\n"


def smi_rows(second: str = "100.00 W", stamp: str = "2026/11/27 10:00:{:02d}.000") -> str:
    """Two boards each second for 50 s: 200 W, and what ``second`` says."""
    rows = [
        f"{stamp.format(s)}, {board}, A100, {watts}\n"
        for s in range(51)
        for board, watts in ((0, "200.00 W"), (1, second))
    ]
    return HEAD + "".join(rows)


def test_decimals_that_a_comma_cuts_off_are_kept() -> None:
    """200 and 100.9 W over 50 s are 15,045 J."""
    made = nvidia_smi.read(smi_rows("100,90 W"), "gpu.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(15045 / 3.6e6)
    with pytest.raises(InputError, match=r'power\.draw: expected watts; got "100"'):
        nvidia_smi.read(smi_rows("100, 90 W, 1"), "gpu.csv")


def test_a_board_that_tells_no_power_is_named() -> None:
    made = nvidia_smi.read(smi_rows("[N/A]"), "gpu.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(10000 / 3.6e6)
    assert made["results"]["device_hours"]["value"] == pytest.approx(50 / 3600)
    assert (
        "1 of 2 devices never say their power: neither their energy nor their time is counted"
        in made["warnings"]
    )


# --- a device that falls silent, or wakes late, is a gap ------------------------------------------

SILENT = (
    "nothing was sampled for 25 % of the time (up to 20 s a device): that energy is not in the "
    "figure, which is a lower bound"
)


def falls_silent(told: str) -> str:
    """Two boards of 300 W asked each second for 40 s, of which the second says 20 s."""
    rows = []
    for s in range(41):
        rows.append(f"2026/11/27 10:00:{s:02d}.000, 0, A100, 300.00 W\n")
        if s <= 20:
            rows.append(f"2026/11/27 10:00:{s:02d}.010, 1, A100, 300.00 W\n")
        elif told:
            rows.append(f"2026/11/27 10:00:{s:02d}.010, 1, A100, {told}\n")
    return HEAD + "".join(rows)


@pytest.mark.parametrize("told", ["", "[N/A]"])
def test_a_device_that_falls_silent_at_its_end_is_a_gap(told: str) -> None:
    """300 W × (40 + 20) s are 18,000 J; 20 of 2 × 40 device-seconds were not sampled."""
    made = nvidia_smi.read(falls_silent(told), "gpu.csv")
    assert value(made, "energy_it") == pytest.approx(18000 / 3.6e6)
    assert value(made, "device_hours") == pytest.approx(80 / 3600, rel=1e-3)
    assert made["measurement"]["gaps"] == pytest.approx(0.25, rel=1e-3)
    assert SILENT in made["warnings"]


def test_a_log_whose_devices_all_fall_silent_goes_on() -> None:
    """100 W for 20 s, then 20 s of [N/A]: half of the 40 s that the devices were held."""
    rows = [
        f"2026/11/27 10:00:{s:02d}.000, 0, A100, {'100.00 W' if s <= 20 else '[N/A]'}\n"
        for s in range(41)
    ]
    made = nvidia_smi.read(HEAD + "".join(rows), "gpu.csv")
    assert value(made, "energy_it") == pytest.approx(2000 / 3.6e6)
    assert value(made, "device_hours") == pytest.approx(40 / 3600)
    assert made["measurement"]["gaps"] == pytest.approx(0.5)


def test_a_device_that_says_its_power_late_or_once_is_a_gap() -> None:
    """Of 3 × 10 device-seconds the second board tells 6, the third none between two samples."""
    first = Samples("a", [float(s) for s in range(11)], [100.0] * 11)
    late = integrated(Samples("b", [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], [100.0] * 7), 0.0, 10.0)
    assert (late.joules, late.seconds, late.gaps) == (600.0, 6.0, 4.0)
    once = integrated(Samples("c", [0.0], [100.0]), 0.0, 10.0)
    assert (once.joules, once.seconds, once.gaps) == (0.0, 0.0, 10.0)
    # a device that is read last in its turn ends with the log
    assert integrated(first, -0.1, 11.0).gaps == 0.0


def test_a_device_of_wandb_mlflow_and_dcgm_that_falls_silent_is_a_gap(tmp_path: Path) -> None:
    """Two boards, 41 samples at 15 s, the second's cut after 20 intervals: 300 of 1,200 s."""
    head = "_timestamp,system.gpu.0.powerWatts,system.gpu.1.powerWatts\n"
    rows = "".join(f"{15 * n},100,{100 if n <= 20 else ''}\n" for n in range(41))
    (tmp_path / "gpu_0_power_usage_watts").write_text(
        "".join(f"{15000 * n} 100 {n}\n" for n in range(41)), encoding="utf-8"
    )
    (tmp_path / "gpu_1_power_usage_watts").write_text(
        "".join(f"{15000 * n} 100 {n}\n" for n in range(21)), encoding="utf-8"
    )
    table = "#Entity   POWER\nID\n" + "".join(
        f"GPU 0   100.0\nGPU 1   {'100.0' if n <= 20 else 'N/A'}\n" for n in range(41)
    )
    for made in (
        wandb.read(head + rows, "w.csv"),
        read("mlflow", tmp_path),
        dcgm.read(table, "d.txt", interval=15.0),
    ):
        # 100 W × (600 + 300) s
        assert value(made, "energy_it") == pytest.approx(90000 / 3.6e6)
        assert value(made, "device_hours") == pytest.approx(1200 / 3600)
        assert cast("Any", made)["measurement"]["gaps"] == pytest.approx(0.25)


def test_a_torn_last_row_is_left_out_and_said() -> None:
    made = nvidia_smi.read(smi_rows() + "2026/11/27 10:01:01.000, 0, A1", "gpu.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(15000 / 3.6e6)
    assert "the last row is cut off and left out" in made["warnings"]


@pytest.mark.parametrize(
    "stamp", ["2026-11-27 10:00:{:02d}", "2026-11-27T10:00:{:02d}+01:00", "2026/11/27 10:00:{:02d}"]
)
def test_stamps_of_iso_8601_are_read(stamp: str) -> None:
    made = nvidia_smi.read(smi_rows(stamp=stamp), "gpu.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(15000 / 3.6e6)


def test_stamps_in_milliseconds_are_no_seconds() -> None:
    """100 W for 600 s are 1/60 kWh, not a thousand times that."""
    rows = "".join(f"{1_700_000_000_000 + 15_000 * n},100\n" for n in range(41))
    made = wandb.read("_timestamp,system.gpu.0.powerWatts\n" + rows, "w.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(1 / 60)


def test_a_row_without_the_first_stamp_has_the_next() -> None:
    """No _timestamp, and a _runtime from 0 on: 100 W for 600 s."""
    rows = "".join(f",{15 * n},100\n" for n in range(41))
    made = wandb.read("_timestamp,_runtime,system.gpu.0.powerWatts\n" + rows, "w.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(1 / 60)


def test_metrics_of_two_runs_are_refused() -> None:
    head = '"Relative Time (Process)","a - system/gpu.0.powerWatts","b - system/gpu.0.powerWatts"\n'
    with pytest.raises(InputError, match="expected the metrics of one run; these are of 2"):
        wandb.read(head + "0,100,300\n15,100,300\n", "w.csv")


def test_energy_that_zeus_read_elsewhere_is_named() -> None:
    log = (
        "start_time,window_name,elapsed_time,gpu0_energy,cpu0_energy\n1.0,w,3600.0,3600000.0,9.0\n"
    )
    made = zeus.read(log, "z.csv")
    assert made["results"]["energy_it"]["value"] == 1.0
    assert "energy of other parts is not counted: cpu0_energy" in made["warnings"]


# --- a mean power that the meter cannot have seen -------------------------------------------------

FRANCE = Costing(changes={"site.region": "FR", "site.pue": 1.2, "price.device_hour": "2 USD"})


def steady(watts: float, seconds: str = "0123456789") -> str:
    """One A100 of 400 W at most, 52 W when idle, at one power."""
    return HEAD + "".join(
        f"2026/11/27 10:00:0{s}.000, 0, NVIDIA A100-SXM4-80GB, {watts:.2f} W\n" for s in seconds
    )


def found_by_verify(report: Any) -> tuple[str, ...]:
    return verified(parse(to_yaml(report), "r.yaml")).discrepancies


@pytest.mark.parametrize("costing", [None, FRANCE])
@pytest.mark.parametrize(
    ("watts", "bound"),
    [
        # 1.05 × 400 W; 0.9 × 52 W are 46.8 W
        (900.0, "more than a board can draw (420 W)"),
        (421.0, "more than a board can draw (420 W)"),
        (419.0, ""),
        (47.0, ""),
        (46.0, "less than a board draws when idle (52 W)"),
    ],
)
def test_a_meter_of_boards_is_bounded_by_them(
    watts: float, bound: str, costing: Costing | None
) -> None:
    made = cast("Any", nvidia_smi.read(steady(watts), "gpu.csv", costing=costing))
    line = f"mean power of {watts:.3g} W a device: {bound}; a figure cannot be right"
    assert (line in made["warnings"]) is bool(bound)
    assert any(line in one for one in found_by_verify(made)) is bool(bound)
    if not bound:
        assert found_by_verify(made) == ()
        assert not any("mean power" in one for one in made["warnings"])


@pytest.mark.parametrize("costing", [None, FRANCE])
def test_what_was_not_sampled_does_not_make_a_mean_power_too_low(costing: Costing | None) -> None:
    """100 W for 9 of 99 s are 9.1 W over all of them, and 100 W where it was metered."""
    rows = steady(100.0) + "2026/11/27 10:01:39.000, 0, NVIDIA A100-SXM4-80GB, [N/A]\n"
    made = cast("Any", nvidia_smi.read(rows, "gpu.csv", costing=costing))
    assert made["measurement"]["gaps"] == pytest.approx(90 / 99)
    assert not any("mean power" in one for one in made["warnings"])
    assert found_by_verify(made) == ()


def test_a_meter_of_a_machine_is_bounded_by_board_and_host() -> None:
    """8 boards and the host of a DGX A100: 1.05 × 400 + 1.5 × 300 = 870 W a device."""
    head = "duration,energy_consumed,emissions,gpu_count,gpu_model,run_id\n"
    told = []
    for kwh in (6.9, 7.0):  # over 8 device-hours: 862.5 and 875 W
        made: Any = codecarbon.read(
            f"{head}3600,{kwh},1.0,8,8 x NVIDIA A100-SXM4-80GB,r1\n", "emissions.csv"
        )
        told.append([one for one in made["warnings"] if "mean power" in one])
        assert (found_by_verify(made) == ()) is (kwh == 6.9)
    assert told == [
        [],
        [
            "mean power of 875 W a device: more than board and host can draw (870 W), likelier a "
            "meter of a node of more devices, or of several runs; a figure cannot be right"
        ],
    ]


@pytest.mark.parametrize("costing", [None, FRANCE])
@pytest.mark.parametrize(
    ("gpu", "rest", "said"),
    [
        # one A100 of 400 W for 2 h: 0.84 kWh are 1.05 times its rating
        (0.85, 0.1, True),
        (0.83, 0.1, False),
        (0.83, 1.2, False),  # 600 W of two processors and memory beside one board
    ],
)
def test_the_boards_part_of_an_energy_is_bounded_by_them(
    gpu: float, rest: float, said: bool, costing: Costing | None
) -> None:
    head = "duration,energy_consumed,emissions,gpu_count,gpu_model,run_id,gpu_energy,cpu_energy\n"
    row = f"7200,{gpu + rest},1.0,1,1 x NVIDIA A100-SXM4-80GB,r1,{gpu},{rest}\n"
    made: Any = codecarbon.read(head + row, "emissions.csv", costing=costing)
    told = [one for one in made["warnings"] if "mean power" in one]
    line = (
        "energy of its GPUs: mean power of 425 W a device: more than a board can draw (420 W); a "
        "figure cannot be right"
    )
    assert told == [line] * said
    assert any(line in one for one in found_by_verify(made)) is said


def test_runs_that_cannot_be_are_named_and_the_rest_counted() -> None:
    head = "duration,energy_consumed,emissions,gpu_count,gpu_model,run_id\n"
    rows = [f"3600,99,1.0,1,NVIDIA A100-SXM4-80GB,r{n}\n" for n in range(7)]
    made: Any = codecarbon.read(head + "".join(rows), "emissions.csv", ranks="each")
    told = [one for one in made["warnings"] if "mean power" in one or "likewise" in one]
    assert len(told) == 6
    assert told[0].startswith("run 1: mean power of 99,000 W a device: more than board and host")
    assert told[5] == "and 2 runs more likewise"


def test_every_tool_that_reads_boards_is_held_to_them(tmp_path: Path) -> None:
    """Each says the same of its meters, and none of the others does."""
    (tmp_path / "gpu_0_power_usage_watts").write_text("0 100 0\n1000 100 1\n", encoding="utf-8")
    zeus_log = "start_time,window_name,elapsed_time,gpu0_energy\n0,a,10,1000\n"
    made: list[Any] = [
        nvidia_smi.read(steady(100.0), "gpu.csv"),
        dcgm.read("#Entity   POWER\nID\nGPU 0   100\nGPU 0   100\n", "d.txt", interval=1.0),
        wandb.read("_timestamp,system.gpu.0.powerWatts\n0,100\n1,100\n", "w.csv"),
        read("mlflow", tmp_path),
        zeus.read(zeus_log, "z.csv"),
    ]
    assert {one["details"]["imported"]["what"] for one in made} == {BOARDS}
    assert {one["details"]["imported"]["name"] for one in made} == BOARDS_ONLY
