"""``architectures`` and ``model.head`` decide what stands on top; what is not read is told."""

from __future__ import annotations

import json

import pytest

from costcalc import InputError, estimate
from costcalc.catalog.preset import find
from costcalc.workload.counting import parameters, tally
from costcalc.workload.families import build
from costcalc.workload.families.heads import HEADS, class_of
from costcalc.workload.stage import WorkloadInput, workload

SMALL = {
    "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
    "vocab_size": 10, "num_key_value_heads": 2,
}  # fmt: skip


def made(family, task, **keys):
    return build({"model_type": family, "architectures": [task], **SMALL, **keys})


# XLM-R base and MiniLM-L6: embeddings of d, 12·d² + 13·d a layer
def base(words, positions, d, layers):
    return (words + positions) * d + 2 * d + layers * (12 * d**2 + 13 * d)


@pytest.mark.parametrize(("config", "count", "flops"), [
    # a classifier of three: a dense layer and an output over one of 128 positions
    ({"model_type": "xlm-roberta", "architectures": ["XLMRobertaForSequenceClassification"],
      "hidden_size": 768, "intermediate_size": 3072, "max_position_embeddings": 514,
      "type_vocab_size": 1, "vocab_size": 250002, "id2label": {"0": "a", "1": "b", "2": "c"}},
     base(250002, 515, 768, 12) + 768**2 + 768 + 3 * 768 + 3,
     6 * 12 * 12 * 768**2 + 3 * 4 * 12 * 768 * 128 + 6 * (768**2 + 3 * 768) / 128),
    # a bare encoder ends in a pooler
    ({"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 384,
      "intermediate_size": 1536, "num_attention_heads": 12, "num_hidden_layers": 6},
     base(30522, 514, 384, 6) + 384**2 + 384,
     6 * 6 * 12 * 384**2 + 3 * 4 * 6 * 384 * 128 + 6 * 384**2 / 128),
    # a reward model: one output, no bias, no logits over 151,936 words
    ({"model_type": "qwen3", "architectures": ["Qwen3ForSequenceClassification"], "head_dim": 128,
      "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16, "num_labels": 1,
      "num_hidden_layers": 28, "num_key_value_heads": 8, "tie_word_embeddings": True},
     596_049_920 + 1024,
     6 * 28 * (1024 * 128 * 48 + 3 * 1024 * 3072) + 3 * 2 * 28 * 2048 * 128 + 6 * 1024 / 128),
])  # fmt: skip
def test_a_published_configuration(config, count, flops):
    model = build(config)
    assert parameters(model) == count
    assert tally(model, sequence_length=128).training / 128 == flops
    assert any("no logits over words" in note for note in model.notes)


@pytest.mark.parametrize(("family", "task", "more"), [
    # what is there beside the bare model: outputs x 8 (+ outputs), a dense layer of 8 x 8 + 8
    ("llama", "LlamaForCausalLM", 80),
    ("llama", "LlamaForSequenceClassification", 16),
    ("llama", "LlamaForTokenClassification", 18),
    ("llama", "LlamaForQuestionAnswering", 18),
    ("qwen2", "Qwen2ForRewardModel", 8),
    ("bert", "BertForSequenceClassification", 18),
    ("bert", "BertForTokenClassification", 18 - 72),  # without the pooler of the bare model
    ("bert", "BertForQuestionAnswering", 18 - 72),
    ("bert", "BertForMultipleChoice", 9),
    ("bert", "BertForMaskedLM", 72 + 16 + 10 - 72),
    ("bert", "BertForPreTraining", 72 + 16 + 10 + 18),
    ("roberta", "RobertaForSequenceClassification", 18),
])  # fmt: skip
def test_what_a_class_adds(family, task, more):
    bare = task.split("For")[0] + "Model"
    keys = {"tie_word_embeddings": family != "llama"}
    found = parameters(made(family, task, **keys)) - parameters(made(family, bare, **keys))
    assert found == more


def test_the_run_file_wins_over_the_class():
    config = {"model_type": "llama", **SMALL, "architectures": ["LlamaForCausalLM"]}
    bare = parameters(build(config, head="none"))
    assert parameters(build(config, head="classifier", labels=5)) == bare + 40
    assert parameters(build(config, head="regression")) == bare + 8
    assert parameters(build(config, head="tokens", labels=5)) == bare + 45
    assert build(config, head="language-model").notes == ()
    for head in HEADS:
        unknown = {**config, "architectures": ["LlamaForCausalLMEagle3"]}
        assert build(unknown, head=head).layers == 1


@pytest.mark.parametrize("name", ["LlamaForCausalLMEagle3", "MedusaLlama", "LlamaForNothing"])
def test_a_class_of_unknown_task_is_refused(name):
    with pytest.raises(InputError, match=f"architectures: {name} is no class that is counted"):
        made("llama", name)


def test_a_task_that_a_family_has_not_is_refused():
    with pytest.raises(InputError, match="LlamaForCTC is not counted for llama"):
        made("llama", "LlamaForCTC")


def test_what_is_not_read_is_told():
    assert made("llama", "LlamaForCausalLM").notes == ()
    assert made("llama", "MistralForCausalLM").notes == (
        "MistralForCausalLM is no class of llama: counted as that family's model",
    )
    assert made("llama", "LlamaForCausalLM", auto_map={"AutoModel": "x.Y"}).notes == (
        "its own code (auto_map) is not read: counted as a model of llama",
    )
    assert made("llama", "LlamaForCausalLM", draft_vocab_size=5, num_medusa_heads=4).notes == (
        "not read, and may change the model: draft_vocab_size, num_medusa_heads",
    )
    # absent, off or without a say in the shape
    quiet = {"num_experts": None, "use_mtp": False, "rope_scaling": {"factor": 2}, "mtp_layers": 0}
    assert made("llama", "LlamaForCausalLM", **quiet, attention_dropout=0.1).notes == ()


@pytest.mark.parametrize(("config", "note"), [
    # transformers 5.23: LlamaConfig() has 32 layers of 4096 and 32 heads, 11008 wide, 32000 words
    ({"model_type": "llama", "hidden_size": 512},
     "not in the configuration, so the default of llama: num_attention_heads 32, num_hidden_layers "
     "32, intermediate_size 11008, vocab_size 32000"),
    # a part that is not there at all is its class's own
    ({"model_type": "qwen2_5_vl", **SMALL},
     "not in the configuration, so the default of qwen2_5_vl: vision_config as its class has it"),
    ({"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 9,
      "add_cross_attention": True}, "not read, and may change the model: add_cross_attention"),
    # what no layer has is not missed: all feed-forwards are experts
    ({"model_type": "qwen3_moe", **{k: v for k, v in SMALL.items() if k != "intermediate_size"},
      "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 4}, None),
])  # fmt: skip
def test_what_a_class_fills_in_is_told(config, note):
    told = [each for each in build(config).notes if "not " in each]
    assert told == ([] if note is None else [note])


def test_a_run_warns_of_what_was_not_read(tmp_path):
    config = {"model_type": "llama", **SMALL, "auto_map": {"AutoModel": "x.Y"},
              "quantization_config": {"quant_method": "gptq", "bits": 4}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    run = {"model": {"config": str(tmp_path)}, "training": {"method": "lora", "tokens": "1M"},
           "hardware": {"accelerator": "h100-sxm5-80", "count": 1}}  # fmt: skip
    assert [line for line in estimate(run).warnings if line.startswith("model: ")] == [
        "model: quantization_config: a base of 4 bits a weight (gptq), counted as nf4",
        "model: its own code (auto_map) is not read: counted as a model of llama",
    ]


def test_a_tower_of_other_spellings_is_read():
    config = find("kimi-k2.5").config
    tower = config["vision_config"] | {"vt_num_hidden_layers": 26}
    # attention and two norms of 1152, a feed-forward of 4304, all with biases
    layer = 4 * 1152 * 1153 + 1152 * 4304 * 2 + 4304 + 1152 + 4 * 1152
    less = parameters(build(config)) - parameters(build(config | {"vision_config": tower}))
    assert less == layer


# -- layers that predict further tokens ------------------------------------------------------------


def further(method, **keys):
    config = {
        "model_type": "glm4_moe", "hidden_size": 8, "intermediate_size": 12, "vocab_size": 10,
        "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 2, "head_dim": 4,
        "moe_intermediate_size": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, **keys,
    }  # fmt: skip
    return workload(
        WorkloadInput(architecture=build(config), tokens=1e6, sequence_length=16, method=method)
    )


def test_further_tokens_are_predicted_in_pretraining_alone():
    plain, whole = further("pretrain"), further("pretrain", num_nextn_predict_layers=1)
    # one more sparse layer of 4·8² + 8·4 + 5 experts of 3·8·4 + two norms, a projection of 16 to 8
    # and three norms
    more = 4 * 64 + 32 + 5 * 96 + 16 + 128 + 24
    assert whole.parameters - plain.parameters == more
    assert f"layers that predict further tokens train too: {more:,} parameters" in whole.notes
    # the layer with two of its experts and the shared one, the projection, and the head once more
    multiplied = 4 * 64 + 32 + 3 * 96 + 128 + 80
    core = 3 * 2 * 8 * 16
    assert whole.flops_per_datum - plain.flops_per_datum == 6 * multiplied + core
    assert whole.tally.stored == whole.parameters
    tuned = further("finetune", num_nextn_predict_layers=1)
    assert (tuned.parameters, tuned.flops_per_datum) == (plain.parameters, plain.flops_per_datum)
    assert any("are not trained in finetune" in note for note in tuned.notes)


@pytest.mark.parametrize(
    ("names", "first"),
    [(["A", "B"], "A"), (("A",), "A"), ([], None), ("BertModel", None), (None, None), ([7], None)],
)
def test_the_class_is_the_first_of_a_list(names, first):
    assert class_of({"architectures": names}) == first


def test_a_whisper_without_its_decoder_is_refused():
    config = {"model_type": "whisper", "architectures": ["WhisperForAudioClassification"]}
    with pytest.raises(InputError, match="is the encoder alone, under a head of its own"):
        build(config)
    whole = {**config, "architectures": ["WhisperForConditionalGeneration"]}
    assert build(whole).name == build({"model_type": "whisper"}).name


def test_bert_in_pretraining_predicts_words_and_whether_a_sentence_follows():
    said = "head: 2 outputs a sequence, beside the logits over words (BertForPreTraining)"
    assert said in made("bert", "BertForPreTraining").notes
