"""The presets: their counts against hand-computed and published ones, names and sources."""

from __future__ import annotations

import json
from math import log10

import pytest
from pydantic import ValidationError

import costcalc
from costcalc.base.errors import NotFoundError
from costcalc.catalog import preset as presets
from costcalc.catalog.preset import Preset, all_presets, find, names, stored_as
from costcalc.workload.counting import active_parameters, parameters, tally
from costcalc.workload.families import build

IDS = sorted(set(names().values()))
BY_CONFIG = [one.id for one in all_presets() if one.config is not None]
BY_FLOPS = [one.id for one in all_presets() if one.forward_flops is not None]


def test_every_file_is_a_preset_of_its_own_name():
    assert [one.id for one in all_presets()] == IDS
    assert len(IDS) >= 580


def test_the_kinds_asked_for_are_there():
    families = {one.family for one in all_presets()}
    assert families == {
        "dense",
        "moe",
        "encoder",
        "encoder-decoder",
        "ssm",
        "cnn",
        "detector",
        "vit",
        "unet",
        "dit",
        "speech",
    }


def test_no_name_stands_for_two_presets():
    seen: dict[str, str] = {}
    for one in all_presets():
        for name in (one.id, *one.aliases):
            assert seen.setdefault(name.lower(), one.id) == one.id, name


@pytest.mark.parametrize("name", BY_CONFIG)
def test_the_counted_parameters_equal_the_known_count(name):
    one = find(name)
    assert parameters(build(one.config)) == one.tested_parameters.value


@pytest.mark.parametrize("name", BY_CONFIG)
def test_the_kind_is_that_of_the_architecture(name):
    one = find(name)
    assert build(one.config).kind == one.kind


# Totals that publishers and the Hub state to the last digit; each found apart from transformers.
# Pythia: README of EleutherAI/pythia.  Llama 2, 3.1: the Hub's safetensors totals.  OLMo 2: table
# 19 of arXiv:2501.00656.  BLOOM: arXiv:2211.05100, tables 2 and 3, in millions.
STATED = {
    "pythia-70m": 70_426_624,
    "pythia-160m": 162_322_944,
    "pythia-410m": 405_334_016,
    "pythia-1b": 1_011_781_632,
    "pythia-1.4b": 1_414_647_808,
    "pythia-2.8b": 2_775_208_960,
    "pythia-6.9b": 6_857_302_016,
    "pythia-12b": 11_846_072_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "olmo-2-7b": 7_298_617_344,
    "olmo-2-13b": 13_716_198_400,
    "bloom-176b": 176_247_271_424,
    "smollm3-3b": 3_075_098_624,
    "mixtral-8x22b": 140_630_071_296,
    "resnet-50": 25_557_032,
    "vit-b-16": 86_567_656,
    "roberta-base": 124_645_632 + 2 * 768 + 50_265,
}  # RoBERTa: 124,645,632 with a pooler; its masked-LM head has a norm and a bias a word more


@pytest.mark.parametrize(("name", "stated"), STATED.items())
def test_totals_stated_to_the_last_digit(name, stated):
    assert find(name).tested_parameters.value == stated


@pytest.mark.parametrize("name", [one.id for one in all_presets() if one.published.parameters])
def test_the_count_is_what_the_publisher_says(name):
    """To 10 %, since names round; to 0.1 % where four or more digits are stated."""
    one = find(name)
    stated = one.published.parameters.value
    digits = len(f"{stated:.15g}".rstrip("0").replace(".", ""))
    allowed = 0.001 if digits >= 4 else 0.10
    assert one.tested_parameters.value == pytest.approx(stated, rel=allowed)


@pytest.mark.parametrize(
    "name", [one.id for one in all_presets() if one.published.active_parameters and one.config]
)
def test_active_parameters_are_what_the_publisher_says(name):
    """Embeddings, which publishers count or not, are allowed for."""
    one = find(name)
    shape = build(one.config)
    embedding = shape.vocabulary * shape.hidden
    stated = one.published.active_parameters.value
    counted = active_parameters(shape)
    assert stated * 0.97 < counted < stated * 1.03 + embedding


# torchvision's documentation, "GFLOPS" column of the classification table: multiply-adds.
TORCHVISION = {
    "alexnet": 0.714,
    "vgg-16": 15.47,
    "resnet-18": 1.814,
    "resnet-34": 3.664,
    "resnet-50": 4.089,
    "resnet-101": 7.801,
    "resnet-152": 11.514,
    "wide-resnet-50-2": 11.398,
    "resnext-50-32x4d": 4.23,
    "densenet-121": 2.834,
    "mobilenet-v2": 0.301,
    "mobilenet-v3-large": 0.217,
    "inception-v3": 5.713,
    "efficientnet-b0": 0.386,
    "efficientnet-b1": 0.687,
    "efficientnet-b2": 1.088,
    "efficientnet-b3": 1.827,
    "efficientnet-b4": 4.394,
    "efficientnet-b5": 10.266,
    "efficientnet-b6": 19.068,
    "efficientnet-b7": 37.746,
    "efficientnet-v2-s": 8.366,
    "efficientnet-v2-m": 24.582,
    "efficientnet-v2-l": 56.08,
    "convnext-t": 4.456,
    "convnext-s": 8.684,
    "convnext-b": 15.355,
    "convnext-l": 34.361,
    "swin-t": 4.491,
    "swin-s": 8.741,
    "swin-b": 15.431,
}


def _forward(one: Preset) -> float:
    if one.forward_flops is not None:
        return one.forward_flops.si
    return tally(build(one.config)).forward


@pytest.mark.parametrize(("name", "gmac"), TORCHVISION.items())
def test_flops_are_twice_the_multiply_adds_of_torchvision(name, gmac):
    assert _forward(find(name)) == pytest.approx(2e9 * gmac, rel=2e-3, abs=1.1e6)


def test_resnet_50_by_hand():
    """Bottlenecks of (in, middle, side, number); the stride is in the 3 x 3 (v1.5)."""
    stem = 2 * 112 * 112 * 64 * 3 * 7 * 7
    total = stem + 2 * 2048 * 1000
    width, before = 64, 56
    for middle, side, number in ((64, 56, 3), (128, 28, 4), (256, 14, 6), (512, 7, 3)):
        for index in range(number):
            first = before if index == 0 else side
            total += 2 * first * first * width * middle
            total += 2 * side * side * middle * middle * 9
            total += 2 * side * side * middle * 4 * middle
            if index == 0:
                total += 2 * side * side * width * 4 * middle
            width = 4 * middle
        before = side
    one = tally(build(find("resnet-50").config))
    assert (total, stem) == (8_178_368_512, 236_027_904)
    assert (one.forward, one.first, one.training) == (total, stem, 24_299_077_632)


@pytest.mark.parametrize("name", [one.id for one in all_presets() if one.published.forward_flops])
def test_the_counted_flops_equal_the_known_ones(name):
    one = find(name)
    assert tally(build(one.config)).forward == one.published.forward_flops.value


def test_training_flops_of_dit_xl_2_by_flop_counter_mode():
    """Three passes less the input gradients of the patches' and the time step's first layer."""
    one = find("dit-xl-2")
    assert 3 * one.forward_flops.si - one.first_layer_flops.si == 711_718_502_400


@pytest.mark.parametrize(
    ("name", "tokens", "width", "layers", "gmac"),
    [  # arXiv:2212.09748, tables 1 and 4; gmac: its "Gflops"
        ("dit-s-2", 256, 384, 12, 6.06),
        ("dit-b-2", 256, 768, 12, 23.01),
        ("dit-l-2", 256, 1024, 24, 80.71),
        ("dit-xl-2", 256, 1152, 28, 118.64),
        ("dit-xl-2-512", 1024, 1152, 28, 524.6),
    ],
)
def test_dit_by_hand(name, tokens, width, layers, gmac):
    """Patches of 2 x 2 x 4 in, 2 x 2 x 8 out; adaLN-Zero: 6 d² a sample and block."""
    d = width
    block = 2 * tokens * 12 * d * d + 4 * tokens * tokens * d + 2 * 6 * d * d
    ends = 2 * tokens * 16 * d + 2 * tokens * d * 32 + 2 * 2 * d * d
    time = 2 * (256 * d + d * d)
    one = find(name)
    assert one.forward_flops.si == layers * block + ends + time
    assert one.forward_flops.si == pytest.approx(2e9 * gmac, rel=1.5e-3)
    stored = layers * (12 * d * d + 9 * d + 6 * d * d + 6 * d)  # 9 d: biases of four matrices
    stored += 16 * d + d + 256 * d + d * d + 2 * d + 1001 * d + 2 * d * d + 2 * d + 32 * d + 32
    assert one.tested_parameters.value == stored


def test_u_net_by_hand():
    """Figure 1 of arXiv:1505.04597: each 3 x 3 convolution takes two pixels off a side."""
    side, channels, flops, stored = 572, 1, 0, 0
    for step in range(5):
        for _ in range(2):
            out = 64 * 2**step
            side -= 2
            flops += 2 * side * side * channels * out * 9
            stored += 9 * channels * out + out
            channels = out
        side = side // 2 if step < 4 else side
    for _ in range(4):
        out = channels // 2
        flops += 2 * side * side * channels * out * 4
        stored += 4 * channels * out + out
        side *= 2
        for before in (channels, out):  # the skip doubles the channels of the first one
            side -= 2
            flops += 2 * side * side * before * out * 9
            stored += 9 * before * out + out
        channels = out
    flops += 2 * side * side * 64 * 2
    stored += 64 * 2 + 2
    one = find("u-net")
    assert side == 388
    assert (one.forward_flops.si, one.tested_parameters.value) == (flops, stored)


@pytest.mark.parametrize("name", BY_FLOPS)
def test_flops_a_parameter_are_plausible(name):
    """Each weight is used at least once; a convolution at most once a pixel of 600 x 600."""
    one = find(name)
    ratio = one.forward_flops.si / one.tested_parameters.value
    assert 2 < ratio < 2 * 600 * 600
    if one.first_layer_flops is not None:
        assert 0 < one.first_layer_flops.si < 0.4 * one.forward_flops.si


@pytest.mark.parametrize("name", IDS)
def test_published_training_is_plausible(name):
    published = find(name).published
    if published.training_tokens is not None:
        assert 10 < log10(published.training_tokens.si) < 14


def test_gpt_3_as_published():
    """Table 2.1: 96 layers of 12,288, 96 heads of 128; table D.1: 3.14e23, which is 6·N·D."""
    one = find("GPT-3")
    shape = build(one.config)
    assert (shape.layers, shape.hidden, shape.heads, shape.head_dim) == (96, 12288, 96, 128)
    assert one.published.training_compute.si == 3.14e23
    six_n_d = 6 * one.tested_parameters.value * one.published.training_tokens.si
    assert six_n_d == pytest.approx(3.14e23, rel=0.002)


def test_find_by_id_alias_and_case():
    assert find("llama-3-8b") is find("meta-llama/Meta-Llama-3-8B") is find(" LLAMA-3-8B ")
    assert find("deepseek-r1").id == "deepseek-v3"


WAY_OUT = "or give model.config, the config.json of its repository, or model.parameters"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "llama-3-9b",
            "model.preset: no preset llama-3-9b; nearest: llama-3-8b, llama-3-70b, llama-13b, "
            "llama-33b; " + WAY_OUT,
        ),
        ("../../errors", "model.preset: no preset ../../errors; " + WAY_OUT.removeprefix("or ")),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(name, message):
    with pytest.raises(NotFoundError) as caught:
        find(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
        ("unsloth/Qwen2.5-7B", "qwen2.5-7b"),
        ("mlx-community/Llama-3.2-3B-Instruct-4bit", "llama-3.2-3b"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("TheBloke/Llama-2-7B-GPTQ", "llama-2-7b"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "qwen2.5-7b"),
        ("qwen3-8b-fp8", "qwen3-8b"),
        ("google/gemma-3-4b-it", "gemma-3-4b"),
        ("karpathy/nanochat", "nanochat-d20"),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", "llama-3.2-11b-vision"),
        ("Llama 3 8B", "llama-3-8b"),
        ("FacebookAI/roberta-base", "roberta-base"),
    ],
)
def test_who_uploaded_it_and_how_it_was_tuned_leave_the_shape(written, found):
    assert find(written).id == found


@pytest.mark.parametrize("name", ["klue/roberta-base", "someone/Roberta-base-AWQ"])
def test_another_makers_model_of_the_same_name_is_not_taken(name):
    with pytest.raises(NotFoundError) as caught:
        find(name)
    assert str(caught.value) == (
        f"model.preset: no preset {name}; roberta-base is another's model of that name, write it "
        f"if the shapes are equal, {WAY_OUT}"
    )


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("unsloth/Meta-Llama-3.1-8B-bnb-4bit", ("nf4", "bnb-4bit")),
        ("unsloth/Meta-Llama-3.1-8B-unsloth-bnb-4bit", ("nf4", "unsloth-bnb-4bit")),
        ("org/model-GPTQ-Int8", ("int8", "GPTQ-Int8")),
        ("org/model-FP8-dynamic", ("int8", "FP8-dynamic")),
        ("org/model-quantized.w4a16", ("nf4", "quantized.w4a16")),
        ("org/model-GGUF", (None, "GGUF")),
        ("org/model", None),
    ],
)
def test_what_a_name_says_of_its_weights(name, stored):
    assert stored_as(name) == stored


def test_a_quantised_base_counts_as_what_its_name_says(tmp_path):
    run = {
        "model": {"preset": "unsloth/Meta-Llama-3.1-8B-bnb-4bit"},
        "training": {"method": "lora", "tokens": "1M"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
    }
    named = costcalc.estimate(run)
    plain = costcalc.estimate(
        run, changes={"model.preset": "llama-3.1-8b", "training.base_precision": "nf4"}
    )
    assert named.results["memory_per_device"].value == plain.results["memory_per_device"].value
    assert "model: bnb-4bit in its name: a base that is frozen counts as nf4" in named.warnings
    # and the same of the base that an adapter names
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 16, "target_modules": "all-linear", '
        '"base_model_name_or_path": "unsloth/Meta-Llama-3.1-8B-bnb-4bit"}'
    )
    adapter = costcalc.estimate(run | {"model": {"config": str(tmp_path)}})
    assert adapter.results["memory_per_device"].value == plain.results["memory_per_device"].value


def _plain() -> dict:
    return find("convnext-t").model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"model_type": "resnet"}}, "expected one of config, architecture, forward_fl"),
        ({"forward_flops": None}, "expected one of config, architecture, forward_flops; got none"),
        ({"sample": None}, "forward_flops need sample: what one sample is"),
        ({"config_source": "paper"}, "config and config_source go together"),
        ({"sources": {}}, "expected a name from sources; got 'count'"),
        ({"sequence_length": {"value": 3, "unit": "W", "source": "count"}}, "which is a power"),
        ({"kinds": "x"}, "Extra inputs are not permitted"),
        ({"tested_parameters": {"value": 0, "unit": "1", "source": "count"}}, "more than 0; got 0"),
    ],
)
def test_a_faulty_preset_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Preset.model_validate({**_plain(), **change})


def test_a_source_that_nothing_uses_is_refused():
    given = _plain()
    given["sources"]["spare"] = {"title": "t", "publisher": "p"}
    with pytest.raises(ValidationError, match=r"sources\.spare: no figure uses it"):
        Preset.model_validate(given)


def test_the_files_are_valid_by_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    from costcalc.base.reading import read_file
    from costcalc.catalog.files import data_root

    check = jsonschema.Draft202012Validator(presets.schema())
    for path in (data_root() / "presets").iterdir():
        text = path.read_text(encoding="utf-8")
        first = "# yaml-language-server: $schema=../schemas/preset.schema.json\n"
        assert text.startswith(first), path.name
        faults = [error.message for error in check.iter_errors(read_file(path).data)]
        assert faults == [], path.name


def test_the_shipped_schema_is_the_one_of_the_code():
    from costcalc.catalog.files import data_root

    text = (data_root() / "schemas" / "preset.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == presets.schema()


CLASSES = {
    "glm4v": "AutoModelForImageTextToText",
    "moonshine": "AutoModelForSpeechSeq2Seq",
    "voxtral": "AutoModelForSpeechSeq2Seq",
    "albert": "AutoModelForMaskedLM",
    "bart": "AutoModelForSeq2SeqLM",
    "beit": "AutoModelForImageClassification",
    "bert": "AutoModelForMaskedLM",
    "convnextv2": "AutoModelForImageClassification",
    "detr": "AutoModelForObjectDetection",
    "distilbert": "AutoModelForMaskedLM",
    "esm": "AutoModelForMaskedLM",
    "idefics3": "AutoModelForImageTextToText",
    "kimi_k25": "AutoModelForImageTextToText",
    "llava": "AutoModelForImageTextToText",
    "llava_next": "AutoModelForImageTextToText",
    "m2m_100": "AutoModelForSeq2SeqLM",
    "mistral3": "AutoModelForImageTextToText",
    "mllama": "AutoModelForImageTextToText",
    "modernbert": "AutoModelForMaskedLM",
    "mpnet": "AutoModelForMaskedLM",
    "mt5": "AutoModelForSeq2SeqLM",
    "paligemma": "AutoModelForImageTextToText",
    "parakeet_ctc": "AutoModelForCTC",
    "parakeet_tdt": "AutoModelForTDT",
    "pegasus": "AutoModelForSeq2SeqLM",
    "qwen2_5_vl": "AutoModelForImageTextToText",
    "qwen2_vl": "AutoModelForImageTextToText",
    "qwen3_5": "AutoModelForImageTextToText",
    "qwen3_5_moe": "AutoModelForImageTextToText",
    "qwen3_vl": "AutoModelForImageTextToText",
    "qwen3_vl_moe": "AutoModelForImageTextToText",
    "resnet": "AutoModelForImageClassification",
    "roberta": "AutoModelForMaskedLM",
    "sam": "AutoModelForMaskGeneration",
    "siglip": "AutoModel",
    "swin": "AutoModelForImageClassification",
    "swinv2": "AutoModelForImageClassification",
    "t5": "AutoModelForSeq2SeqLM",
    "vit": "AutoModelForImageClassification",
    "whisper": "AutoModelForSpeechSeq2Seq",
    "xlm-roberta": "AutoModelForMaskedLM",
}


#: what transformers builds otherwise than it was published
OTHERWISE = {
    "longcat-flash": "its 256 idle experts have weights there: 741 of 561 billion",
    "kimi-k3": "its experts are as wide as the model there, not as the latent vector",
    "step-3.5-flash": "its text model is of step3p7 there, which has no causal class",
}


#: classes of language models that no automatic class finds
CAUSAL = {"mistral4": ("Mistral4ForCausalLM",)}


@pytest.mark.frameworks
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in BY_CONFIG if name not in OTHERWISE])
def test_transformers_builds_as_many_parameters(name):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    given = dict(find(name).config)
    if "model_type" not in given:
        pytest.skip("a configuration of diffusers")
    model_type, named = given.pop("model_type"), given.get("architectures")
    if model_type not in transformers.CONFIG_MAPPING:
        pytest.skip(f"{model_type} is code of its own repository")
    if "backbone" in given:
        pytest.importorskip("timm")
    config = transformers.AutoConfig.for_model(model_type, **given)
    with torch.device("meta"):
        named = [*(named or ()), *CAUSAL.get(model_type, ())]
        if named:
            model = getattr(transformers, named[0])(config)
        else:
            auto = getattr(transformers, CLASSES.get(model_type, "AutoModelForCausalLM"))
            model = auto.from_config(config)
    model.tie_weights()
    assert sum(part.numel() for part in model.parameters()) == find(name).tested_parameters.value


def test_the_short_list_says_what_the_presets_say():
    for short, whole in zip(presets.listed(), presets.all_presets(), strict=True):
        assert short == tuple(getattr(whole, name) for name in short._fields)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("TheBloke/Mistral-7B-Instruct-v0.2-GPTQ", "mistral-7b-v0.2"),  # mistralai/ left out of it
        ("unsloth/Mistral-Nemo-Base-2407-bnb-4bit", "mistral-nemo-12b"),
        (
            "mlx-community/Mistral-7B-Instruct-v0.3-4bit",
            "mistral-7b-v0.3",
        ),  # its vocabulary differs
        ("unsloth/DeepSeek-R1-0528-Qwen3-8B", "qwen3-8b"),  # never the DeepSeek-R1 of 671B
        (
            "nvidia/DeepSeek-R1-FP4",
            "deepseek-v3",
        ),  # quantised by one who does that to others' models
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "llama-4-maverick"),
    ],
)
def test_a_copy_under_its_makers_name_for_it_is_the_preset(name, preset):
    assert presets.find(name).id == preset


def test_a_model_of_anothers_name_that_is_no_copy_is_refused():
    with pytest.raises(NotFoundError, match="is another's model of that name"):
        presets.find("someone/Mistral-7B-Instruct-v0.2")


@pytest.mark.parametrize(
    ("name", "preset", "window"),
    [
        ("microsoft/Phi-3-mini-4k-instruct", "phi-3-mini", 2047),
        ("microsoft/Phi-3-mini-128k-instruct", "phi-3-mini-128k", 262144),
        ("microsoft/Phi-3.5-mini-instruct", "phi-3-mini-128k", 262144),
        ("microsoft/Phi-3-medium-128k-instruct", "phi-3-medium-128k", 131072),
        ("mistralai/Mistral-7B-v0.1", "mistral-7b", 4096),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistral-7b-v0.2", None),
    ],
)
def test_models_that_differ_in_what_attention_sees_are_no_aliases(name, preset, window):
    found = presets.find(name)
    assert found.id == preset
    assert found.config["sliding_window"] == window


@pytest.mark.parametrize("address", [
    "https://huggingface.co/Qwen/Qwen2.5-7B", "https://huggingface.co/Qwen/Qwen2.5-7B/tree/main",
    "hf.co/Qwen/Qwen2.5-7B-Instruct", "http://hf.co/Qwen/Qwen2.5-7B/blob/main/config.json",
    "https://huggingface.co/Qwen/Qwen2.5-7B?library=transformers", "hf://Qwen/Qwen2.5-7B@main",
    "https://modelscope.cn/models/Qwen/Qwen2.5-7B", "models--Qwen--Qwen2.5-7B",
])  # fmt: skip
def test_an_address_of_a_repository_is_its_model(address):
    assert find(address).id == "qwen2.5-7b"


def test_an_address_says_how_the_weights_are_stored():
    address = "https://huggingface.co/Qwen/Qwen2.5-7B-Instruct-AWQ/tree/main"
    assert stored_as(address) == ("nf4", "AWQ")


@pytest.mark.parametrize(
    ("name", "stated", "active"),
    [  # as IBM, Liquid AI and Mistral AI print them, in billions
        ("ibm-granite/granite-4.0-h-small", 32.2, 8.8),
        ("ibm-granite/granite-4.0-h-tiny", 6.9, 1.5),
        ("LiquidAI/LFM2-8B-A1B", 8.3, 1.6),
        ("mistralai/Ministral-3-3B-Instruct-2512", 3.8, 3.8),
        ("mistralai/Ministral-3-8B-Instruct-2512", 8.9, 8.9),
        ("mistralai/Ministral-3-14B-Instruct-2512", 13.9, 13.9),
        ("bigscience/bloomz-7b1", 7.1, 7.1),
    ],
)
def test_models_of_late_2025(name, stated, active):
    model = build(find(name).config)
    assert (round(parameters(model) / 1e9, 1), round(active_parameters(model) / 1e9, 1)) == (
        stated, active,
    )  # fmt: skip
