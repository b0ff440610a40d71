"""Properties that hold for every architecture, and the conventions of attention by brute force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import InputError
from costcalc.workload import methods
from costcalc.workload.architecture import Attention
from costcalc.workload.counting import (
    active_parameters,
    double_pairs,
    matmul_parameters,
    parameters,
    tally,
)
from costcalc.workload.families import build
from costcalc.workload.generic import Given, from_shape

sizes = st.builds(
    Given,
    layers=st.integers(1, 6), hidden=st.sampled_from([64, 128, 256]),
    heads=st.sampled_from([2, 4]), kv_heads=st.sampled_from([1, 2]), ffn=st.integers(8, 600),
    vocabulary=st.integers(10, 900), gated=st.booleans(), tied=st.booleans(),
    biases=st.booleans(), window=st.none() | st.integers(1, 64),
)  # fmt: skip
lengths = st.integers(1, 300)


def core(window=None, *, causal=True, chunked=False):
    return Attention(
        heads=1, kv_heads=1, qk_dim=1, v_dim=1, window=window, causal=causal, chunked=chunked
    )


def seen(query, window, chunked):
    """Keys that query number ``query`` (from 0) sees, itself included."""
    if window is None:
        return query + 1
    return query % window + 1 if chunked else min(query + 1, window)


@given(length=st.integers(1, 60), window=st.none() | st.integers(1, 70), chunked=st.booleans())
def test_the_exact_convention_counts_every_pair(length, window, chunked):
    pairs = sum(seen(i, window, chunked) for i in range(length))
    assert double_pairs(core(window, chunked=chunked), length, length, "exact") == 2 * pairs


@given(length=st.integers(1, 500), window=st.integers(1, 600), chunked=st.booleans())
def test_conventions_are_in_order(length, window, chunked):
    one = core(window, chunked=chunked)
    causal, exact, full = (
        double_pairs(one, length, length, name) for name in ("causal", "exact", "full")
    )
    assert causal < exact <= full
    assert exact - causal == length if not chunked and window >= length else exact - causal > 0


@pytest.mark.parametrize("window", [100, 101])
def test_causal_is_continuous_where_the_window_ends(window):
    """At w = s the window sees s²/2 pairs, as no window does."""
    assert double_pairs(core(window), 100, 100) == 100 * 100


def test_bidirectional_attention_is_never_halved():
    assert double_pairs(core(causal=False), 10, 10) == 2 * 10 * 10
    assert double_pairs(core(4, causal=False), 10, 10) == 2 * 10 * 4


@given(shape=sizes, length=lengths)
def test_longer_and_deeper_is_more(shape, length):
    made = from_shape(shape)
    deeper = from_shape(replace(shape, layers=shape.layers + 1))
    one = tally(made, sequence_length=length)
    assert tally(made, sequence_length=length + 1).forward > one.forward
    assert tally(deeper, sequence_length=length).forward > one.forward
    assert parameters(deeper) > parameters(made)


@given(shape=sizes, length=lengths)
def test_a_window_never_costs_more(shape, length):
    free = tally(from_shape(replace(shape, window=None)), sequence_length=length)
    windowed = tally(from_shape(shape), sequence_length=length)
    assert windowed.attention <= free.attention
    assert windowed.forward - windowed.attention == free.forward - free.attention


@given(shape=sizes, length=lengths)
def test_a_token_is_two_n_m_and_attention(shape, length):
    made = from_shape(replace(shape, window=None))
    one = tally(made, sequence_length=length, convention="full")
    width = shape.heads * (shape.hidden // shape.heads)
    attention = 4 * shape.layers * width * length
    assert one.forward == length * (2 * matmul_parameters(made) + attention)
    assert one.training == 3 * one.forward
    assert one.layers + one.head == one.forward


@given(shape=sizes, experts=st.integers(1, 9), data=st.data())
def test_active_parameters_are_no_more_than_all(shape, experts, data):
    chosen = data.draw(st.integers(1, experts))
    shape = replace(shape, experts=experts, experts_per_token=chosen, expert_ffn=16)
    made = from_shape(shape)
    assert active_parameters(made) <= parameters(made)
    assert (active_parameters(made) == parameters(made)) == (chosen == experts)
    fewer = from_shape(replace(shape, experts_per_token=1))
    length = {"sequence_length": 8}
    assert tally(fewer, **length).forward <= tally(made, **length).forward


@given(shape=sizes, length=lengths, rank=st.integers(1, 8))
def test_adapters_cost_less_than_the_weights_they_spare(shape, length, rank):
    made = from_shape(shape)
    one = tally(made, sequence_length=length)
    lora = methods.lora(one, made, rank, ("all",), sequence_length=length).flops
    adapters = methods.adapter_flops(made, rank, ("all",), {"text": length})
    assert lora - 3 * adapters < one.training
    assert methods.frozen(one).flops < lora
    part = methods.lora(one, made, rank, ("attention",), sequence_length=length).flops
    assert part < lora


@given(shape=sizes, length=st.integers(2, 300), data=st.data())
def test_documents_within_a_sequence_cost_less_attention(shape, length, data):
    made = from_shape(shape)
    document = data.draw(st.integers(1, length))
    short = tally(made, sequence_length=length, document=document)
    whole = tally(made, sequence_length=length)
    assert short.attention <= whole.attention
    if length % document == 0:
        each = tally(made, sequence_length=document)
        assert short.attention * document == pytest.approx(each.attention * length)


def test_capacity_and_huge_models_stay_whole_numbers():
    """Beyond 2^53 FLOP a sequence, whole numbers keep every digit."""
    huge = build(
        {
            "model_type": "llama",
            "hidden_size": 16384,
            "num_attention_heads": 128,
            "num_hidden_layers": 126,
            "intermediate_size": 53248,
        }
    )
    one = tally(huge, sequence_length=131072, convention="exact")
    assert one.forward > 2**53
    assert isinstance(one.forward, int)


def test_a_text_model_needs_a_length():
    with pytest.raises(InputError, match=r"training\.sequence_length: expected a length"):
        tally(build({"model_type": "gpt2"}))


@settings(max_examples=20)
@given(length=st.integers(1, 4096))
def test_a_vit_does_not_care_for_a_sequence_length(length):
    vit = build({"model_type": "vit"})
    assert tally(vit, sequence_length=length) == tally(vit)
