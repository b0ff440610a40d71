"""A step's batch that is told in tokens, in sequences, in samples."""

from __future__ import annotations

import pytest
import yaml

import costcalc
from costcalc import InputError


def run(batch: object, **training: object) -> dict[str, object]:
    return {
        "model": {"preset": "llama-3-8b"},
        "training": {"sequence_length": 4096, "global_batch": batch, **training},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    }


def notes(estimate: costcalc.Estimate) -> list[str]:
    return [str(note) for note in (*estimate.notes, *estimate.warnings)]


@pytest.mark.parametrize(
    ("batch", "sequences"),
    [
        ("4M tokens", 977),  # 4,000,000 / 4096 = 976.6
        ("4,194,304 tok", 1024),
        ("1000 tokens", 1),  # less than one sequence
        ("1024 sequences", 1024),
        (1024, 1024),
        ("1k", 1000),
    ],
)
def test_tokens_of_a_step_are_its_sequences(batch, sequences):
    estimate = costcalc.estimate(run(batch, steps=100))
    whole = costcalc.estimate(run(sequences, tokens=100 * sequences * 4096))
    for name in ("training_compute", "step_time", "wall_clock"):
        assert estimate.results[name].value == pytest.approx(whole.results[name].value, rel=1e-12)
    assert not [note for note in notes(estimate) if "global_batch" in note]


def test_steps_of_a_finished_run_are_counted_by_its_tokens():
    # 4,194,304,000 tokens by 1024 x 4096 a step are 1000 steps, of 3600 s
    given = run("4194304 tokens", tokens="4194304000") | {"measured": {"wall_clock": "1000 h"}}
    assert costcalc.estimate(given).results["step_time"].value == pytest.approx(3600)


def test_a_bare_number_that_can_only_be_tokens_is_noted():
    estimate = costcalc.estimate(run("4M", tokens="1T"))
    assert [note for note in notes(estimate) if "global_batch" in note] == [
        "model: training.global_batch: 4,000,000 are taken as sequences of 4,096 tokens, far more "
        "than published runs take: if tokens are meant, write 4000000 tokens"
    ]


@pytest.mark.parametrize("data", [{"samples": "1M"}, {"steps": 100}])
def test_tokens_of_a_step_of_images_are_refused(data):
    given = {
        "model": {"preset": "resnet-50"},
        "training": {"global_batch": "4M tokens", **data},
        "hardware": {"accelerator": "v100-sxm2-16", "count": 8},
    }
    with pytest.raises(InputError) as caught:
        costcalc.estimate(given)
    assert [problem.message for problem in caught.value.problems] == [
        "expected a number of samples, which the data of this model are; got 4,000,000 tokens"
    ]


def test_a_report_of_it_is_the_same_run_again(tmp_path):
    estimate = costcalc.estimate(run("4M tokens", steps=100))
    estimate.save(tmp_path / "costs.yaml")
    made = yaml.safe_load((tmp_path / "costs.yaml").read_text())
    assert made["run"]["training"]["global_batch"] == "4M tokens"
    again = costcalc.estimate(made["run"])
    assert again.results["wall_clock"].value == estimate.results["wall_clock"].value


# --- micro-batches and the batch -----------------------------------------------------------------

TUNED = {
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "lora", "tokens": 1e7, "sequence_length": 512},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def _batch(changes: dict[str, object]) -> float:
    made = costcalc.estimate(TUNED, changes=changes, ranges=False)
    batch = next(a for a in made.assumptions if a.key == "training.global_batch")
    return float(batch.value)


def test_a_usual_batch_has_a_whole_number_of_micro_batches_on_each_device():
    assert _batch({}) == 16  # QLoRA, two on each of eight
    assert _batch({"training.micro_batch": 2}) == 16
    assert _batch({"training.micro_batch": 8}) == 8 * 8
    assert _batch({"training.micro_batch": 3}) == 24
    assert _batch({"training.micro_batch": 32, "hardware.count": 1}) == 32
    # two groups of four tensor ranks: 16 is two micro-batches of four on each
    split = {"hardware.layout.tensor": 4, "training.micro_batch": 4}
    assert _batch(split) == 16


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"training.micro_batch": 16, "training.global_batch": 8},
            "expected at most 8, which is what a step of 8 (training.global_batch) has; got 16",
        ),
        (
            {"training.micro_batch": 16, "training.global_batch": 64,
             "hardware.layout.data": 8, "hardware.layout.sharding": "zero3"},
            "expected at most 8, which is what a step of 64 (training.global_batch) has over 8 "
            "data-parallel groups; got 16",
        ),
    ],
)  # fmt: skip
def test_a_step_has_a_micro_batch_for_each_group(changes, told):
    with pytest.raises(InputError) as caught:
        costcalc.estimate(TUNED, changes=changes)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("training.micro_batch", told)


def test_groups_are_as_few_as_have_a_micro_batch_each():
    # 16 sequences in micro-batches of 8: two groups, whatever the software usually divides
    made = costcalc.estimate(
        TUNED, changes={"training.micro_batch": 8, "training.global_batch": 16}, ranges=False
    )
    assert made.details["layout"]["data"] <= 2


@pytest.mark.parametrize("method", ["finetune", "lora"])
def test_the_longer_the_sequence_the_more_memory_a_layout_takes(method):
    held = [
        costcalc.estimate(
            TUNED,
            changes={"training.method": method, "training.sequence_length": 2**k},
            ranges=False,
        ).results["memory_per_device"].value
        for k in range(18, 22)
    ]  # fmt: skip
    # full logits of the shortest would fill seven devices if sequences stayed whole
    assert held[0] < 80
    assert held == sorted(held)
