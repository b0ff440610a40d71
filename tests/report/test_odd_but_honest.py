"""Honest reports of run files with keys that few write: none is called a forgery."""

from __future__ import annotations

from pathlib import Path

import pytest

from costcalc import estimate
from costcalc.report import load, verify
from costcalc.report.claims import _accelerator, discrepancies

_SITE = "site: {region: US-CA, pue: 1.4}\nprice: {device_hour: 1.10 USD}\n"
_RUNS = {
    # 4 h of generating in place of what the model makes of it: breakdown.step was the model's
    "generation_time": """
model: {preset: llama-3.2-1b}
training: {method: ppo, prompts: 100k, prompt_length: 200, generation_length: 300,
  sequence_length: 1024, generation_time: 4 h}
hardware: {accelerator: l40s, count: 8}
""",
    # 1.3e20 FLOP in place of 6 × 1e9 × 20e9 = 1.2e20: breakdown.step was that of the latter
    "model_flops": """
model: {parameters: 1B}
training: {tokens: 20B, model_flops: 1.3e20 FLOP}
hardware: {accelerator: mi300x, count: 8}
""",
    "a fraction as share": """
model: {preset: bert-base-uncased}
training: {method: finetune, samples: 25000, sequence_length: 512, global_batch: 32}
hardware: {accelerator: a100-sxm4-40, count: 1, share: 3/7}
""",
    # the count was that of whole devices, and the run "1"
    "a MIG instance by its name": """
model: {preset: gpt2}
training: {tokens: 1B, sequence_length: 1024, global_batch: 64}
hardware: {accelerator: NVIDIA A100-SXM4-40GB MIG 1g.5gb, count: 1}
""",
    # 210 tokens of each 1024 are no padding: 4.9 times the tokens are worked on
    "documents that are padded": """
model: {preset: gpt2}
training: {tokens: 1B, sequence_length: 1024, global_batch: 64, packing: padded, documents: 210}
hardware: {accelerator: a100-sxm4-40, count: 1}
""",
    # CO2e and FLOPs go as the length, so that their quotient varies less than either
    "samples without a length": """
model: {preset: llama-3.2-1b}
training: {method: finetune, samples: 50k, global_batch: 32}
hardware: {accelerator: rtx-4090, count: 1}
""",
    # the FLOPs' range is of the length and of the count by 6·N·D, drawn by themselves
    "samples without a length, of so many parameters": """
model: {parameters: 10M}
measured: {wall_clock: 5 h, energy_it: 0.9 kWh}
training: {samples: 1M}
hardware: {accelerator: rtx-4090, count: 1}
""",
    "utilization on a basis of its own": """
model: {preset: gpt2}
training: {tokens: 10B, sequence_length: 1024, global_batch: 480}
hardware: {accelerator: a100-sxm4-40, count: 8, utilization: 0.4,
  utilization_basis: {peak: bf16, attention: full}}
""",
    "a stage that is over": """
model: {preset: llama-3.2-1b}
hardware: {accelerator: a100-sxm4-80, count: 8}
training: {tokens: 1B}
stages:
  - {name: planned}
  - {name: over, measured: {wall_clock: 3 h}}
""",
}
# energy measured and unsure beside electricity of 0 USD/kWh: it moves no cost
_PRICED = """
model: {preset: llama-3-8b}
training: {method: finetune, tokens: 2B, sequence_length: 4096}
measured: {wall_clock: 36 h, energy_it: 180 kWh, energy_it_low: 170 kWh, energy_it_high: 200 kWh}
hardware: {accelerator: h100-sxm5-80, count: 8}
site: {region: FR}
price: {provider: any}
"""


def _saved(text: str, folder: Path) -> Path:
    run = folder / "run.yaml"
    run.write_text(text)
    return estimate(run).save(folder / "report.yaml")


@pytest.mark.parametrize("name", _RUNS)
def test_an_odd_run_verifies(name: str, tmp_path: Path) -> None:
    verdict = verify(_saved(_RUNS[name] + _SITE, tmp_path))
    assert (verdict.discrepancies, verdict.recomputed) == ((), True)


def test_a_price_of_any_provider_beside_an_unsure_energy_verifies(tmp_path: Path) -> None:
    assert verify(_saved(_PRICED, tmp_path)).discrepancies == ()


def test_a_name_that_nobody_can_type_is_that_of_its_profile(tmp_path: Path) -> None:
    text = _RUNS["model_flops"].replace("mi300x", "gh200-96") + _SITE
    report = _saved(text, tmp_path)
    assert verify(report).discrepancies == ()
    assert "name: NVIDIA GH200 Grace Hopper 96 GB" in report.read_text()


def test_the_name_of_another_profile_is_still_told() -> None:
    assert _accelerator("NVIDIA RTX 4090", "gh200-96") == "rtx-4090"


def test_what_a_step_goes_to_is_the_step_that_the_run_file_makes(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(_RUNS["generation_time"] + _SITE)
    made = estimate(run)
    # 4 h over the optimizer steps of 100,000 prompts at a batch of so many
    step = made.results["step_time"].value
    assert step is not None
    assert sum(made.breakdown["step"].values()) == pytest.approx(step)
    share = made.breakdown["step"]["generation"] / step
    trained = made.values["training_time"]
    assert share == pytest.approx(4 * 3600 / float(trained))


def test_a_card_of_ones_own_that_no_fabric_joins_verifies_without_its_folder(
    tmp_path: Path,
) -> None:
    # an L4 talks through a slot of the host, whose rate the profile says
    shipped = Path(__file__).parents[2] / "hardware_profiles" / "accelerators" / "l4.yaml"
    own = tmp_path / "of-a-person" / "accelerators"
    own.mkdir(parents=True)
    lines = shipped.read_text().splitlines()
    named = {"id:": "id: my-chip", "name:": "name: My Chip"}
    changed = [named.get(line.partition(" ")[0], line) for line in lines]
    (own / "my-chip.yaml").write_text("\n".join(changed) + "\n")
    text = _RUNS["model_flops"].replace("mi300x", "my-chip").replace("count: 8", "count: 4")
    report = _saved(f"{text}{_SITE}profiles: of-a-person\n", tmp_path)
    assert verify(report).discrepancies == ()
    assert "of-a-person/accelerators" not in report.read_text()


def test_a_total_whose_parts_are_open_by_powers_of_ten_verifies(tmp_path: Path) -> None:
    # its 95th percentile passes the sum of those of its parts by 3 % of the range
    text = """
model: {parameters: 120M}
training: {steps: 200, global_batch: 16}
hardware: {accelerator: mi300x, count: 3}
site: {region: "aws:us-east-1"}
"""
    assert verify(_saved(text, tmp_path)).discrepancies == ()


def test_hardware_is_called_what_the_profile_that_is_carried_calls_it(tmp_path: Path) -> None:
    text = _RUNS["model_flops"] + _SITE
    report = load(_saved(text, tmp_path))
    report["details"]["hardware"] |= {"id": "my-chip", "name": "NVIDIA GH200"}
    report["profiles"] = {"any-file.yaml": {"id": "my-chip", "name": "My Chip"}}
    assert (
        "details.hardware.name: NVIDIA GH200; the profile of my-chip that the report carries has "
        "My Chip"
    ) in list(discrepancies(report))
