"""Generating by hand: what a replica holds, how many sequences at once, what a step reads.

Pope et al. 2022 (arXiv:2211.05102), section 2; the constants stand in ``decode.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from throughput_models import machine

from costcalc.throughput.by_flops import PRIOR, SHARE, sample_time
from costcalc.throughput.decode import DecodeTime, decode_time
from costcalc.throughput.efficiency import efficiency, scale_class, workload_class
from costcalc.throughput.shape import ModelShape

# 10 layers of 1e6 weights and a head of 2e6: 14e6 parameters with the embedding
SHAPE = ModelShape(
    layers=10.0, hidden=100.0, kv_heads=2.0, head_dim=50.0, attention_weights=1e6,
    head_weights=2e6, parameters=14e6,
)  # fmt: skip
A_TOKEN = 2 * 2 * 10 * 2 * 50  # keys and values of two bytes, of ten layers of two heads of 50
ACTIVE = 12e6
SLOW = {"memory_bandwidth": 1e9, "peak": {"bf16": 1e15}, "kind": "gpu"}


def decoded(devices: int = 1, memory: float = 0.0, **more: Any) -> DecodeTime:
    on = {**SLOW, **{k: more.pop(k) for k in list(more) if k in ("peak", "matmul_ceiling")}}
    asked = {"sequences": 1, "prompt_length": 100, "generation_length": 300} | more
    return decode_time(SHAPE, machine(devices, memory=memory, **on), **asked)


def read(batch: float) -> float:
    """Bytes of a step: the weights once, and keys and values of 100 + half of 300 tokens."""
    return 2 * 14e6 + batch * A_TOKEN * (100 + 300 / 2)


def test_one_sequence() -> None:
    found = decoded()
    assert (found.batch, found.shards) == (1, 1)
    # 0.6 of 1 GB/s, and 20 us a layer
    assert found.decode == pytest.approx(300 * (read(1) / 0.6e9 + 10 * 2e-5))
    # a prompt at half of 0.77 of the peak
    assert found.prefill == pytest.approx(100 * 2 * ACTIVE / (1e15 * 0.77 * 0.5))
    assert found.seconds == pytest.approx(found.decode + found.prefill)
    assert (found.low, found.high) == pytest.approx((0.8 * found.seconds, 4 * found.seconds))


def test_a_bandwidth_below_what_decoding_reaches() -> None:
    slow = decoded(constants={"global": {"bandwidth": 0.5}})
    assert slow.decode == pytest.approx(300 * (read(1) / 0.5e9 + 10 * 2e-5))
    fast = decoded(constants={"global": {"bandwidth": 0.9}})
    assert fast.decode == pytest.approx(decoded().decode)


def test_sequences_are_shared_out_to_the_replicas() -> None:
    found = decoded(devices=4, sequences=20)
    assert (found.batch, found.shards) == (5, 1)
    assert found.decode == pytest.approx(300 * (read(5) / 0.6e9 + 10 * 2e-5))
    assert found.prefill == pytest.approx(5 * 100 * 2 * ACTIVE / (1e15 * 0.77 * 0.5))
    few = decoded(devices=4, sequences=2)  # some are idle
    assert few.batch == 1
    assert few.decode == pytest.approx(300 * (read(1) / 0.6e9 + 10 * 2e-5))


@pytest.mark.parametrize(
    ("parameters", "devices", "shards"),
    [
        (0.9, 8, 1),  # 0.85 of the memory holds the weights and a sequence
        (1.0, 8, 2),
        (1.9, 8, 2),
        (2.0, 8, 4),
        (9.0, 8, 8),  # no more than there are
        (9.0, 6, 6),
    ],
)
def test_a_model_is_split_over_as_many_as_hold_it(parameters, devices, shards) -> None:
    # memory such that so many halves of what one sequence takes fit
    one = A_TOKEN * 400
    weights = 2 * 14e6
    room = (weights + one) / (parameters + 0.05)
    assert decoded(devices=devices, memory=room / 0.85).shards == shards


def test_the_memory_bounds_the_batch() -> None:
    # two devices; room for the weights and 10.5 sequences of 400 tokens on each
    one = A_TOKEN * 400
    room = (2 * 14e6 + 10.5 * one) / 0.85
    found = decoded(devices=2, memory=room, sequences=42)
    assert (found.batch, found.shards) == (pytest.approx(10.5), 1)
    assert found.decode == pytest.approx(2 * 300 * (read(10.5) / 0.6e9 + 10 * 2e-5))  # two rounds
    more = decoded(devices=2, memory=room, sequences=43)
    assert more.decode == pytest.approx(3 * 300 * (read(10.5) / 0.6e9 + 10 * 2e-5))
    split = decoded(devices=2, memory=room / 2, sequences=42)
    assert (split.batch, split.shards) == (pytest.approx(10.5), 2)
    assert split.decode == pytest.approx(4 * 300 * (read(10.5) / 1.2e9 + 10 * 2e-5))
    assert split.prefill == pytest.approx(4 * 10.5 * 100 * 2 * ACTIVE / (2 * 1e15 * 0.77 * 0.5))


def test_a_large_batch_is_bound_by_its_arithmetic() -> None:
    # 1e9 FLOP/s: 2 · 1000 · 12e6 take 62 s, 1000 sequences' reading a second
    found = decoded(sequences=1000, peak={"bf16": 1e9})
    assert found.decode == pytest.approx(300 * (2 * 1000 * ACTIVE / (1e9 * 0.77 * 0.5) + 10 * 2e-5))


def test_a_model_larger_than_all_devices_decodes_one_at_a_time() -> None:
    assert decoded(devices=2, memory=1e6, sequences=10).batch == 1
    empty = decode_time(
        replace(SHAPE, kv_heads=0.0), machine(1, memory=1e9, **SLOW), sequences=3,
        prompt_length=1, generation_length=1,
    )  # fmt: skip
    assert empty.batch == 3  # nothing is kept of a token: all at once


# --- priors, and cells ---------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "share"), [("cnn", 0.70), ("vit", 0.70), ("diffusion", 0.50)])
def test_the_prior_of_a_class(kind: str, share: float) -> None:
    assert SHARE[kind] == share
    on = machine(1, memory_bandwidth=1e30, peak={"bf16": 1e12, "fp32": 1e12})
    # dense layers: 3 F at 0.77 of the peak and the share of the class
    found = sample_time(6e11, on, "bf16", {}, kind, elements=1e9)
    assert found.compute == pytest.approx(3 * 6e11 / (1e12 * 0.77 * share))
    other = sample_time(6e11, on, "bf16", {}, "unet", elements=1e9)
    assert other.compute == pytest.approx(3 * 6e11 / (1e12 * 0.77 * 0.70))


def test_priors_of_all_classes() -> None:
    on = machine(1, memory_bandwidth=1e9, peak={"bf16": 1e12, "tf32": 1e12, "fp32": 1e12})
    plain = sample_time(6e11, on, "bf16", {}, elements=1e9)
    # each element is written and read 26 times, 2 bytes of it, at 0.85 of the bandwidth
    assert plain.memory == pytest.approx(26 * 1e9 * 2 / 0.85e9)
    fused = sample_time(6e11, on, "bf16", {}, elements=1e9, fused=True)
    assert fused.memory == pytest.approx(0.6 * plain.memory)
    # tf32 reaches half of the share of its peak that 16 bits reach, fp32 all of it
    wide = [sample_time(6e11, on, p, {}, elements=1e9).compute for p in ("tf32", "fp32")]
    assert wide == pytest.approx([2 * plain.compute, plain.compute])
    # 300 FLOP an element where a network does nothing else with it
    light = sample_time(1e-3, on, "bf16", {}, elements=1e9)
    assert light.compute == pytest.approx(300 * 1e9 / 1e12)
    many = sample_time(6e11, replace(on, devices=8), "bf16", {}, elements=1e9)
    assert many.seconds == pytest.approx(plain.seconds * (1 + 3 * 0.013))
    assert (many.memory, many.compute) == (plain.memory, plain.compute)
    assert many.late == pytest.approx(plain.seconds * 3 * 0.013)  # they wait for each other
    assert PRIOR["late"] == 0.013
    # 122 elements for each root of a FLOP: ResNet-50
    counted = sample_time(8.2e9, on, "bf16", {})
    assert counted.memory == pytest.approx(26 * 122 * 8.2e9**0.5 * 2 / 0.85e9)


def test_the_vector_rate_of_what_has_none() -> None:
    on = machine(1, memory_bandwidth=1e30, peak={"bf16": 4e12})
    assert sample_time(1e-3, on, "bf16", {}, elements=1e9).compute == pytest.approx(3e11 / 4e12)


@pytest.mark.parametrize(
    ("devices", "name"),
    [(1, "1"), (1.5, "2-8"), (8, "2-8"), (9, "9-64"), (64, "9-64"), (65, "65-1024"),
     (1024, "65-1024"), (1025, ">1024")],
)  # fmt: skip
def test_scales(devices: float, name: str) -> None:
    assert scale_class(devices) == name


def test_kinds_that_the_cells_do_not_know() -> None:
    assert [workload_class(kind) for kind in ("decoder", "ssm", "cnn", None, "")] == [
        "llm", "llm", "cnn", "*", "*",
    ]  # fmt: skip


def test_which_cell_answers(monkeypatch) -> None:
    from costcalc.throughput import efficiency as module

    cells = {
        ("a", "16-bit", "llm", "1"): (0.5, 0.4, 0.6, 9, 1),
        ("a", "16-bit", "llm", "*"): (0.3, 0.2, 0.4, 10, 2),
        ("*", "*", "*", "*"): (0.1, 0.0, 0.2, 99, 3),
    }
    monkeypatch.setattr(module, "_cells", lambda: cells)
    near = efficiency("a", "bf16", "decoder", 1)
    assert (near.value, near.low, near.high, near.n, near.publishers) == (0.5, 0.4, 0.6, 9, 1)
    assert near.why == (
        "median of 9 measured configurations by 1 publisher: a, 16-bit, llm, 1 devices"
    )
    wide = efficiency("a", "fp16", "decoder", 8)
    assert wide.why == (
        "median of 10 measured configurations by 2 publishers: a, 16-bit, llm, any scale "
        "(too few for 2-8)"
    )
    assert efficiency("b", "fp16", None, 8).why.endswith(
        "any generation, any precision, any workload, any scale (too few for b, 16-bit, 2-8)"
    )
    monkeypatch.setattr(module, "_cells", dict)
    with pytest.raises(LookupError):
        efficiency("a", "bf16", "decoder", 1)
