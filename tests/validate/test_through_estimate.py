"""Every measured row goes through ``costcalc.estimate`` with the constants of its fold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import yaml

import costcalc
from costcalc.base.errors import InputError
from costcalc.throughput import constants
from costcalc.validate.measurements import COLUMNS, all_measured, folds
from costcalc.validate.run_files import run_of
from costcalc.validate.score import Point
from costcalc.validate.throughput import constants_for, predicted

ROWS = {one.row["id"]: one for one in all_measured()}


@cache
def shipped_point(name: str, hidden: bool) -> Point:
    """What validate predicts of a row with the shipped constants; asked for by several tests."""
    return predicted(ROWS[name], constants.shipped(), hidden=hidden, ranges=False)


def rate(made, row) -> float:
    """Data a second and device, in the unit of the row."""
    found = made.results["throughput"]
    length = float(row["sequence_length"] or 2048)
    by_sequence = found.unit == "token/s" and not row["tokens_per_s"]
    return found.value / float(row["devices"] or 1) / (length if by_sequence else 1.0)


@pytest.mark.parametrize("hidden", [False, True])
def test_every_row_is_what_estimate_says_with_the_shipped_constants(hidden) -> None:
    agree, refused = 0, 0
    for name, one in ROWS.items():
        ours = shipped_point(name, hidden)
        try:
            made = costcalc.estimate(run_of(one.row, hidden=hidden), ranges=False)
        except InputError as error:
            assert ours.predicted is None
            assert ours.refusal == error.problems[0].message
            refused += 1
            continue
        assert ours.predicted == pytest.approx(rate(made, one.row), rel=1e-9), one.row["id"]
        agree += 1
    assert agree + refused == len(ROWS)
    assert agree > 1380


@pytest.mark.parametrize("name", ["T0001", "T1071", "T2953", "T3135", "T0918"])
def test_a_row_reads_the_same_from_a_file(name, tmp_path) -> None:
    one = ROWS[name]
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run_of(one.row)), encoding="utf-8")
    ours = predicted(one, constants.shipped(), ranges=False)
    if ours.predicted is None:
        with pytest.raises(InputError, match="GiB a device"):
            costcalc.estimate(path)
    else:
        assert rate(costcalc.estimate(path), one.row) == pytest.approx(ours.predicted, rel=1e-9)


def test_rows_are_modelled_never_looked_up_in_what_was_measured() -> None:
    # the cells of measured efficiency hold every row: a row must not find itself there
    for one in list(ROWS.values())[::25]:
        if one.sized:
            try:
                made = costcalc.estimate(run_of(one.row), ranges=False)
            except InputError:
                continue
            assert made.results["utilization"].basis == "modelled", one.row["id"]


# --- constants of a fold -------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("first", ["mosaic", "nvidia-megatron"])
def test_two_folds_differ_in_either_order_and_the_shipped_ones_are_back(first, hidden) -> None:
    one = ROWS["T0001"]
    before = predicted(one, constants.shipped(), hidden=hidden)
    order = sorted(["mosaic", "nvidia-megatron"], key=lambda name: name != first)
    found = {name: predicted(one, folds("throughput")[name], hidden=hidden) for name in order}
    assert found["mosaic"].predicted == pytest.approx(
        predicted(one, constants_for("mosaic"), hidden=hidden).predicted, rel=1e-12
    )
    values = {found["mosaic"].predicted, found["nvidia-megatron"].predicted, before.predicted}
    assert len(values) == 3
    lows = {found["mosaic"].low, found["nvidia-megatron"].low, before.low}
    assert len(lows) == 3
    assert predicted(one, constants.shipped(), hidden=hidden) == before
    assert constants.load() is constants.shipped()


def test_the_shipped_constants_are_back_after_a_refusal() -> None:
    alone = dict.fromkeys(("devices", "data", "tensor", "pipeline", "context"), "1")
    one = replace(ROWS["T0001"], row={**ROWS["T0001"].row, **alone})  # 65 B parameters on one
    assert predicted(one, folds("throughput")["mosaic"]).predicted is None
    assert constants.load() is constants.shipped()
    with constants.using({"auto": {"value": 0.5}}):
        assert constants.load()["auto"] == {"value": 0.5}
        with pytest.raises(InputError):
            costcalc.estimate(run_of(one.row))
    assert constants.load() is constants.shipped()


# --- rows as run files ---------------------------------------------------------------------------


def row(**said: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {
        "workload": "llm", "accelerator": "h100-sxm5-80", "devices": "64", "precision": "bf16",
    } | said  # fmt: skip


def test_a_whole_row() -> None:
    assert run_of(ROWS["T0001"].row) == {
        "model": {"architecture": {
            "kind": "decoder", "layers": 80, "hidden": 8192, "heads": 64, "kv_heads": 64,
            "ffn": 32768, "vocabulary": 50368, "gated": False, "tied": True,
        }},
        "training": {
            "precision": "bf16", "tokens": 1e9, "sequence_length": 2048, "attention": "flash2",
            "software": "pytorch", "compiled": False,
            "recompute": "full", "global_batch": 4096.0, "micro_batch": 8,
        },
        "hardware": {
            "accelerator": "h100-sxm5-80", "count": 512,
            "layout": {"data": 512, "tensor": 1, "pipeline": 1, "sharding": "zero3"},
        },
    }  # fmt: skip
    hidden = run_of(ROWS["T0001"].row, hidden=True)
    assert "layout" not in hidden["hardware"]
    assert hidden["training"]["micro_batch"] == 8  # of a model that every device holds whole


def test_what_is_left_out_of_a_layout_follows_by_rule() -> None:
    # 80 layers in 4 stages of 20: ten virtual stages of two; 2^24 / (2048 · 8192 / 8) = 8
    # sequences; 64 / (8 · 4) = 2 replicas · 8 · 4 · 4 = 256 sequences
    run = run_of(row(shape="mpt-70b", sequence_length="2048", tensor="8", pipeline="4"))
    assert run["hardware"]["layout"] == {"tensor": 8, "pipeline": 4, "virtual_pipeline": 10}
    assert run["training"]["micro_batch"] == 8
    assert run["training"]["global_batch"] == 256
    hidden = run_of(row(shape="mpt-70b", tensor="8", pipeline="4", micro_batch="2"), hidden=True)
    assert "micro_batch" not in hidden["training"]


def test_software_and_fabric_of_a_row() -> None:
    run = run_of(row(
        shape="llama-3-70b", tensor="8", overlap="0", sequence_parallel="0", domain="4",
        scale_out="100", method="lora",
    ))  # fmt: skip
    assert run["model"] == {"preset": "llama-3-70b"}
    assert run["training"]["overlap"] is False
    assert run["training"]["method"] == "lora"
    assert run["hardware"]["layout"]["sequence_parallel"] is False
    assert (run["hardware"]["scale_up_domain"], run["hardware"]["scale_out"]) == (4, "100 Gbit/s")


def test_models_by_their_counts_their_flops_and_their_patches() -> None:
    experts = run_of(row(parameters="6.71e11", active="3.7e10"))["model"]
    assert experts == {"parameters": 6.71e11, "active_parameters": 3.7e10}
    net = run_of(row(workload="cnn", shape="cait-s24", devices="8"))
    assert net["model"] == {"forward_flops": 18.7e9, "kind": "vit", "activations": 40.6e6}
    assert "samples" in net["training"]
    # 50 tokens: 7 × 7 patches and a class, 224 / 7 = 32 pixels each
    patches = run_of(row(workload="vit", shape="vit-large-32", sequence_length="50"))
    assert patches["model"]["architecture"]["patch_size"] == 32


# --- refusals ------------------------------------------------------------------------------------


def test_no_configuration_that_ran_is_refused() -> None:
    refused = {
        name: point.refusal
        for name, one in ROWS.items()
        if one.sized
        and one.row["accelerator"] != "gaudi1"  # its profile has no second source
        and (point := shipped_point(name, False)).predicted is None
    }
    assert refused == {}


def test_a_refused_row_says_why_in_the_json(report) -> None:
    data = report.to_dict()
    refused = [point for point in data["points"]["Throughput of other models"]
               if point["predicted"] is None]  # fmt: skip
    assert {point["accelerator"] for point in refused} == {"gaudi1"}
    assert all(point["refusal"].startswith("no accelerator gaudi1") for point in refused)
