"""``costcalc.count``: FLOPs of real PyTorch modules against arithmetic by hand."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import costcalc
from costcalc import InputError

torch: Any = pytest.importorskip("torch", reason="needs PyTorch (pip install torch)")
pytestmark = pytest.mark.frameworks


def test_the_example_of_the_documentation_runs() -> None:
    words = inspect.getdoc(costcalc.count) or ""
    code = textwrap.dedent(words.partition("Example (needs PyTorch)::")[2])
    said = re.search(r"forward_flops  # ([\d.]+)", code)
    assert said is not None
    names: dict[str, Any] = {"torch": torch, "costcalc": costcalc}
    exec(code, names)
    assert names["counted"].forward_flops == float(said[1]) == 2 * (512 * 2048 + 2048 * 512)


def test_linear_layers_by_hand() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    counted = costcalc.count(model, torch.zeros(3, 4))
    assert counted.forward_flops == 2 * (4 * 8 + 8 * 2)
    assert counted.parameters == 4 * 8 + 8 + 8 * 2 + 2
    assert counted.samples == 3


def test_a_convolution_by_hand() -> None:
    model = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1, groups=1)
    counted = costcalc.count(model, torch.zeros(2, 3, 32, 32))
    assert counted.forward_flops == 2 * 16 * 16 * 16 * 3 * 9  # 2·Hout·Wout·Cout·Cin·k²


def test_attention_on_the_cpu_is_not_zero() -> None:
    """FlopCounterMode alone counts nothing for scaled-dot-product attention on the CPU."""
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    counted = costcalc.count(layer, torch.zeros(1, 10, 64))
    linears = 10 * (4 * 64 * 64 + 2 * 64 * 128)
    assert counted.forward_flops == 2 * linears + 2 * 2 * 10 * 10 * 64


def test_sdpa_equals_eager_and_our_own_count_for_a_small_llama() -> None:
    transformers: Any = pytest.importorskip("transformers", reason="needs transformers")
    from costcalc.workload.counting import parameters, tally
    from costcalc.workload.families import build

    shape = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 100,
    }
    tokens = torch.zeros(1, 32, dtype=torch.long)
    found = {}
    for kind in ("sdpa", "eager"):
        config = transformers.LlamaConfig(**shape, attn_implementation=kind)
        model = transformers.AutoModelForCausalLM.from_config(config)
        found[kind] = costcalc.count(model, {"input_ids": tokens, "use_cache": False})
    ours = build({"model_type": "llama", **shape})
    full = tally(ours, sequence_length=32, convention="full")
    assert found["sdpa"].parameters == parameters(ours)
    assert found["sdpa"].forward_flops == pytest.approx(found["eager"].forward_flops, rel=2e-3)
    assert found["sdpa"].forward_flops == pytest.approx(full.forward, rel=2e-3)


def test_a_fused_lstm_is_counted() -> None:
    counted = costcalc.count(torch.nn.LSTM(4, 4, batch_first=True), torch.zeros(1, 3, 4))
    assert counted.forward_flops == 3 * 2 * 4 * 4 * (4 + 4)


def test_a_gru_that_runs_as_plain_products_is_counted() -> None:
    counted = costcalc.count(torch.nn.GRU(4, 4, batch_first=True), torch.zeros(1, 3, 4))
    steps, gates, hidden, given = 3, 3, 4, 4
    assert counted.forward_flops == steps * 2 * gates * hidden * (given + hidden)


def test_the_module_is_as_it_was() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5)).train()
    costcalc.count(model, torch.zeros(1, 4))
    assert model.training
    assert model[1].training


def test_no_module_no_tensor() -> None:
    with pytest.raises(InputError, match=r"expected a torch\.nn\.Module; got int"):
        costcalc.count(3, torch.zeros(1))
    with pytest.raises(InputError, match="expected a tensor whose first size is the samples"):
        costcalc.count(torch.nn.Linear(1, 1), ())


def test_without_pytorch_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\nimport costcalc\n"
        "try:\n    costcalc.count(None, None)\n"
        "except costcalc.CostcalcError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == 'costcalc.count needs PyTorch: pip install "costcalc[torch]"\n'
