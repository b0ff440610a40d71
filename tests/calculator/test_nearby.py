"""The measured run that an estimate names: what is near, how fast it was, and in which words."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from costcalc.calculator.calculate import estimate
from costcalc.calculator.nearby import Nearby, distance, kind, measured, nearest
from costcalc.catalog.files import data_root

ROOT = Path(__file__).parent.parent.parent
RUN = Nearby("x", "M", "h100-sxm5-80", 8.0, 8e9, 4096.0, 2.0, "full", "bf16", 9e3, "paper")


def _asked(method="lora", length=2048, accelerator="rtx-4090", rate="2000 token/s"):
    return {
        "model": {"preset": "llama-3.1-8b"},
        "training": {"method": method, "tokens": "10M", "sequence_length": length},
        "hardware": {"accelerator": accelerator, "count": 1, "throughput": rate},
    }


@pytest.mark.parametrize(
    ("parameters", "devices", "length", "far"),
    [
        (8e9, 8.0, 4096.0, 0.0),
        (8e9, 16.0, 4096.0, 0.5),  # ln 2 / ln 4
        (8e9, 8.0, 2048.0, 0.5),
        (8e9, 16.0, 8192.0, 1.0),
        (12e9, 8.0, 4096.0, 1.0),  # ln 1.5 / ln 1.5
        (13e9, 8.0, 4096.0, math.inf),  # 1.6 times the model
        (8e9, 64.0, 4096.0, math.inf),  # 8 times the devices
        (8e9, 8.0, 512.0, math.inf),  # an eighth of the length
    ],
)
def test_how_far_a_run_is(parameters: float, devices: float, length: float, far: float) -> None:
    assert distance(RUN, parameters, devices, length) == pytest.approx(far)


@pytest.mark.parametrize(
    ("micro_batch", "length", "far"),
    [
        (2.0, 4096.0, 0.0),
        (None, 4096.0, 0.0),
        (4.0, 2048.0, 0.5),  # half the length, as many tokens at once
        (1.0, 4096.0, 0.5),
        (8.0, 4096.0, 1.0),
        (16.0, 4096.0, math.inf),  # eight times as many at once
    ],
)
def test_how_far_a_batch_is(micro_batch: float | None, length: float, far: float) -> None:
    assert distance(RUN, 8e9, 8.0, length, micro_batch) == pytest.approx(far)
    # where nobody told what was measured, it is as far as is near
    untold = RUN._replace(micro_batch=0.0)
    known = distance(untold, 8e9, 8.0, length)
    expected = known + 1.0 if micro_batch else known
    assert distance(untold, 8e9, 8.0, length, micro_batch) == pytest.approx(expected)


def test_the_nearest_is_of_the_same_chip_precision_and_kind() -> None:
    found = nearest(estimate(_asked(), ranges=False))
    assert found is not None
    run, speed = found
    # torchtune's LoRA of Llama 3.1 8B on one RTX 4090: 3,083 tokens a second, against 2,000
    assert (run.id, run.rate, run.devices, run.sequence_length) == ("O035", 3083, 1, 2048)
    assert run.parameters == pytest.approx(8.03e9, rel=1e-3)
    assert speed == pytest.approx(3083 / 2000, rel=1e-3)
    assert run.words(speed) == (
        "1 × rtx-4090, Llama-3.1-8B, 2 × 2,048 tokens: 1.5 × of this (pytorch/torchtune)"
    )


def test_of_batches_tried_side_by_side_the_fastest_is_named() -> None:
    # Llama 2 7B on NF4, two RTX 3090, 2,048 tokens: 670.45, 1050.7, 1120.3 and 1198.4 tokens a
    # second and device by batches of 1, 4, 10 and 8; against 3,000 of the two
    asked = {
        "model": {"preset": "llama-2-7b"},
        "training": {
            "method": "lora",
            "base_precision": "nf4",
            "tokens": "10M",
            "sequence_length": 2048,
        },
        "hardware": {"accelerator": "rtx-3090", "count": 2, "throughput": "3000 token/s"},
    }
    found = nearest(estimate(asked, ranges=False))
    assert found is not None
    assert (found[0].id, found[0].rate) == ("O009", 1198.4)
    assert found[1] == pytest.approx(1198.4 / 1500, rel=1e-3)
    # who says a micro-batch of one hears of that
    alone = nearest(estimate(asked, changes={"training.micro_batch": 1}, ranges=False))
    assert alone is not None
    assert (alone[0].id, alone[0].rate, alone[0].micro_batch) == ("O002", 670.45, 1)


def test_none_is_near() -> None:
    assert (
        nearest(estimate(_asked("finetune", length=65536, rate="100 token/s"), ranges=False))
        is None
    )
    assert (
        nearest(estimate(_asked(accelerator="gtx-1080-ti", rate="100 token/s"), ranges=False))
        is None
    )
    images = {
        "model": {"preset": "resnet-50"},
        "training": {"samples": "1M"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
    }
    assert nearest(estimate(images, ranges=False)) is None


def test_kinds() -> None:
    assert kind({"method": "lora", "base_precision": "int8"}) == "lora int8"
    assert kind({"method": "lora", "base_precision": "bf16"}) == "lora"
    assert kind({"method": "dpo"}) == "dpo"


def test_the_same_question_has_the_same_answer() -> None:
    first, second = (nearest(estimate(_asked(), ranges=False)) for _ in range(2))
    assert first == second
    for (accelerator, precision, what), runs in measured().items():
        assert all(
            (r.accelerator, r.precision, r.method) == (accelerator, precision, what) for r in runs
        )


def test_the_table_is_what_the_script_writes(tmp_path: Path) -> None:
    made = tmp_path / "nearby.csv"
    command = [sys.executable, ROOT / "scripts/nearby.py", "-o", made]
    subprocess.run(command, check=True, capture_output=True)
    shipped = data_root() / "measurements" / "nearby.csv"
    assert made.read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


def test_the_table_of_an_estimate_names_it(capsys) -> None:
    from costcalc.cli import run as command

    said = "--model llama-3.1-8b --method lora --tokens 10M --accelerator rtx-4090 --count 1"
    assert command(["estimate", *said.split(), "--sequence-length", "2048"]) == 0
    assert "measured nearby" in capsys.readouterr().out
