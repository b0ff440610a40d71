"""Every exact figure that the counting must meet, with the arithmetic or the check behind it.

"FCM" is PyTorch's FlopCounterMode on the meta device with explicit matrix products, "Bridge" the
table of NVIDIA Megatron-Bridge.  Figures are per token unless said otherwise.
"""

from __future__ import annotations

import pytest

from costcalc.workload import methods
from costcalc.workload.counting import (
    active_parameters,
    matmul_parameters,
    parameters,
    recompute_flops,
    tally,
)
from costcalc.workload.families import build
from costcalc.workload.families.common import Shape
from costcalc.workload.families.vision import dit
from costcalc.workload.generic import Given, from_shape

LLAMA = {"model_type": "llama", "tie_word_embeddings": False}
MODELS = {
    "llama-2-7b": {
        **LLAMA,
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
    "llama-2-70b": {
        **LLAMA,
        "vocab_size": 32000,
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
    },
    "llama-3-8b": {
        **LLAMA,
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "llama-3-70b": {
        **LLAMA,
        "vocab_size": 128256,
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
    },
    "llama-3.1-405b": {
        **LLAMA,
        "vocab_size": 128256,
        "hidden_size": 16384,
        "intermediate_size": 53248,
        "num_hidden_layers": 126,
        "num_attention_heads": 128,
        "num_key_value_heads": 8,
    },
    "mixtral": {"model_type": "mixtral"},
    "deepseek-v3": {"model_type": "deepseek_v3"},
}


def model(name):
    return build(MODELS[name])


def per_token(name, length, convention="causal", what="training"):
    one = tally(model(name), sequence_length=length, convention=convention)
    return getattr(one, what) / one.tokens


@pytest.mark.parametrize(("name", "length", "n", "n_m", "full", "causal"), [
    # FCM exact (full); Bridge: 1933e12/37556 = 51.470e9, 449.12e9, 2524.5e9
    ("llama-3-8b", 8192, 8_030_261_248, 7_504_658_432, 57_912_852_480, 51_470_401_536),
    ("llama-2-7b", 4096, 6_738_415_616, 6_607_077_376, 46_084_915_200, 42_863_689_728),
    ("llama-2-70b", 4096, 68_976_648_192, 68_713_185_280, 444_491_366_400, 428_385_239_040),
    ("llama-3-70b", 8192, 70_553_706_496, 69_501_714_432, 481_434_796_032, 449_222_541_312),
    ("llama-3.1-405b", 8192, 405_853_388_800, 403_747_897_344,
     2_625_424_588_800, 2_523_955_986_432),
    # hand: 6·12,748,587,008 + 3·A
    ("mixtral", 8192, 46_702_792_704, 12_748_587_008, 89_376_423_936, 82_933_972_992),
    # 6·36,624,596,992 + 3·2·4096·61·128·320 (full)
    ("deepseek-v3", 4096, 671_026_404_352, 36_624_596_992, 281_152_192_512, 250_449_887_232),
])  # fmt: skip
def test_decoders(name, length, n, n_m, full, causal):
    assert parameters(model(name)) == n
    assert matmul_parameters(model(name)) == n_m
    assert per_token(name, length, "full") == full
    assert per_token(name, length, "causal") == causal


def test_the_diagonal_counts_where_the_convention_is_exact():
    assert per_token("llama-3-8b", 8192, "exact") == 51_471_187_968


def test_forward_is_a_third_of_training():
    assert per_token("llama-3-8b", 8192, "full", "forward") == 19_304_284_160


@pytest.mark.parametrize(("length", "full"), [(4096, 82_933_972_992), (32768, 128_031_129_600)])
def test_mixtral_at_other_lengths(length, full):
    assert per_token("mixtral", length, "full") == full


def test_active_parameters_count_both_embeddings():
    assert active_parameters(model("mixtral")) == 12_879_925_248
    norms = 61 * (2 * 7168 + 1536 + 512) + 7168
    assert active_parameters(model("deepseek-v3")) == 37_551_276_032 + norms


def test_latent_attention_of_deepseek_v3():
    """7168·1536 + 1536·128·192 + 7168·576 + 512·128·256 + 128·128·7168 = 187,105,280 a layer."""
    layer = next(block for block in model("deepseek-v3").blocks if block.name == "layer")
    attention = [o for o in layer.operators if getattr(o, "part", None) == "attention"]
    assert sum(o.n_in * o.n_out for o in attention) == 187_105_280


def test_gpt3_by_the_72_form():
    """72·B·s·L·h²(1 + s/6h + V/12Lh) of Narayanan et al. 2021, and their parameter formula."""
    layers, hidden, vocabulary, length = 96, 12288, 51200, 2048
    gpt3 = build(
        {
            "model_type": "gpt2",
            "n_embd": hidden,
            "n_layer": layers,
            "n_head": 96,
            "vocab_size": vocabulary,
            "n_positions": length,
        }
    )
    formula = (
        12
        * layers
        * hidden**2
        * (1 + 13 / (12 * hidden) + (vocabulary + length) / (12 * layers * hidden))
    )
    assert round(formula) == 174_615_822_336
    assert parameters(gpt3) == round(formula) + 2 * hidden  # it leaves out the last norm
    per = tally(gpt3, sequence_length=length, convention="full").training / length
    form72 = (
        72 * layers * hidden**2 * (1 + length / (6 * hidden) + vocabulary / (12 * layers * hidden))
    )
    assert per == pytest.approx(form72, rel=1e-12)
    assert per == pytest.approx(1.07644e12, rel=1e-5)
    # 96-form: one more forward pass of the layers, as full recompute has it
    form96 = (
        96 * layers * hidden**2 * (1 + length / (6 * hidden) + vocabulary / (16 * layers * hidden))
    )
    one = tally(gpt3, sequence_length=length, convention="full")
    assert (one.training + recompute_flops(one, "full")) / length == pytest.approx(form96)
    assert form96 == pytest.approx(1.43400e12, rel=1e-5)


def test_gpt2_as_nanogpt_counts_it():
    """6·123,532,032 + 3·4·12·768·1024 = 854,438,400 (874,944,921,600 for 1024 tokens)."""
    gpt2 = build({"model_type": "gpt2"})
    assert parameters(gpt2) == 124_439_808
    one = tally(gpt2, sequence_length=1024, convention="full")
    assert one.training == 874_944_921_600
    assert one.training / 1024 == 854_438_400


def test_recompute_of_llama_3_8b():
    """Full: 18,253,611,008; PyTorch leaves out d·f·L = 3,758,096,384: 72,408,367,104, measured."""
    one = tally(model("llama-3-8b"), sequence_length=8192, convention="full")
    assert recompute_flops(one, "full") / 8192 == 18_253_611_008
    stopped = recompute_flops(one, "full", early_stop=True)
    assert (recompute_flops(one, "full") - stopped) / 8192 == 3_758_096_384
    assert (one.training + stopped) / 8192 == 72_408_367_104
    assert recompute_flops(one, "selective") == one.attention
    assert recompute_flops(one, "none") == 0


def test_lora_saves_a_third():
    """4·7,504,658,432 + 6·41,943,040 + 3·4·32·4096·2048 (full attention)."""
    llama = model("llama-3-8b")
    one = tally(llama, sequence_length=2048, convention="full")
    assert methods.lora_parameters(llama, 16, ("all",)) == 41_943_040
    lora = methods.lora(one, llama, 16, ("all",), sequence_length=2048).flops
    assert lora / 2048 == 33_491_517_440
    assert one.training / 2048 == 48_249_176_064
    assert lora / one.training == pytest.approx(0.694, abs=5e-4)


def test_t5_11b():
    """FCM exact; 0.536 x 6N(s_e + s_d): a token passes about half of the parameters."""
    t5 = build(
        {
            "model_type": "t5",
            "d_model": 1024,
            "d_ff": 65536,
            "d_kv": 128,
            "num_heads": 128,
            "num_layers": 24,
            "vocab_size": 32128,
        }
    )
    norms, positions = (24 * 2 + 1 + 24 * 3 + 1) * 1024, 2 * 32 * 128
    assert parameters(t5) == 11_307_188_224 + norms + positions
    one = tally(t5, sequence_length=512, target_length=114, convention="full")
    assert one.forward == 7_589_768_724_480
    assert one.training == 22_769_306_173_440
    assert tally(t5, sequence_length=512, convention="full") == one  # span corruption's default
    assert one.training / (6 * parameters(t5) * (512 + 114)) == pytest.approx(0.536, abs=5e-4)


VIT = {"model_type": "vit", "num_labels": 1000}
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
HUGE = {
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "intermediate_size": 5120,
    "patch_size": 14,
}


@pytest.mark.parametrize(("config", "forward"), [
    (VIT, 35_127_656_448),
    ({**VIT, **LARGE}, 123_109_425_152),
    ({**VIT, **HUGE}, 334_590_218_240),
    ({**VIT, "image_size": 384}, 110_968_700_928),
])  # fmt: skip
def test_vision_transformers(config, forward):
    assert tally(build(config)).forward == forward


def test_vit_patches_have_no_input_gradient():
    """3 x 35,127,656,448 - 2·196·3·16²·768."""
    one = tally(build(VIT))
    assert one.training == 105_151_758_336 == 3 * 35_127_656_448 - 2 * 196 * 3 * 256 * 768


def test_resnet_50():
    """90 epochs of ImageNet (1,281,167 images): 2.802e18 FLOP."""
    resnet = build({"model_type": "resnet", "num_labels": 1000})
    one = tally(resnet)
    assert parameters(resnet) == 25_557_032
    assert one.forward == 8_178_368_512
    assert one.training == 24_299_077_632 == 3 * 8_178_368_512 - 2 * 112**2 * 64 * 3 * 49
    assert 90 * 1_281_167 * one.training == pytest.approx(2.802e18, rel=2e-4)


def test_dit_xl_2():
    """118.6 G multiply-adds, which the paper prints as "118.6 Gflops"."""
    made = dit(Shape(hidden=1152, heads=16, layers=28, ffn=4608), tokens=256)
    one = tally(made)
    assert one.forward == 237_242_843_136
    assert one.training == 711_718_502_400
    assert parameters(made) == pytest.approx(675e6, rel=1e-3)
    shape = Given(kind="dit", layers=28, hidden=1152, heads=16, image_size=32, patch_size=2)
    assert tally(from_shape(shape)) == one


def test_grpo_of_llama_3_8b():
    """512 + 1024 tokens: forward 2.3673e13; generate, reference, train: 5 of them."""
    one = tally(model("llama-3-8b"), sequence_length=1536)
    assert one.forward == 2 * 7_504_658_432 * 1536 + 2 * 32 * 32 * 128 * 1536**2
    assert one.forward == pytest.approx(2.3673e13, rel=5e-5)
    whole = methods.full(one)
    assert methods.grpo(one, whole).flops == 5 * one.forward == pytest.approx(1.1836e14, rel=5e-5)
    assert methods.grpo(one, whole, reference=False).flops == 4 * one.forward
    assert methods.grpo(one, whole, inner_epochs=2).flops == (1 + 1 + 1 + 6) * one.forward


def test_ppo_takes_eleven_forwards_and_dpo_four():
    one = tally(model("llama-3-8b"), sequence_length=1536)
    assert methods.ppo(one).flops == 11 * one.forward
    assert methods.dpo(one, methods.full(one)).flops == 4 * one.forward
