"""A user's table: what is read, and the whole text of what is refused."""

from __future__ import annotations

import io

import pytest

from costcalc.base.errors import InputError
from costcalc.validate import own, validate_own


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        validate_own(io.StringIO(text), "mine.csv")
    return str(caught.value)


def test_numbers_may_have_multiples_and_remarks_do_not_count() -> None:
    text = (
        "# measured on 2026-11-20\n"
        "accelerator, devices, precision, parameters, tokens_per_s, sequence_length\n"
        "h100, 64, bf16, 8B, 9.5k, 8192\n"
        "# the same with fp8\n"
        "h100, 64, fp8, 8.03B, 12k, 8192\n"
    )
    rows = own.read(io.StringIO(text), "mine.csv")
    assert [(r["parameters"], r["tokens_per_s"]) for r in rows] == [
        ("8000000000.0", "9500.0"), ("8030000000.0", "12000.0"),
    ]  # fmt: skip
    assert [r["id"] for r in rows] == ["1", "2"]
    report = validate_own(io.StringIO(text), "mine.csv")
    assert report.tables[0].rows["all"].n == 2
    assert [table.by for table in report.tables] == [
        "source", "accelerator", "precision", "scale", "workload",
    ]  # fmt: skip


def test_all_faults_of_a_table_at_once_with_their_lines() -> None:
    text = (
        "accelerator,devices,precision,parameters,tokens_per_s,gloabl_batch\n"
        "# a remark\n"
        "h100,64,bf61,8B,9k,1\n"
        "h100-sxm5-81,8,bf16,8e9,,\n"
        "h100,,bf16,8e9,-5,\n"
    )
    assert refused(text) == (
        "mine.csv:1: gloabl_batch: unknown column; did you mean global_batch?\n"
        "mine.csv:3: precision: expected one of bf16, fp16, fp32, fp4, fp8, mxfp8, nvfp4, tf32;"
        ' got "bf61"; did you mean bf16?\n'
        "mine.csv:4: tokens_per_s: expected a rate in tokens_per_s; got none\n"
        "mine.csv:4: accelerator: no accelerator h100-sxm5-81;"
        " nearest: h100-sxm5-80, h100-sxm5-64, h100-sxm5-94, h100-sxm5-96; costcalc hardware list"
        " has them all; profiles: takes a folder with one of your own\n"
        'mine.csv:5: tokens_per_s: expected a positive number; got "-5"\n'
        "mine.csv:5: devices: expected a value; the cell is empty\n"
        "6 problems in mine.csv"
    )


def test_a_shape_that_is_not_known_names_the_nearest() -> None:
    text = "accelerator,devices,precision,shape,tokens_per_s\nh100,8,bf16,lama-3-8b,900\n"
    assert refused(text).startswith(
        'mine.csv:2: shape: no preset and no shape of measurements/models.csv "lama-3-8b"; nearest:'
        " llama-3-8b, "
    )


@pytest.mark.parametrize(
    ("name", "kind", "rate"),
    [
        ("vit-b-16", "vit", "samples_per_s"),
        ("sd-1.5", "diffusion", "samples_per_s"),
        ("smollm2-135m", "llm", "tokens_per_s"),
        ("vit-b-16", "", "samples_per_s"),  # as its kind says
        ("sd-1.5", "", "samples_per_s"),
        ("bert-base", "", "tokens_per_s"),
        ("resnet-50", "", "samples_per_s"),
    ],
)
def test_a_preset_is_a_shape(name: str, kind: str, rate: str) -> None:
    text = (
        f"accelerator,devices,precision,workload,shape,global_batch,{rate}\n"
        f"h100,8,bf16,{kind},{name},256,900\n"
    )
    report = validate_own(io.StringIO(text), "mine.csv")
    assert (report.tables[0].rows["all"].n, report.tables[0].rows["all"].refused) == (1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "accelerator,devices,precision,shape,samples_per_s\nh100,8,bf16,vit-large-16,900\n",
            "mine.csv:2: sequence_length: expected the tokens of an image (224 pixels by 16: 197)"
            "\n1 problem in mine.csv",
        ),
        ("", "mine.csv: expected a header; the table is empty\n1 problem in mine.csv"),
        (
            "accelerator,devices,precision,tokens_per_s\n",
            "mine.csv: expected rows under the header\n1 problem in mine.csv",
        ),
        (
            "accelerator,devices,precision,parameters,tokens_per_s\nh100,8,bf16,8B,900,7\n",
            "mine.csv:2: expected as many cells as the header has columns; got more\n"
            "1 problem in mine.csv",
        ),
    ],
)
def test_a_table_that_is_none(text: str, message: str) -> None:
    assert refused(text) == message


def test_a_file_that_is_no_text(tmp_path) -> None:
    from costcalc.cli import run

    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xff\xfe\x00accelerator")
    assert run(["validate", str(path)]) == 2


def test_a_file_that_is_not_there(capsys) -> None:
    from costcalc.cli import run

    assert run(["validate", "nowhere.csv"]) == 2
    assert capsys.readouterr().err == (
        "nowhere.csv: expected a file that can be read; No such file or directory\n"
    )
