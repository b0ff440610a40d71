"""config.json and safetensors headers: exact counts, and every fault at its line."""

from __future__ import annotations

import json

import pytest

from costcalc import InputError
from costcalc.workload import hf, safetensors
from costcalc.workload.counting import parameters
from costcalc.workload.families import build, supported
from costcalc.workload.safetensors import INDEX, MAX_HEADER, read_header, stored

SMALL = {
    "model_type": "llama",
    "vocab_size": 10,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
#: its tensors by hand: 2·10·8 + 8·8 + 2·8·4 + 8·8 + 3·8·12 + 3·8
TENSORS = {
    "model.embed_tokens.weight": [10, 8], "lm_head.weight": [10, 8],
    "q_proj.weight": [8, 8], "k_proj.weight": [4, 8], "v_proj.weight": [4, 8],
    "o_proj.weight": [8, 8], "gate_proj.weight": [12, 8], "up_proj.weight": [12, 8],
    "down_proj.weight": [8, 12], "norm.weight": [24],
}  # fmt: skip
TOTAL = 160 + 64 + 64 + 64 + 288 + 24


def header(tensors, dtype="BF16"):
    made = {"__metadata__": {"format": "pt"}}
    made |= {n: {"dtype": dtype, "shape": s, "data_offsets": [0, 0]} for n, s in tensors.items()}
    raw = json.dumps(made).encode()
    return len(raw).to_bytes(8, "little") + raw


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SMALL, indent=2))
    return tmp_path


def test_a_configuration_alone(folder):
    found = hf.load(folder)
    assert found.parameters == TOTAL == parameters(build(SMALL))
    assert (found.basis, found.notes) == ("config", ())
    assert hf.load(folder / "config.json") == found


def test_weights_that_agree(folder):
    (folder / "model.safetensors").write_bytes(header(TENSORS))
    found = hf.load(folder)
    assert (found.parameters, found.basis, found.notes) == (TOTAL, "weights", ())


def test_weights_that_differ_win_and_say_so(folder):
    more = {**TENSORS, "extra.weight": [5, 5]}
    (folder / "model.safetensors").write_bytes(header(more))
    found = hf.load(folder)
    assert (found.parameters, parameters(found.architecture)) == (TOTAL + 25, TOTAL)
    assert found.notes == (
        f"the weight files hold {TOTAL + 25:,} parameters, its configuration comes to {TOTAL:,}; "
        "the files win",
    )


def test_shards_by_their_index(folder):
    names = list(TENSORS)
    shards = {"model-1.safetensors": names[:4], "model-2.safetensors": names[4:]}
    for file, part in shards.items():
        (folder / file).write_bytes(header({n: TENSORS[n] for n in part}))
    places = {n: file for file, part in shards.items() for n in part}
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    (folder / "consolidated.safetensors").write_bytes(header(TENSORS))  # a second copy
    assert stored(folder).parameters == TOTAL
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(InputError, match="1 of its 2 files are missing, first model-2"):
        hf.load(folder)


@pytest.mark.parametrize("name", ["../../etc/x.safetensors", "/tmp/x.safetensors", "x.bin"])
def test_an_index_names_only_files_beside_it(folder, name):
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InputError, match="expected names of safetensors files beside it"):
        hf.load(folder)


def test_what_nothing_learns_is_not_counted(tmp_path):
    file = tmp_path / "model.safetensors"
    buffers = {
        "h.0.attn.bias": [1, 1, 64, 64], "h.0.attn.masked_bias": [1], "rotary_emb.inv_freq": [4],
        "bn.running_mean": [7], "mlp.gate.e_score_correction_bias": [9],
        "down_proj.weight_scale_inv": [3, 3], "embeddings.position_ids": [1, 12],
    }  # fmt: skip
    file.write_bytes(header({**TENSORS, **buffers, "attn.bias": [8]}))
    assert stored(file).parameters == TOTAL + 8


def test_a_tied_head_that_is_stored_twice_counts_once(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(header(TENSORS))
    assert stored(file, tied=True).parameters == TOTAL - 80
    assert stored(file).parameters == TOTAL
    head = [safetensors.Tensor("lm_head.weight", "BF16", (10, 8))]
    assert safetensors.count(head).parameters == 80


def test_packed_weights_do_not_tell_their_number(folder):
    (folder / "model.safetensors").write_bytes(header(TENSORS, "I32"))
    found = hf.load(folder)
    assert (found.basis, found.parameters) == ("config", TOTAL)
    assert any("quantised and packed" in note for note in found.notes)


@pytest.mark.parametrize(("raw", "message"), [
    (b"", "expected a header of 2 to"),
    ((MAX_HEADER + 1).to_bytes(8, "little") + b"{}", "expected a header of 2 to"),
    ((99).to_bytes(8, "little") + b"{}", "ends in its header: 2 of 99 bytes"),
    ((4).to_bytes(8, "little") + b"[[[[", "expected a safetensors header in JSON"),
    ((2).to_bytes(8, "little") + b"[]", "got no mapping"),
    (header({"a": [-1]}), "expected dtype and shape of the tensor a"),
    (header({"a": "12"}), "expected dtype and shape of the tensor a"),
    (header({"a": [True]}), "expected dtype and shape of the tensor a"),
])  # fmt: skip
def test_broken_headers(tmp_path, raw, message):
    file = tmp_path / "model.safetensors"
    file.write_bytes(raw)
    with pytest.raises(InputError, match=message) as caught:
        read_header(file)
    assert caught.value.problems[0].file == str(file)


@pytest.mark.frameworks
def test_against_the_library(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy", reason="needs safetensors")
    import numpy as np

    file = tmp_path / "model.safetensors"
    numpy.save_file({name: np.zeros(s, np.float16) for name, s in TENSORS.items()}, file)
    assert stored(file).parameters == TOTAL


# -- config.json ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "line", "message"), [
    ('{\n  "model_type": "llama",\n  "hidden_size": }', 3, "expected JSON: Expecting value"),
    ('{\n  "model_type": "llama",\n  "hidden_size": "big"\n}', 3,
     'hidden_size: expected a whole number, 1 or more; got "big"'),
    ('{"model_type": "llama",\n\n "num_hidden_layers": 0}', 3,
     "num_hidden_layers: expected a whole number, 1 or more; got 0"),
    ('{"model_type": "llama",\n"num_attention_heads": 7}', 2,
     "num_attention_heads: expected a divisor of hidden_size (4096); got 7"),
    ('{"model_type": "llama",\n"num_key_value_heads": 5}', 2,
     "num_key_value_heads: expected a divisor of num_attention_heads (32); got 5"),
    ('{"model_type": "mixtral",\n"num_experts_per_tok": 9}', 2,
     "num_experts_per_tok: expected at most the 8 experts; got 9"),
    ('{"model_type": "llama",\n"tie_word_embeddings": 1}', 2,
     "tie_word_embeddings: expected true or false; got 1"),
    ('{"model_type": "llama",\n"num_hidden_layers": 1000000000}', 2,
     "num_hidden_layers: expected a whole number, 10000 or less; got 1000000000"),
    ('{"model_type": "gemma2",\n"layer_types": ["full"]}', 2, "layer_types: expected 26 words"),
    ('{"text_config": {\n"hidden_size": -1,\n"model_type": "llama"}}', 2,
     "text_config.hidden_size: expected a whole number, 1 or more; got -1"),
    ('{"model_type": "llama",\n"model_type": "gpt2"}', 1, "the key stands twice"),
    ("[1, 2]", 1, "expected a mapping of keys"),
])  # fmt: skip
def test_faults_of_a_configuration(tmp_path, text, line, message):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        hf.load(file)
    problem = caught.value.problems[0]
    assert message in str(problem)
    assert (problem.file, problem.line) == (str(file), line)


def test_all_problems_at_once():
    with pytest.raises(InputError) as caught:
        build({"model_type": "llama", "hidden_size": "x", "vocab_size": -3, "mlp_bias": "no"})
    assert [p.key for p in caught.value.problems] == ["hidden_size", "vocab_size", "mlp_bias"]


def test_an_unknown_family_names_those_there_are():
    with pytest.raises(InputError) as caught:
        build({"model_type": "qwen9"})
    text = str(caught.value)
    assert "model_type: no family qwen9; did you mean qwen" in text
    assert f"{len(supported())} are counted (docs/architectures.md lists them)" in text
    with pytest.raises(InputError, match="model_type: expected the name of a family; got null"):
        build({})


@pytest.mark.parametrize("text", [
    "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, '{"hidden_size": ' + "9" * 10_000 + "}",
    "\x00\x01", '{"a": "' + "\\" * 1_000_001,
])  # fmt: skip
def test_hostile_files_are_refused(tmp_path, text):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(InputError):
        hf.load(file)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        hf.load(tmp_path)
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected UTF-8; got byte 0xff at 0"):
        hf.load(tmp_path)
    (tmp_path / "config.json").write_bytes(b" " * (hf.MAX_BYTES + 1))
    with pytest.raises(InputError, match="larger than 4 MB"):
        hf.load(tmp_path)


@pytest.mark.parametrize(("said", "name"), [
    ("meta-llama/Llama-3", "meta-llama/Llama-3"), ("x" * 99, "x" * 99),
    ("x" * 100, "llama"), ("/home/me/llama", "llama"), (5, "llama"),
])  # fmt: skip
def test_the_name_of_a_model_is_its_own_or_its_family(tmp_path, said, name):
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "_name_or_path": said}))
    assert hf.load(tmp_path).architecture.name == name


def test_an_index_at_the_limit_is_read_and_one_beyond_is_not(folder, monkeypatch):
    text = json.dumps({"weight_map": {"a": "model-1.safetensors"}})
    (folder / INDEX).write_text(text)
    (folder / "model-1.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setattr(safetensors, "MAX_HEADER", len(text))
    assert stored(folder).parameters == 0
    monkeypatch.setattr(safetensors, "MAX_HEADER", len(text) - 1)
    with pytest.raises(InputError, match="expected a weight_map of tensors to files; got none"):
        stored(folder)


def test_shards_without_an_index_and_files_that_may_be_anything(tmp_path):
    for file, tensor in (("model-1-of-2", "a"), ("model-2-of-2", "b"), ("other", "c")):
        (tmp_path / f"{file}.safetensors").write_bytes(header({tensor: [3, 4]}))
    assert stored(tmp_path).parameters == 2 * 3 * 4
    (tmp_path / "model-1-of-2.safetensors").unlink()
    (tmp_path / "model-2-of-2.safetensors").unlink()
    assert stored(tmp_path).parameters == 3 * 4  # the only one
    (tmp_path / "adapter_model.safetensors").write_bytes(header({"d": [9]}))
    (tmp_path / "consolidated.safetensors").write_bytes(header({"e": [9]}))
    assert stored(tmp_path).parameters == 3 * 4
    (tmp_path / "another.safetensors").write_bytes(header({"f": [9]}))
    with pytest.raises(InputError, match="got 2 files"):
        stored(tmp_path)
    (tmp_path / "empty").mkdir()
    assert stored(tmp_path / "empty") is None


def test_layers_that_predict_further_tokens_are_told(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(
        header({"a": [3, 4], "model.mtp.0.weight": [5], "model.layers.61.eh_proj.w": [6]})
    )
    found = stored(file)
    assert found.parameters == 12 + 5 + 6
    assert found.notes == ("11 of the stored parameters are layers that predict further tokens",)
    file.write_bytes(header({"a": [3, 4], "scale": [5]}, "U8"))
    assert stored(file).parameters is None
    file.write_bytes(header({"scale": [5]}, "I64"))  # a vector packs nothing
    assert stored(file).parameters == 0


def test_an_adapter_is_no_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="holds an adapter only"):
        hf.load(tmp_path)


def test_old_names_of_keys():
    """num_experts and num_local_experts say the same; null says absent."""
    moe = {"model_type": "qwen3_moe", "num_hidden_layers": 2}
    assert build({**moe, "num_experts": 16}) == build({**moe, "num_local_experts": 16})
    assert build({**SMALL, "head_dim": None}) == build(SMALL)
