"""Amounts, words and defaults as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc import InputError
from costcalc.cli.options import _duration
from costcalc.runfile.loading import load
from costcalc.runfile.schema import Run, schema
from costcalc.runfile.words import KEYS

RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def said(section: str, key: str, value: object) -> Any:
    run = Run.model_validate({section: {key: value}})
    return getattr(getattr(run, section), key)


@pytest.mark.parametrize(
    ("section", "key", "written", "value"),
    [
        ("training", "tokens", "2.5B tokens", 2.5e9),
        ("measured", "device_hours", "3.3M GPU hours", 3.3e6),
        ("measured", "device_hours", "1,500 GPU-hours", 1500),
        ("training", "tokens", "2.5b", 2.5e9),
        ("training", "tokens", "2,500,000,000", 2.5e9),
        ("training", "tokens", "20 billion", 20e9),
        ("training", "tokens", "1.5 trillion tokens", 1.5e12),
        ("training", "tokens", "15T tok", 15e12),
        ("training", "samples", "52k samples", 52_000),
        ("training", "samples", "1,281,167 images", 1_281_167),
        ("training", "tokens", "1.5×10^12 tokens", 1.5e12),
        ("training", "tokens", "1.5tn", 1.5e12),
        ("training", "tokens", "1 000 000", 1e6),
        ("training", "steps", "1000 steps", 1000),
        ("training", "steps", "10k optimizer steps", 10_000),
        ("training", "steps", "10k iters", 10_000),
        ("training", "steps", "2^15 updates", 32_768),
        ("training", "epochs", "3 epochs", 3),
        ("training", "sequence_length", "4,096 tokens", 4096),
        ("model", "parameters", "125m", 125e6),
        ("model", "parameters", "7B params", 7e9),
        ("model", "forward_flops", "4.09 GMAC", 8.18e9),  # 2 FLOP a multiply-add
        ("model", "forward_flops", "4.09 GMACs", 8.18e9),
        ("model", "forward_flops", "4.09 GMac", 8.18e9),  # as ptflops prints it
        ("hardware", "count", "8 GPUs", 8),
        ("measured", "wall_clock", "36 h", 36 * 3600),
        ("measured", "wall_clock", "1.5d", 1.5 * 86400),
        ("measured", "wall_clock", "36:00:00", 36 * 3600),
        ("measured", "wall_clock", "1-12:30:05", 36 * 3600 + 30 * 60 + 5),
        ("measured", "wall_clock", "2h 30min", 9000),
    ],
)
def test_an_amount_as_people_write_it(section, key, written, value):
    assert said(section, key, written) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("section", "key", "written"),
    [
        ("training", "tokens", "2,5B"),  # a comma that parts no thousands
        ("training", "tokens", "1,50"),
        ("training", "tokens", "2.5B samples"),  # of something else
        ("training", "samples", "1000 tokens"),
        ("measured", "wall_clock", "12:30"),  # hours or minutes?
        ("measured", "wall_clock", "36"),  # of what?
        ("measured", "wall_clock", "36:75:00"),
    ],
)
def test_what_could_be_two_things_is_refused(section, key, written):
    with pytest.raises(ValueError, match="expected"):
        said(section, key, written)


@pytest.mark.parametrize(
    ("section", "key", "written", "message"),
    [
        ("training", "tokens", "1G", 'a number of tokens, more than 0; got "1G"; write 1B, or 1e9'),
        (
            "training",
            "tokens",
            "36,5B",
            'a number of tokens, more than 0; got "36,5B"; a comma parts thousands: write 36.5B',
        ),
        (
            "measured",
            "wall_clock",
            "36,5 h",
            'a time (s, min, h, d, year); got "36,5 h"; a comma parts thousands: write 36.5 h',
        ),
    ],
)
def test_a_number_of_another_spelling_is_told_ours(section, key, written, message):
    with pytest.raises(ValueError, match="expected ") as caught:
        said(section, key, written)
    assert f"expected {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("36", "36 h"), ("1e1", "1e1 h"), ("90 m", "90 m"), ("1h30m", "1h30m"), ("12 %", "12 %")],
)
def test_hours_are_meant_by_a_bare_number_alone(text, hours):
    assert _duration(text) == hours


@pytest.mark.parametrize(
    ("written", "amount", "currency", "per"),
    [
        ("$2.49", 2.49, "USD", ""),
        ("2.49$", 2.49, "USD", ""),
        ("€1.10", 1.10, "EUR", ""),
        ("£1", 1.0, "GBP", ""),
        ("US$2,490", 2490.0, "USD", ""),
        ("USD 2.49", 2.49, "USD", ""),
        ("$2.49/h", 2.49, "USD", "h"),
        ("2.49 USD/GPU-hour", 2.49, "USD", "h"),
        ("2.49 USD/gpu/h", 2.49, "USD", "h"),
        ("2.49 USD per GPU hour", 2.49, "USD", "h"),
    ],
)
def test_money_as_people_write_it(written, amount, currency, per):
    found = said("price", "device_hour", written)
    assert (found.amount, found.currency) == (pytest.approx(amount), currency)
    assert bool(found.per) == bool(per)


def test_multiply_adds_are_said():
    made = costcalc.estimate(
        {**RUN, "model": {"forward_flops": "4.09 GMAC"}, "training": {"samples": "1M"}}
    )
    assert (
        'model.forward_flops: "4.09 GMAC" is taken as 8,180,000,000 FLOP: 2 FLOP a multiply-add'
        in made.warnings
    )


# --- words of other tools ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hardware.gpu": "h100"}, "hardware.gpu: unknown key; here that is hardware.accelerator"),
        ({"hardware.n_gpus": 8}, "hardware.n_gpus: unknown key; here that is hardware.count"),
        (
            {"training.max_length": 4096},
            "training.max_length: unknown key; here that is training.sequence_length",
        ),
        (
            {"training.batch_size": 8},
            "training.batch_size: unknown key; here that is training.global_batch (of all devices,"
            " a step) or training.micro_batch (of one device)",
        ),
        (
            {"training.method": "qlora"},
            "training.method: expected one of pretrain, finetune, lora, frozen, distill, dpo, ppo,"
            ' grpo; got "qlora"; here that is lora, with training.base_precision: nf4',
        ),
        (
            {"measured.source": "sacct", "measured.wall_clock": "10 h"},
            "measured.source: unknown key; here that is measured.wall_clock, typed; costcalc "
            "report import slurm FILE reads sacct's",
        ),
        (
            {"hardware.count": "8x"},
            'hardware.count: expected a whole number of devices, 1 or more; got "8x"; write 8',
        ),
        (
            {"training.tokens": "1.500.000.000"},
            'training.tokens: expected a number of tokens, more than 0; got "1.500.000.000"; '
            "a point parts decimals: write 1,500,000,000",
        ),
        (
            {"training.base_precision": "4bit"},
            "training.base_precision: expected one of nf4, int8, bf16, fp16, fp32;"
            ' got "4bit"; here that is nf4',
        ),
    ],
)
def test_other_tools_words_are_answered_with_ours(changes, message):
    with pytest.raises(InputError) as caught:
        load(RUN, lambda raw, folder: [], changes=changes)
    assert str(caught.value).splitlines()[0] == f"command line: {message}"


def test_no_word_of_others_is_a_key_of_ours_in_its_section():
    model = Run.model_json_schema()
    sections = {name: set(one.get("properties", ())) for name, one in model["$defs"].items()}
    for theirs, ours in KEYS.items():
        section = ours.split(".")[0].capitalize()
        assert theirs not in sections[section], theirs


def test_every_key_says_what_it_is():
    whole = schema()
    records = {"Run": whole, **whole["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, record in records.items()
        for key, told in record.get("properties", {}).items()
        if not told.get("description")
    ]
    assert silent == []


# --- defaults ------------------------------------------------------------------------------------


def lab(tmp_path: Path, text: str = "price: {device_hour: 2 USD}\nsite: {region: FR, pue: 1.2}\n"):
    (tmp_path / "lab.yaml").write_text(text, encoding="utf-8")
    run = tmp_path / "runs" / "run.yaml"
    run.parent.mkdir(exist_ok=True)
    run.write_text(
        "defaults: ../lab.yaml\nmodel: {preset: gpt2}\ntraining: {tokens: 1B}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8}\nsite: {region: DE}\n",
        encoding="utf-8",
    )
    return run


def test_defaults_are_laid_under_and_told_with_their_place(tmp_path):
    run = lab(tmp_path)
    made = costcalc.estimate(run)
    told = {item.key: item for item in made.assumptions}
    pue, price = told["site.pue"], told["price.device_hour"]
    assert (pue.value, pue.basis) == (1.2, "given")
    assert pue.where == f"{run.parent}/../lab.yaml:2:25"
    assert price.where.endswith("lab.yaml:1:22")
    assert made.run["site"]["region"] == "DE"  # the run's own wins
    assert made.run["site"]["pue"] == 1.2  # the report carries it
    assert "defaults" not in made.run


def test_the_environment_names_defaults_too(tmp_path, monkeypatch):
    lab(tmp_path)
    monkeypatch.setenv("COSTCALC_DEFAULTS", str(tmp_path / "lab.yaml"))
    assert costcalc.estimate(RUN).run["site"]["pue"] == 1.2
    without = costcalc.estimate({**RUN, "defaults": None})
    assert "region" not in without.run.get("site", {})


def test_a_report_with_defaults_holds_whatever_the_environment_says(tmp_path, monkeypatch):
    made = costcalc.estimate(lab(tmp_path))
    made.save(tmp_path / "report.yaml")
    monkeypatch.setenv("COSTCALC_DEFAULTS", str(tmp_path / "lab.yaml"))
    assert costcalc.verify(tmp_path / "report.yaml").holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "{path} holds a list; expected keys of a run file"),
        ("", "{path} is empty; expected keys of a run file"),
        (
            "defaults: x\n",
            "{path} names defaults of its own; one file lies under a run file, and none under that",
        ),
        ("stages: [{name: a}]\n", "{path} has stages; they stand in the run file alone"),
        ("site: {region: [\n", "{path}: no YAML: "),
    ],
)
def test_defaults_that_are_none(tmp_path, text, message):
    run = lab(tmp_path, text)
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    path = run.parent / "../lab.yaml"
    assert str(caught.value).startswith(f"{run}:1:11: defaults: {message.format(path=path)}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": "FR"}, "region: unknown key; here that is site.region"),
        ({"hardware.region": "FR"}, "hardware.region: unknown key; here that is site.region"),
        ({"tensor": 2}, "tensor: unknown key; here that is hardware.layout.tensor"),
        (
            {"price.hourly": "2 USD"},
            "price.hourly: unknown key; here that is price.device_hour or price.instance_hour",
        ),
        (
            {"training.seqlen": 512},
            "training.seqlen: unknown key; here that is training.sequence_length",
        ),
        (
            {"training.gradient_accumulation_steps": 4},
            "training.gradient_accumulation_steps: unknown key; here that is training.global_batch:"
            " micro_batch x data-parallel devices x steps accumulated",
        ),
        (
            {"training.precision": "fp16-mixed"},
            "training.precision: expected one of fp32, tf32, fp16, bf16, fp8, mxfp8, fp4; got "
            '"fp16-mixed"; here that is fp16',
        ),
        ({"defaults": ""}, 'defaults: expected the path of a partial run file; got ""'),
    ],
)
def test_a_key_or_a_word_of_another_tool_is_answered_with_ours(changes, message):
    with pytest.raises(InputError) as caught:
        costcalc.estimate(RUN, changes=changes)
    assert str(caught.value).splitlines()[0] == f"command line: {message}"


def test_a_fault_in_the_defaults_is_told_at_its_line(tmp_path):
    run = lab(tmp_path, "site: {pue: 0.5}\n")
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    assert str(caught.value).splitlines()[0] == (
        f"{run.parent}/../lab.yaml:1:13: site.pue: expected a power usage effectiveness, from 1"
        " to 5; got 0.5"
    )
