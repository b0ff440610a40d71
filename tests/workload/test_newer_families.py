"""Families by hand beyond their parameter counts: windows, kinds of layers, lengths of streams."""

from __future__ import annotations

from collections import Counter

import pytest

from costcalc import InputError
from costcalc.workload.architecture import Attention, Convolution, Linear, Scan
from costcalc.workload.counting import lengths, parameters, tally
from costcalc.workload.families import build


def windows(model):
    """How many layers have which window; a chunk is negative."""
    found = Counter()
    for block in model.blocks:
        for o in block.operators:
            if isinstance(o, Attention):
                found[-o.window if o.chunked else o.window] += block.repeat
    return found


def made(family, **keys):
    return build({"model_type": family, **keys})


SLIDE, FULL = "sliding_attention", "full_attention"


@pytest.mark.parametrize(("family", "keys", "layers"), [
    ("olmo3", {}, {4096: 24, None: 8}),
    ("exaone4", {}, {4096: 24, None: 8}),
    ("exaone4", {"sliding_window_pattern": "LLG"}, {4096: 22, None: 10}),
    ("exaone4", {"sliding_window_pattern": 0}, {None: 32}),
    ("cohere2", {"num_hidden_layers": 8}, {4096: 6, None: 2}),
    ("cwm", {"num_hidden_layers": 8}, {8192: 6, None: 2}),
    ("ministral", {"num_hidden_layers": 2}, {4096: 2}), ("ministral3", {}, {None: 34}),
    ("afmoe", {"num_hidden_layers": 8}, {1024: 6, None: 2}),
    ("afmoe", {"num_hidden_layers": 8, "global_attn_every_n_layers": 2}, {1024: 4, None: 4}),
    ("mellum", {"num_hidden_layers": 2, "layer_types": [SLIDE, FULL]}, {1024: 1, None: 1}),
    ("mimo_v2_flash", {"num_hidden_layers": 12}, {129: 9, None: 3}),
    ("mimo_v2_flash", {"num_hidden_layers": 3, "hybrid_layer_pattern": [0, 1, 1],
                       "sliding_window_size": 200}, {201: 2, None: 1}),
    ("laguna", {"num_hidden_layers": 2, "layer_types": [FULL, SLIDE]}, {512: 1, None: 1}),
    ("lfm3", {"num_hidden_layers": 8}, {256: 1, None: 2}),
    ("recurrent_gemma", {}, {2048: 8}),
    ("modernbert", {}, {128: 14, None: 8}), ("modernbert-decoder", {}, {64: 14, None: 8}),
    ("gemma3n_text", {}, {512: 28, None: 7}), ("gemma4_text", {}, {512: 25, None: 5}),
    ("gemma4_text", {"num_hidden_layers": 4}, {512: 3, None: 1}),  # the last one sees all
    ("longt5", {}, {255: 6, None: 12}),  # the decoder's own and crossing
    ("kimi_linear", {}, {None: 6}), ("qwen3_5_text", {}, {None: 8}), ("jamba", {}, {None: 4}),
    ("minimax", {}, {None: 16}),
    ("minimax", {"num_hidden_layers": 3, "attn_type_list": [0, 0, 1]}, {None: 1}),
])  # fmt: skip
def test_which_layers_have_a_window(family, keys, layers):
    assert windows(made(family, **keys)) == layers


def cores(model, block=None):
    return [
        o
        for b in model.blocks
        for o in b.operators
        if isinstance(o, Attention) and (block is None or b.name == block)
    ]


def test_an_indexer_sees_all_keys_and_attention_the_best():
    model = made("deepseek_v32", num_hidden_layers=1, first_k_dense_replace=1)
    index, core = cores(model)
    assert (index.heads, index.qk_dim, index.v_dim, index.window) == (64, 128, 0, None)
    assert (core.heads, core.qk_dim, core.v_dim, core.window) == (128, 192, 128, 2048)
    shared = made("glm_moe_dsa", num_hidden_layers=4, index_topk_freq=2)
    assert [len(cores(shared, b.name)) for b in shared.blocks if b.layer]
    assert sum(c.v_dim == 0 for c in cores(shared)) == 2  # dense and sparse layers of their own
    assert {c.window for c in cores(shared) if c.v_dim} == {2048}
    # of F S S F the first and the last find their keys themselves, of any other word each does
    for pattern, layers in (("FSSF", 2), ("FSS", 4), ("FSXF", 4), (None, 4)):
        marked = made("glm_moe_dsa", num_hidden_layers=4, index_topk_pattern=pattern)
        own = [b.repeat for b in marked.blocks for o in b.operators
               if isinstance(o, Attention) and o.v_dim == 0]  # fmt: skip
        assert sum(own) == layers, pattern
    first = made(
        "glm_moe_dsa", num_hidden_layers=3, index_topk_pattern="SSF", first_k_dense_replace=3
    )
    found = [any(getattr(o, "v_dim", 1) == 0 for o in b.operators) for b in first.blocks if b.layer]
    assert found == [False, True]  # two layers that take another's, and one of its own
    light = made("minimax_m3_vl_text", num_hidden_layers=1, layer_types=["minimax_m3_sparse"])
    assert [(c.heads, c.v_dim, c.window) for c in cores(light)] == [(4, 0, None), (64, 128, 2048)]


def test_compressed_keys_cost_as_many_as_there_are():
    """DeepSeek V4: over s tokens, s / 128 keys of 512 take as much as s keys of 4."""
    window, compressed = cores(made("deepseek_v4", num_hidden_layers=1))
    assert (window.window, window.qk_dim) == (128, 512)
    assert (compressed.window, compressed.qk_dim, compressed.v_dim) == (None, 4, 4)
    sparse = cores(made("deepseek_v4", num_hidden_layers=4), "compressed_sparse_attention")
    assert [(c.window, c.qk_dim, c.v_dim) for c in sparse] == [
        (128, 512, 512), (None, 32, 0), (2048, 128, 128),
    ]  # fmt: skip


@pytest.mark.parametrize(("family", "flops", "state"), [
    ("rwkv", 8 * 4096, 3 * 4096),
    ("recurrent_gemma", 6 * 2560, 2560),
    ("jamba", 6 * 8192 * 16, 8192 * 16),
    ("bamba", 256 * (256 + 8192) + 4 * 8192 * 256, 8192 * 256),
    ("falcon_h1", 256 * (256 + 1024) + 4 * 1024 * 256, 1024 * 256),
    ("nemotron_h", 128 * (8 * 128 + 8192) + 4 * 8192 * 128, 8192 * 128),
    ("zamba2", 256 * (64 + 5120) + 4 * 5120 * 64, 5120 * 64),
    ("kimi_linear", 6 * 32 * 128**2, 32 * 128**2),
    ("minimax", 2 * 4096 * 256 + 4 * 4096 * 128, 4096 * 128),
    ("olmo_hybrid", 6 * 30 * 96 * 192, 30 * 96 * 192),
])  # fmt: skip
def test_scans(family, flops, state):
    found = {o for b in made(family).blocks for o in b.operators if isinstance(o, Scan)}
    assert found == {Scan(flops=flops, state=state)}


# -- layers whose weights return -----------------------------------------------------------------


def test_albert_computes_each_layer_and_stores_one():
    one, twelve = made("albert", num_hidden_layers=1), made("albert")
    assert tally(one, sequence_length=64).stored == tally(twelve, sequence_length=64).stored
    layers = [tally(m, sequence_length=64).layers for m in (one, twelve)]
    assert layers[1] == 12 * layers[0]


def test_zamba_returns_to_its_block():
    names = {block.name: block.repeat for block in made("zamba2").blocks}
    assert (names["mamba layer"], names["shared block"], names["shared block again"]) == (54, 1, 8)
    assert names["adapters"] == 9
    two = {block.name: block.repeat for block in made("zamba2", num_mem_blocks=2).blocks}
    assert (two["shared block"], two["shared block again"]) == (2, 7)


def test_gemma_shares_keys():
    """The last layers of Gemma 3n take the keys of earlier ones: no projections of their own."""
    model = made("gemma3n_text")
    found = [
        block.repeat
        for block in model.blocks
        if block.layer and not any(getattr(o, "name", "") == "k_proj" for o in block.operators)
    ]
    assert sum(found) == 15


# -- images --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "expected"), [
    ({"model_type": "llava"}, {"patches": 24**2, "tokens": 24**2 + 1, "merged": 24**2}),
    ({"model_type": "gemma3"}, {"patches": 14**2, "tokens": 14**2, "merged": 256}),
    ({"model_type": "qwen3_vl"}, {"patches": 28**2, "merged": 14**2}),
    ({"model_type": "internvl"}, {"patches": 32**2, "merged": 16**2}),
    ({"model_type": "smolvlm", "scale_factor": 3, "vision_config": {"image_size": 96}},
     {"patches": 9, "merged": 1}),
    ({"model_type": "mistral3"}, {"patches": 110**2, "merged": 55**2}),
    ({"model_type": "clip"}, {"patches": 49, "tokens": 50, "text": 77, "pair": 1}),
    ({"model_type": "vit_mae"}, {"patches": 196, "seen": 50, "tokens": 197}),
    ({"model_type": "detr"}, {"tokens": 25 * 34, "queries": 100}),
    ({"model_type": "sam"}, {"tokens": 64**2, "prompts": 6}),
    ({"model_type": "swin"}, {"stage 1": 56**2, "stage 4": 7**2}),
    ({"model_type": "segformer"}, {"stage 1": 128**2, "keys 1": 16**2, "stage 4": 16**2}),
    ({"model_type": "convnext"}, {"stage 1": 56**2, "stage 4": 7**2}),
    # 15 s at 16 kHz, each convolution as it strides; 100 mel frames a second, an eighth of them
    ({"model_type": "wav2vec2"}, {"wave 1": 47_999, "frames": 749}),
    ({"model_type": "sew"}, {"all": 749, "frames": 374}),
    ({"model_type": "parakeet_ctc"}, {"mel 1": 750, "frames": 188, "places": 375}),
    # 3 tokens a second; the head passes each of them with each of the 188 frames
    ({"model_type": "parakeet_tdt"}, {"frames": 188, "text": 45}),
])  # fmt: skip
def test_lengths_of_streams(config, expected):
    found = lengths(build(config), 2048)
    assert {name: found[name] for name in expected} == expected


def test_an_image_before_the_text_is_told():
    model = made("qwen2_5_vl")
    assert model.notes == (
        "one image a sequence, 256 of its tokens",
        "an image of 448 x 448 pixels: 1,024 patches",
        "not in the configuration, so the default of qwen2_5_vl: hidden_size 8192, "
        "num_attention_heads 64, num_hidden_layers 80, intermediate_size 29568, vocab_size 152064, "
        "vision_config as its class has it",
    )
    assert windows(model)[-64] == 28  # of 8 x 8 patches, but in four layers
    assert model.streams[0].name == "text"
    alone = made("qwen2_5_vl", text_config={"hidden_size": 64, "num_attention_heads": 4,
                                            "num_key_value_heads": 2})  # fmt: skip
    assert alone.streams == model.streams[:1]
    assert alone.notes == (
        "not in the configuration, so the default of qwen2_5_vl: text_config.num_hidden_layers 80, "
        "text_config.intermediate_size 29568, text_config.vocab_size 152064",
        "only the text model is counted; towers for images or sound are left out",
    )


def test_windows_of_swin_do_not_pass_a_small_grid():
    reach = {core.window for core in cores(made("swin", image_size=112))}
    assert reach == {49, 16}  # 28, 14 and 7 patches a side, then 4


def test_lora_reaches_towers_too():
    names = {o.name for b in made("llava").blocks for o in b.operators if isinstance(o, Linear)}
    assert {"q_proj", "out_proj", "fc1", "linear_1", "gate_proj"} <= names


# -- places of DeBERTa ---------------------------------------------------------------------------


def test_places_pass_the_projections_of_each_layer():
    keys = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 256,
            "share_att_key": True, "num_hidden_layers": 2}  # fmt: skip
    plain, placed = (tally(made("deberta-v2", **k), sequence_length=64)
                     for k in ({"num_hidden_layers": 2}, keys))  # fmt: skip
    d, places, s = 1536, 512, 64
    projections = 2 * 2 * 2 * places * d * d  # two kinds in two layers
    scores = 2 * 2 * 2 * s * places * d
    assert placed.forward - plain.forward == projections + scores
    assert placed.stored - plain.stored == places * d


# -- what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "keys", "message"), [
    ("nemotron_h", {"hybrid_override_pattern": "MX"}, "expected M, *, - and E; got MX"),
    ("bamba", {"mamba_d_head": 3}, "expected mamba_n_heads x mamba_d_head to be 8192; got 3"),
    ("recurrent_gemma", {"block_types": ["odd"]}, "expected recurrent and attention"),
    ("zamba2", {"num_hidden_layers": 5}, "expected layers_block_type for 5 layers; got none"),
    ("wav2vec2", {"add_adapter": True}, "add_adapter: expected false"),
    ("detr", {"backbone": "vgg"}, "expected resnet50 or resnet101; got vgg"),
    ("dots1", {}, "num_local_experts: expected the number of experts; got none"),
    ("sam", {"mask_decoder_config": {"num_attention_heads": 7}},
     "mask_decoder_config.num_attention_heads: expected a divisor of hidden_size (256); got 7"),
    ("llava", {"vision_config": {"patch_size": 400}}, "vision_config.patch_size: expected at most"),
])  # fmt: skip
def test_what_does_not_fit_is_named(family, keys, message):
    with pytest.raises(InputError) as caught:
        made(family, **keys)
    assert any(message in str(problem) for problem in caught.value.problems), caught.value


def test_a_model_that_is_more_than_its_text_is_refused():
    # what finds things in an image is no BERT, though its file has one
    file = {"model_type": "grounding-dino", "text_config": {"model_type": "bert"}}
    with pytest.raises(InputError, match="more than its text model"):
        build({**file, "architectures": ["GroundingDinoModel"]})
    # SAM 3 reads words by CLIP's text tower; without a class in its file it was counted as that
    with pytest.raises(InputError) as caught:
        build({"model_type": "sam3", "text_config": {"model_type": "clip_text_model"}})
    assert str(caught.value).startswith("model_type: the whole is more than its text model, and ")


def test_a_clip_is_among_the_tokens_of_the_sequence():
    # Qwen2-Audio: 3000 frames of mel, halved by a convolution and again by a mean
    model = build({"model_type": "qwen2_audio"})
    assert {s.name: s.length for s in model.streams}["heard"] == 750
    assert "one clip of 30 seconds a sequence, 750 of its tokens" in model.notes
    text = build({"model_type": "qwen2_audio", "text_config": {"model_type": "qwen2"}})
    assert parameters(model) - parameters(text) == 636_968_960 + 4096 * 1281


def test_a_transducers_head_passes_each_token_with_each_frame():
    heads = [one for block in made("parakeet_tdt").blocks if block.name == "head"
             for one in block.operators if isinstance(one, Convolution)]  # fmt: skip
    # 8193 tokens and 5 durations from 640 values, once a frame: 188 for a clip of 15 seconds
    assert [(one.c_in, one.c_out, one.kernel, one.positions) for one in heads] == [
        (640, 8198, 1, 188)
    ]
    without = tally(made("parakeet_ctc", vocab_size=1025))
    with_head = tally(made("parakeet_tdt"))
    lstm = 2 * 2 * 1280 * 2560  # two layers: four gates of 640 from the input's and the state's 640
    text = 45 * (lstm + 2 * 640 * 640 + 188 * 2 * 640 * 8198)
    frames = 188 * (2 * 1024 * 640 - 2 * 1024 * 1025)  # to the joint's width; CTC's head is none
    assert with_head.forward - without.forward == text + frames


def test_minicpm_is_llama_with_a_tied_head():
    sizes = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}  # fmt: skip
    # 2 layers: q and o 64 x 64, k and v 64 x 32, three of 64 x 160, two norms; the last norm
    layers = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160 + 2 * 64) + 64
    assert parameters(made("minicpm", **sizes)) == layers + 100 * 64
    assert parameters(made("minicpm", tie_word_embeddings=False, **sizes)) == layers + 2 * 100 * 64


PAIR = ["linear_1", "linear_2"]


@pytest.mark.parametrize(("family", "side", "merged", "names"), [
    # patches a side of the image, and how many of them are one token of the text model
    ("cohere2_vision", 512 // 16, 2 * 2, PAIR),
    ("deepseek_vl", 224 // 16, 1, PAIR),
    ("glm4v", 336 // 14, 2 * 2, ["downsample", "proj", "gate_up_proj", "down_proj"]),
    ("idefics3", 224 // 32, 2 * 2, ["proj"]),
    ("internvl", 448 // 14, 2 * 2, PAIR),
    ("kimi_k25", 32, 2 * 2, ["in_proj", "out_proj"]),
    ("lfm2_vl", 28, 2 * 2, PAIR),
    ("llama4", 448 // 14, 2 * 2, ["fc1", "fc2", "linear_1"]),
    ("llava", 336 // 14, 1, PAIR),
    ("llava_onevision", 384 // 14, 1, PAIR),
    ("mistral3", 1540 // 14, 2 * 2, ["merging_layer", *PAIR]),
    ("paligemma", 224 // 14, 1, ["linear"]),
    ("qwen2_vl", 448 // 14, 2 * 2, ["merger_1", "merger_2"]),
    ("qwen3_vl", 448 // 16, 2 * 2, ["merger_1", "merger_2"] * 4),  # and of three layers below
])  # fmt: skip
def test_what_the_text_model_sees_of_an_image(family, side, merged, names):
    model = made(family)
    lengths = {stream.name: stream.length for stream in model.streams}
    assert lengths["patches"] == side * side
    assert lengths["merged"] == side * side // merged
    (between,) = (block for block in model.blocks if block.name == "projector")
    assert between.stream == "merged"
    assert [o.name for o in between.operators if isinstance(o, Linear)] == names


@pytest.mark.parametrize(("family", "merged", "names"), [
    # 30 seconds are 1,500 states of the encoder, of which two (in Voxtral four) are one token
    ("qwen2_audio", 2, ["linear_1"]),
    ("audioflamingo3", 2, PAIR),
    ("voxtral", 4, PAIR),
])  # fmt: skip
def test_what_the_text_model_hears(family, merged, names):
    model = made(family)
    lengths = {stream.name: stream.length for stream in model.streams}
    assert (lengths["audio"], lengths["heard"]) == (1500, 1500 // merged)
    (between,) = (block for block in model.blocks if block.name == "projector")
    assert [o.name for o in between.operators if isinstance(o, Linear)] == names


@pytest.mark.parametrize(("number", "chosen", "families"), [
    # the defaults of the classes in transformers: experts, and how many a token passes
    (1, 1, "hunyuan_v1_moe"),
    (7, 5, "flex_olmo"),
    (8, 2, "aria_text cohere2_moe granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared jetmoe minimax mixtral nemotron_h"),
    (16, 1, "llama4 llama4_text"),
    (16, 2, "jamba phimoe"),
    (32, 4, "lfm2_moe"),
    (60, 4, "qwen2_moe qwen3_vl_moe qwen3_vl_moe_text"),
    (64, 4, "glm4_moe_lite"),
    (64, 6, "afmoe deepseek_v2 ernie4_5_moe"),
    (64, 8, "exaone_moe mellum olmoe"),
    (128, 4, "gpt_oss minimax_m3_vl_text mistral4"),
    (128, 6, "sarvam_moe"),
    (128, 8, "glm4_moe glm4v_moe glm4v_moe_text qwen3_moe sarvam_mla solar_open"),
    (192, 8, "hy_v3"),
    (256, 6, "deepseek_v4 flint"),
    (256, 8, "deepseek_v3 deepseek_v32 glm_moe_dsa kimi_k25 kimi_linear laguna mimo_v2_flash "
     "minimax_m2 qwen3_5_moe qwen3_5_moe_text"),
    (384, 6, "kolibri1"),
    (512, 10, "qwen3_next"),
])  # fmt: skip
def test_how_many_experts_a_token_passes(number, chosen, families):
    for family in families.split():
        needed = {"num_experts_per_tok": 6} if family == "deepseek_v2" else {}  # has no default
        model = made(family, **needed)
        assert (model.experts, model.experts_per_token) == (number, chosen), family
