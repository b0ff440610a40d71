"""What tools print beside readings: messages of a driver, Slurm's sign for no value, JSON."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.report.importing import nvidia_smi, slurm

HEAD = "timestamp, index, name, power.draw [W]\n"


def smi(*rows: str) -> Any:
    lines = [f"2026/11/27 10:00:{at:02d}.000, 0, T4, {said}" for at, said in enumerate(rows)]
    text = "\n".join(line.partition("T4, ")[2] if "!" in line else line for line in lines)
    return nvidia_smi.read(HEAD + text.replace("!", "") + "\n", "gpu.csv")


@pytest.mark.parametrize(
    "message",
    [
        "Unable to determine the device handle for GPU 0000:41:00.0: Unknown Error",
        "Unable to determine the device handle for GPU0: 0000:41:00.0: GPU is lost.  Reboot the "
        "system to recover this GPU",
        "Failed to initialize NVML: Driver/library version mismatch",
        "No devices were found",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    ],
)
def test_a_message_of_the_driver_is_no_reading(message: str) -> None:
    made = smi("60 W", "60 W", f"!{message}", "60 W", "60 W", "60 W")
    assert made["results"]["energy_it"]["value"] == pytest.approx(5 * 60 / 3.6e6)
    told = f'left out: 1 line that is no reading ("{message[:60]}")'
    assert told in made["warnings"]


@pytest.mark.parametrize(
    "said",
    ["[N/A]", "[Unknown Error]", "[GPU requires reset]", "[GPU is lost]", "N/A", "[Not Found]"],
)
def test_what_stands_in_brackets_is_no_power(said: str) -> None:
    made = smi("60 W", "60 W", said, "60 W")
    assert made["results"]["energy_it"]["value"] == pytest.approx(3 * 60 / 3.6e6)
    assert "1 sample without a power left out" in made["warnings"]


def test_other_lines_are_still_problems() -> None:
    with pytest.raises(InputError, match=r"gpu\.csv:3: timestamp: expected a time such as"):
        smi("60 W", "!something else", "60 W")
    with pytest.raises(InputError, match=r"gpu\.csv:3: power\.draw: expected watts"):
        smi("60 W", "many", "60 W")


@pytest.mark.parametrize("said", ["18446744073709551614", "18446744073709551615", "4294967294"])
def test_no_value_of_slurm_is_none(said: str) -> None:
    text = f"JobID|State|AllocTRES|ElapsedRaw|ConsumedEnergyRaw\n1|COMPLETED|gres/gpu=1|60|{said}\n"
    made = slurm.read(text, "jobs.txt")
    assert made["results"]["energy_it"]["value"] is None
    assert not any("wrapped" in note for note in made["warnings"])


def test_sacct_in_json_says_what_to_give() -> None:
    with pytest.raises(InputError) as raised:
        slurm.read('{"jobs": [{"job_id": 1}]}', "jobs.json")
    assert str(raised.value.problems[0]) == (
        "jobs.json:1: JSON of sacct is not read; give the table that sacct -P --format=JobID,"
        "JobName,State,AllocTRES,ElapsedRaw,ConsumedEnergyRaw,Submit,Start,NNodes,NodeList prints"
    )
