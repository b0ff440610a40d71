"""The workload stage: data in all the ways to say them, methods, budgets, rough counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from costcalc import InputError
from costcalc.workload.counting import parameters, tally
from costcalc.workload.families import build
from costcalc.workload.generic import Given, from_parameters, from_shape
from costcalc.workload.stage import WorkloadInput, _by_forward, _Model, _rough, workload
from costcalc.workload.work import Tally

LLAMA3 = build(
    {
        "model_type": "llama",
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
)
VIT = build({"model_type": "vit", "num_labels": 1000})
TOKEN = 51_470_401_536  # Llama 3 8B at 8192, training, causal half
BASE = WorkloadInput(architecture=LLAMA3, sequence_length=8192)


def run(**changes):
    return workload(replace(BASE, **changes))


# -- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "tokens"), [
    ({"tokens": 15e12}, 15e12),
    ({"steps": 100, "global_batch": 1024}, 100 * 1024 * 8192),
    ({"epochs": 3, "dataset_tokens": 1e9}, 3e9),
    ({"samples": 1000}, 1000 * 8192),
    ({"samples": 1000, "sample_tokens": 500}, 1000 * 500),
    ({"epochs": 2, "dataset_samples": 1000, "sample_tokens": 500}, 2 * 1000 * 500),
    ({"samples": 1000, "sample_tokens": 500, "packing": "padded"}, 1000 * 8192),
    ({"tokens": 1e6, "sample_tokens": 4096, "packing": "padded"}, 2e6),
    ({"tokens": 1e6, "packing": "padded"}, 1e6),
])  # fmt: skip
def test_ways_to_say_how_much(changes, tokens):
    made = run(**changes)
    assert made.datum == "token"
    assert made.data == tokens
    assert made.model_flops == pytest.approx(made.flops_per_datum * tokens, rel=1e-15)


def test_samples_of_a_vision_model():
    made = workload(WorkloadInput(architecture=VIT, epochs=90, dataset_samples=1000))
    assert (made.datum, made.data, made.flops_per_datum) == ("sample", 90_000, 105_151_758_336)
    assert made.sequence_length == 197
    with pytest.raises(InputError, match=r"training\.samples: expected a number of samples"):
        workload(WorkloadInput(architecture=VIT, tokens=1e9))


@pytest.mark.parametrize(("changes", "key"), [
    ({}, "training.tokens"), ({"steps": 5}, "training.global_batch"),
    ({"tokens": 1e9, "method": "distill"}, "training.teacher"),
    ({"tokens": 1e9, "sequence_length": None}, "training.sequence_length"),
    ({"tokens": 1e9, "method": "alchemy"}, "training.method"),
    ({"tokens": 1e9, "architecture": None}, "model"),
    ({"method": "grpo", "prompts": 5}, "training.prompt_length"),
    ({"tokens": 1, "method": "lora", "lora_targets": ("q_prj",)}, "training.lora.targets"),
])  # fmt: skip
def test_what_is_missing_is_named(changes, key):
    with pytest.raises(InputError) as caught:
        run(**changes)
    assert caught.value.problems[0].key == key


def test_short_documents_in_packed_sequences():
    """Attention over 512 tokens instead of 8192; uneven documents take up to twice the keys."""
    short, long = run(tokens=1e9, sample_tokens=512), run(tokens=1e9)
    n_m, width = 7_504_658_432, 32 * 32 * 128
    assert long.flops_per_datum == 6 * n_m + 6 * width * 8192 == TOKEN
    assert short.flops_per_datum == 6 * n_m + 6 * width * 512
    assert short.spread == pytest.approx((6 * n_m + 6 * width * 1024) / short.flops_per_datum)
    assert (short.exact, long.exact, long.spread) == (False, True, 1.0)
    assert any("512 tokens" in note for note in short.notes)


# -- methods -------------------------------------------------------------------------------------


def test_pretraining():
    made = run(tokens=15e12)
    assert made.flops_per_datum == TOKEN
    assert made.forward_flops_per_datum == TOKEN / 3
    assert made.model_flops == TOKEN * 15e12
    assert made.parameters == made.active_parameters == made.trainable_parameters == 8_030_261_248
    assert "causal attention counted half" in made.convention
    head = 2 * 4096 * 128256
    assert made.recompute.full == pytest.approx((TOKEN / 3 - head) / TOKEN)
    assert made.recompute.selective == pytest.approx(2 * 32 * 32 * 128 * 8192 / TOKEN)


def test_lora():
    made = run(tokens=1e9, method="lora", lora_rank=16, convention="full", sequence_length=2048)
    assert made.flops_per_datum == 33_491_517_440
    assert made.trainable_parameters == 41_943_040
    attention = run(tokens=1e9, method="lora", lora_targets=("attention",))
    named = run(tokens=1e9, method="lora", lora_targets=("q_proj", "k_proj", "v_proj", "o_proj"))
    assert attention.trainable_parameters == named.trainable_parameters
    # 16·(2·(4096 + 4096) + 2·(4096 + 1024)) a layer
    assert named.trainable_parameters == 32 * 16 * (2 * 8192 + 2 * 5120)


def test_a_wrong_target_names_the_nearest():
    with pytest.raises(InputError, match="no layer q_prj in llama; did you mean q_proj"):
        run(tokens=1, method="lora", lora_targets=("q_prj",))


def test_frozen():
    made = run(tokens=1e9, method="frozen")
    head = 4096 * 128256
    assert made.trainable_parameters == head
    assert made.flops_per_datum == TOKEN / 3 + 2 * head
    assert made.recompute.full == 0
    last = run(tokens=1e9, method="frozen", last_layers=8)
    layers = parameters(LLAMA3) - 2 * head - 4096
    assert last.trainable_parameters == head + layers / 4
    assert made.flops_per_datum < last.flops_per_datum < TOKEN


@pytest.mark.parametrize("last_layers", [31, 32, 33, 40, 1000])
def test_no_more_last_layers_learn_than_there_are(last_layers):
    """One layer: q and o 2·4096², k and v 2·4096·1024, mlp 3·4096·14336, norms 2·4096."""
    layer = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
    head = 4096 * 128256
    made = run(tokens=1e9, method="frozen", last_layers=last_layers)
    learning = min(last_layers, 32)
    assert layer == 218_112_000
    assert made.trainable_parameters == head + learning * layer
    # forward once; of the layers that learn what reaches the input and the weights, two forwards
    layers = TOKEN / 3 - 2 * head
    assert made.flops_per_datum == TOKEN / 3 + 2 * layers * learning / 32 + 2 * 2 * head


def test_distillation():
    teacher = build({"model_type": "llama"})
    made = run(tokens=1e9, method="distill", teacher=teacher)
    forward = tally(teacher, sequence_length=8192).forward / 8192
    assert made.flops_per_datum == TOKEN + forward
    by_count = run(tokens=1e9, method="distill", teacher_parameters=70e9)
    assert by_count.flops_per_datum == TOKEN + 2 * 70e9


def test_dpo_takes_pairs():
    made = run(samples=1000, sample_tokens=8192, method="dpo")
    assert made.data == 2 * 1000 * 8192
    assert made.flops_per_datum == TOKEN / 3 * 4


def test_grpo():
    made = run(method="grpo", prompts=50_000, prompt_length=512, generation_length=1024, group=16)
    forward = tally(LLAMA3, sequence_length=1536).forward
    sequences = 50_000 * 16
    assert made.sequence_length == 1536
    assert made.data == sequences * 1536
    assert made.model_flops == pytest.approx(5 * forward * sequences)
    assert made.generation.sequences == sequences
    assert made.generation.flops == pytest.approx(forward * sequences)
    assert made.generation.flops < made.model_flops
    twice = run(
        method="grpo",
        prompts=50_000,
        prompt_length=512,
        generation_length=1024,
        group=16,
        inner_epochs=2,
    )
    assert twice.model_flops == pytest.approx(9 * forward * sequences)


def test_ppo_is_eleven_forwards():
    made = run(method="ppo", prompts=1000, prompt_length=100, generation_length=28)
    forward = tally(LLAMA3, sequence_length=128).forward
    assert made.model_flops == pytest.approx(11 * forward * 1000)
    with pytest.raises(InputError, match="ppo trains language models"):
        run(architecture=VIT, method="ppo", prompts=5, prompt_length=1, generation_length=1)


# -- without an architecture ---------------------------------------------------------------------


def test_a_published_budget():
    made = workload(WorkloadInput(flops=3.14e23, tokens=300e9))
    assert (made.model_flops, made.data) == (3.14e23, 300e9)
    assert made.flops_per_datum == 3.14e23 / 300e9
    assert made.parameters is made.trainable_parameters is made.architecture is None


def test_forward_flops():
    base = WorkloadInput(forward_flops=8_178_368_512, samples=10)
    made = workload(base)
    assert (made.datum, made.flops_per_datum) == ("sample", 3 * 8_178_368_512)
    assert (made.exact, made.spread) == (False, 1.02)
    known = workload(replace(base, first_layer_flops=2 * 112**2 * 64 * 3 * 49))
    assert known.flops_per_datum == 24_299_077_632
    assert (known.exact, known.spread) == (True, 1.0)


def test_six_n_d():
    made = workload(WorkloadInput(parameters=8.03e9, tokens=1e12, sequence_length=8192))
    assert made.flops_per_datum == pytest.approx(6 * 8.03e9)
    assert not made.exact
    assert made.flops_per_datum < TOKEN < made.flops_per_datum * made.spread
    assert "6·N·D" in made.convention


def test_what_stands_beside_a_count_is_used():
    given = Given(layers=32, hidden=4096)
    made = workload(
        WorkloadInput(parameters=8.03e9, given=given, tokens=1e12, sequence_length=8192)
    )
    assert made.flops_per_datum == pytest.approx(6 * 8.03e9 + 6 * 32 * 4096 * 8192)
    assert made.flops_per_datum / made.spread < TOKEN < made.flops_per_datum


def test_a_whole_shape_beside_a_count_is_exact():
    given = Given(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, vocabulary=128256)
    exact = from_parameters(8_030_261_248, None, given, 8192)
    assert (exact.per_token.training, exact.exact, exact.spread) == (TOKEN, True, 1.0)
    more = from_parameters(8_030_261_248 + 10**8, None, given, 8192)
    assert more.per_token.training == TOKEN + 6e8
    assert not more.exact


def test_a_mixture_by_count_needs_its_active_parameters():
    given = Given(experts=8)
    with pytest.raises(InputError, match=r"model\.active_parameters: expected the active"):
        from_parameters(46.7e9, None, given, 4096)
    with pytest.raises(InputError, match="expected at most the 4"):
        from_parameters(4e9, 5e9, Given(), 4096)
    whole = Given(
        layers=32,
        hidden=4096,
        heads=32,
        kv_heads=8,
        ffn=14336,
        vocabulary=32000,
        experts=8,
        experts_per_token=2,
    )
    assert from_parameters(46_702_792_704, None, whole, 4096).active == 12_879_925_248


@pytest.mark.parametrize(("mapping", "message"), [
    ({"layers": 2}, "hidden: expected a whole number, 1 or more, for a decoder; got none"),
    ({"layers": 2, "hidden": 64, "heads": 7, "vocabulary": 9},
     "heads: expected a divisor of hidden (64); got 7"),
    ({"layers": 2, "hidden": 64, "vocabulary": 9, "experts": 4},
     "experts_per_token: expected how many experts a token passes; got none"),
    ({"kind": "vit", "layers": 2, "hidden": 64, "heads": 2, "patch_size": 999},
     "patch_size: expected at most image_size (224); got 999"),
    ({"kind": "perceptron", "layers": 2, "hidden": 128}, "kind: expected one of decoder, encoder"),
])  # fmt: skip
def test_shapes_that_do_not_fit(mapping, message):
    with pytest.raises(InputError) as caught:
        from_shape(Given(**mapping))
    assert any(message in str(problem) for problem in caught.value.problems)


def test_shapes_say_what_was_filled():
    made = from_shape(Given(layers=2, hidden=256, vocabulary=100))
    assert (made.heads, made.ffn) == (2, 768)
    assert made.notes == (
        "heads 2: hidden / 128",
        "kv_heads 2: as many as heads",
        "ffn 768: 8/3 of hidden, up to 256",
    )


def test_every_kind_of_shape_equals_its_family():
    bert = build({"model_type": "bert"})
    assert tally(
        from_shape(
            Given(
                kind="encoder",
                layers=12,
                hidden=768,
                heads=12,
                ffn=3072,
                vocabulary=30522,
                positions=514,
            )
        ),
        sequence_length=512,
    ) == tally(bert, sequence_length=512)
    encoder = from_shape(
        Given(
            kind="encoder",
            layers=12,
            hidden=768,
            heads=12,
            ffn=3072,
            vocabulary=30522,
            positions=514,
        )
    )
    assert parameters(encoder) == parameters(bert) == 109_514_298
    vit = from_shape(Given(kind="vit", layers=12, hidden=768, heads=12, ffn=3072))
    assert (parameters(vit), tally(vit)) == (parameters(VIT), tally(VIT))
    both = Given(kind="encoder-decoder", layers=6, hidden=512, heads=8, ffn=2048, vocabulary=32128)
    t5 = build({"model_type": "t5"})
    buckets = 2 * 32 * 8  # relative positions, which T5 alone has
    assert parameters(from_shape(both)) == parameters(t5) - buckets


def test_a_sequence_of_a_rough_count_is_its_tokens_together():
    shape = Given(layers=2, hidden=64, heads=4, ffn=256, vocabulary=100, tied=False)
    built = parameters(from_shape(shape))
    made = _rough(WorkloadInput(given=shape, sequence_length=8), built + 1000)
    whole = tally(from_shape(shape), sequence_length=8)
    one = made.one
    assert one.forward == pytest.approx(whole.forward + 8 * 2 * 1000)
    assert one.layers == pytest.approx(whole.layers + 8 * 2 * 1000)
    assert (one.attention, one.head, one.last) == pytest.approx(
        (whole.attention, whole.head, whole.last)
    )
    assert (one.scan, one.first, one.tokens) == (0, 0, 8)
    assert made.walk == whole
    assert not made.exact
    assert made.spread > 1


def test_a_model_is_exact_unless_said_otherwise():
    one = Tally(forward=1)
    made = _Model(
        one=one, walk=None, architecture=None, parameters=None, active=None, convention=""
    )
    assert (made.exact, made.spread, made.notes) == (True, 1.0, ())


def test_a_first_layer_that_nobody_says_saves_nothing():
    plain = _by_forward(WorkloadInput(), 7.0).one
    assert (plain.forward, plain.layers, plain.first, plain.last, plain.tokens) == (7, 7, 0, 0, 1)
    assert (plain.attention, plain.scan, plain.head) == (0, 0, 0)
    said = _by_forward(WorkloadInput(first_layer_flops=2.0), 7.0)
    assert (said.one.first, said.exact) == (2.0, True)
    assert said.one.training == 3 * 7 - 2  # the gradient of its input is not computed
