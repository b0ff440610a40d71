"""The peak that utilization divides by."""

import subprocess
import sys

import numpy
import pytest

import costcalc
from costcalc import InputError
from costcalc.catalog.accelerator import find
from costcalc.catalog.parts import more_than_one
from costcalc.catalog.peak import told
from costcalc.cli import run


@pytest.mark.parametrize(
    ("name", "precision", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989.4),  # datasheet: 1978.9 with sparsity
        ("NVIDIA A100-SXM4-80GB", "bf16", 312.0),
        ("Tesla V100-SXM2-32GB", "fp16", 125.0),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bf16", 312.0 * 14 / 108),  # 14 of 108 SMs
        ("NVIDIA H100 80GB HBM3 MIG 1g.20gb", "bf16", 989.4 * 26 / 132),
        ("h100", "fp8", 1978.9),
    ],
)
def test_a_dense_peak(name, precision, tflops):
    assert costcalc.peak(name, precision) == pytest.approx(tflops * 1e12, rel=1e-9)


def test_utilization_by_hand():
    # 3.2e15 FLOP in 8.1 s on 8 devices of 312e12 FLOP/s: 3.2e15 / (8.1 * 8 * 312e12)
    found = costcalc.mfu(3.2e15, 8.1, "NVIDIA A100-SXM4-80GB", devices=8)
    assert found == pytest.approx(3.2e15 / (8.1 * 8 * 312e12))


def test_what_it_has_not_is_said():
    with pytest.raises(InputError) as caught:
        costcalc.peak("Tesla V100-SXM2-32GB", "fp8")
    assert str(caught.value) == (
        'precision: v100-sxm2-32 has no "fp8"; its profile has fp16, fp32, fp64'
    )


@pytest.mark.parametrize(
    ("spelt", "tflops"),
    [  # B200: 2250 of bf16 and fp16, 1125 of tf32, 75 of fp32, 4500 of fp8, 9000 of fp4
        *((each, 2250) for each in ("torch.bfloat16", "BF16", "float16", "half", "torch.half")),
        *((each, 1125) for each in ("TF32", "tensorfloat32")),
        *((each, 75) for each in ("float32", "torch.float", "f32")),
        *((each, 4500) for each in ("fp8_e4m3", "float8_e5m2", "torch.float8_e4m3fn", "mxfp8")),
        ("nvfp4", 9000),
        (numpy.float16, 2250),
        (numpy.dtype("float32"), 75),
    ],
)
def test_a_precision_as_frameworks_spell_it(spelt, tflops):
    assert costcalc.peak("NVIDIA B200", spelt) == tflops * 1e12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1e15, 0, "h100"), "seconds: expected a number above 0; got 0"),
        ((1e15, -2.5, "h100"), "seconds: expected a number above 0; got -2.5"),
        ((1e15, float("nan"), "h100"), "seconds: expected a number above 0; got a number out of"),
        ((1e15, "2", "h100"), 'seconds: expected a number above 0; got "2"'),
        ((1e15, 1, "h100", 0), "devices: expected a number above 0; got 0"),
        ((float("inf"), 1, "h100"), "flops: expected a number of 0 or more; got a number out of"),
        ((1e15, 1, None), "hardware.accelerator: expected the name of a device; got nothing"),
        ((1e15, 1, ["h100"]), "hardware.accelerator: expected the name of a device; got a list"),
        ((1e15, 1, "h100", 1, "mixed"), 'precision: h100-sxm5-80 has no "mixed"; its profile has'),
    ],
)
def test_what_is_no_figure_is_refused(arguments, message):
    with pytest.raises(InputError) as caught:
        costcalc.mfu(*arguments)
    assert str(caught.value).startswith(message)


def test_nothing_beyond_our_own_is_imported():
    code = (
        "import sys, costcalc; costcalc.mfu(1e15, 2.0, 'NVIDIA H100 80GB HBM3');"
        "print(sorted({'numpy', 'pydantic', 'pint', 'yaml', 'rich'} & {*sys.modules}))"
    )
    costcalc.peak("h100")  # the index of a checkout is there
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "printed"),
    [  # the driver names each of the two, the profile is of both: 383 / 2, 8.226 / 2, 123 / 2
        ("AMD Instinct MI250X bf16",
         "mi250x  bf16  383 TFLOP/s  one module of 2 GCD; 191.5 each GCD\n"),
        ("TPU v3 bf16", "tpu-v3  bf16  123 TFLOP/s  one chip; 61.5 each TensorCore\n"),
        ("Tesla K80 fp32", "k80  fp32  8.226 TFLOP/s  one board of 2 GPUs; 4.113 each GK210\n"),
        ("NVIDIA A16 bf16", "a16  bf16  71.88 TFLOP/s  one board of 4 GPUs; 17.97 each GA107\n"),
        ("h100 bf16", "h100-sxm5-80  bf16  989.4 TFLOP/s  one GPU\n"
                      '"h100" is taken as h100-sxm5-80, its commonest board; h100-nvl-94, '
                      "h100-pcie-80, h100-sxm5-64, h100-sxm5-94, h100-sxm5-96 are called so too: "
                      "write which\n"),
        ("h100-sxm5-80 bf16", "h100-sxm5-80  bf16  989.4 TFLOP/s  one GPU\n"),
        ("v4-128 bf16", "tpu-v4  bf16  275 TFLOP/s  one chip; 137.5 each TensorCore\n"
                        "v4-128 is 64 such chips\n"),
        ("GRID A100-4C bf16",  # 4 of 40 GB: a tenth of 312
         "a100-pcie-40  bf16  31.2 TFLOP/s  a part of one GPU\n"
         "a virtual GPU of 4 GB is one of 10 of its board: that share of the time and of what the "
         "board draws, as if others used the rest\n"),
    ],
)  # fmt: skip
def test_the_command_says_what_a_peak_is_of(capsys, name, printed):
    device, _, precision = name.rpartition(" ")
    assert run(["peak", device, precision]) == 0
    assert capsys.readouterr().out == printed


def test_as_json_too():
    assert told("MI250X", "bf16") == {
        "accelerator": "mi250x", "peak": {"bf16": 383e12}, "unit": "FLOP/s",
        "of": "one module of 2 GCD", "sub_devices": {"count": 2, "name": "GCD"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("8xA100", '"8xA100" says how many too: write a100-sxm4-80 here and count: 8'),
        ("MI250X GCD", '"MI250X GCD" is one of the 2 of mi250x: write mi250x (count is of a module '
                       "of 2 GCD), and hardware.share: 1/2 for one"),
        ("Tesla K80 (one GPU)", '"Tesla K80 (one GPU)" is one of the 2 of k80: write k80 (count is '
                                "of a board of 2 GPUs), and hardware.share: 1/2 for one"),
    ],
)  # fmt: skip
def test_a_name_of_more_or_less_than_one_is_told_what_to_write(name, message):
    for asked in (costcalc.peak, find):
        with pytest.raises(InputError) as caught:
            asked(name)
        assert str(caught.value) == f"hardware.accelerator: {message}"


def test_a_slice_and_how_many_of_it_is_no_count_of_its_chips():
    for asked in (costcalc.peak, find):  # two slices of 64 chips are 128, not 2
        with pytest.raises(InputError) as caught:
            asked("2x v4-128")
        assert str(caught.value) == (
            "hardware.accelerator: no accelerator 2x v4-128; nearest: tpu-v4, tpu-v4i; costcalc "
            "hardware list has them all; profiles: takes a folder with one of your own"
        )


def test_of_a_name_within_names_two_readings_are_asked_for():
    asked = []
    assert more_than_one("board" + " x8" * 30, asked.append) is None
    rest = "board" + " x8" * 29  # eight of it, or its "x8"
    assert asked == [rest, rest]
    assert more_than_one("board" + " x8" * 40, asked.append) is None  # 125 letters: no name
    assert len(asked) == 2
