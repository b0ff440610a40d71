"""Bodies that nobody would send on purpose: valid ones, changed at random, by a seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 1e-300, 1e300, 10**30, 2**63, 0.1, "", " ", "0", "-1"),
    *("1e400", "nan", "inf", "NaN USD", "1/0", "12 %", "8", "15T", "3e23 FLOP", "1e999 s"),
    *("36:00:00", "∞", "\u0000", "💰", "a" * 5000, "../../etc/passwd", "/etc/passwd", "-"),
    *("file:///etc/passwd", "http://127.0.0.1/", "{{7*7}}", "<script>alert(1)</script>"),
    *([], {}, [1], [[]], {"a": 1}, {"": {}}, [None] * 50, {"preset": 3}),
)
MILD: dict[str, tuple[Any, ...]] = {
    "preset": ("qwen2.5-7b", "bert-base-uncased", "resnet-50", "mixtral-8x7b", "GPT-2 XL", "xyz"),
    "accelerator": ("A100 80GB", "tpu-v4", "mi300x", "v4-128", "8xH100", "RTX 3060", "x"),
    "count": (2, 3, 7, 48, 1000, 1e6, 999999937, "1e9", "8 GPUs"),
    "tokens": ("1e30", "1 token", "300B tokens", "0.5T", "1e-3", "36h"),
    "region": ("Spain", "us-east-1", "NO", "SE-SE3", "world", "narnia"),
    "model_type": ("gpt2", "bert", "t5", "qwen3_moe", "mamba", "vit", "nothing"),
    "regions": ("all", "aws", "FR,DE,PL"),
    "counts": ("1..1024", "1..10000000:1", "3,5,7", "0..9"),
}
WORDS = (
    *("model", "preset", "config", "training", "tokens", "hardware", "accelerator", "count"),
    *("site", "region", "price", "plan", "limits", "stages", "sweep", "profiles", "defaults"),
    *("measured", "layout", "calibration", "architecture", "owned", "runs", "name", "subject"),
)
SMALL_CONFIG = json.loads((ROOT / "examples/configs/smollm2-135m.json").read_text("utf-8"))
RUNS: tuple[dict[str, Any], ...] = (
    {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1T", "sequence_length": 8192, "global_batch": "4M"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
        "site": {"region": "aws:us-east-1"},
        "limits": {"cost": "9 MUSD", "time": "60 d"},
    },
    {
        "model": {"config": SMALL_CONFIG},
        "training": {"method": "lora", "samples": "10k", "lora": {"rank": 8}},
        "hardware": {"accelerator": "rtx4090", "count": 1},
        "site": {"region": "FR", "pue": 1.2},
        "price": {"device_hour": "0.5 USD"},
    },
    {
        "measured": {"wall_clock": "36 h", "energy": "41 kWh"},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
        "site": {"region": "SE"},
    },
    {
        "model": {"architecture": {"layers": 12, "hidden": 768, "heads": 12, "vocabulary": 50257}},
        "training": {"tokens": "1B", "runs": 3},
        "hardware": {"instance": "p5.48xlarge", "nodes": 2, "layout": {"tensor": 4}},
        "stages": [{"name": "a"}, {"name": "b", "training": {"tokens": "2B"}}],
    },
    {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "l40s", "count": 1},
        "sweep": {"counts": "1..8", "regions": "FR,PL", "plans": ["spot", "on-demand"]},
    },
)
PLANS: tuple[dict[str, Any], ...] = (
    {"limits": {"cost": "500 USD", "time": "7 d"}},
    {"limits": {"carbon": "80 kgCO2e"}, "site": {"region": "FR"}},
    {
        "limits": {"cost": "5 MUSD", "time": "90 d", "energy": "9 GWh"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
        "site": {"region": "aws:us-east-1"},
        "price": {"plan": "spot"},
    },
    {
        "limits": {"cost": "2 MUSD"},
        "model": {"preset": "mixtral-8x7b"},
        "training": {"method": "pretrain", "tokens": "10B"},
    },
    {"limits": {"cost": "20 kEUR"}, "model": {"config": SMALL_CONFIG}, "training": {"runs": 2}},
)
OPTIONS: dict[str, tuple[dict[str, str], ...]] = {
    "estimate": ({}, {"ranges": "false"}, {"ranges": "perhaps"}, {"x": "1"}),
    "compare": ({}, {"minimize": "cost"}, {"minimize": "joy"}, {"interruptions": "no"}),
    "plan": (
        *({}, {"confidence": "0.99"}, {"confidence": "2"}, {"experts": "true"}, {"scores": "1,2"}),
        *({"tokens_per_parameter": "200"}, {"tokens_per_parameter": "1e8"}, {"scores": "nan"}),
    ),
    "report/verify": ({}, {"strict": "1"}),
    "report/render": ({"format": "html"}, {"format": "latex"}, {"format": "?"}, {}),
}


def runs(seed: int, number: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Requests of run files: name, body, options."""
    draw = random.Random(seed)
    for _ in range(number):
        name = draw.choices(("estimate", "compare", "plan"), (16, 2, 1))[0]
        known = {"estimate": RUNS, "compare": RUNS[-1:], "plan": PLANS}[name]
        run = copy.deepcopy(draw.choice(known))
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            _change(run, draw)
        yield name, _written(run, draw), draw.choice(OPTIONS[name])


def reports(seed: int, number: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Requests of reports."""
    draw = random.Random(seed)
    made = sorted((ROOT / "examples" / "reports").glob("*.yaml"))
    known = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in made[:4]]
    for _ in range(number):
        report = copy.deepcopy(draw.choice(known))
        for _ in range(draw.choice((1, 1, 3))):
            _change(report, draw)
        name = draw.choice(("report/verify", "report/render"))
        yield name, _written(report, draw, as_yaml=0.02), draw.choice(OPTIONS[name])


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from _places(item, (*path, key))


def _change(run: dict[str, Any], draw: random.Random) -> None:
    places = list(_places(run))
    if not places:
        return
    *path, last = draw.choice(places)
    holder: Any = run
    for key in path:
        holder = holder[key]
    kind = draw.randrange(7)
    if kind == 0:
        del holder[last]
    elif kind == 1 and isinstance(holder, dict):
        holder[draw.choice(WORDS)] = draw.choice((*ODD, holder[last]))
    elif kind in (2, 3) and isinstance(holder[last], (int, float)) and abs(holder[last]) < 1e200:
        holder[last] *= draw.choice((-1, 0, 1e3, 1e12, 1e-6, 3, 2, 7))
    elif kind in (3, 4) and isinstance(holder, dict):
        holder[last] = draw.choice(MILD.get(str(last), (holder[last],)))
    else:
        holder[last] = copy.deepcopy(draw.choice(ODD))


def _written(run: dict[str, Any], draw: random.Random, as_yaml: float = 0.2) -> bytes:
    if draw.random() < as_yaml:
        return yaml.safe_dump(run, allow_unicode=True).encode("utf-8", "replace")
    body = bytearray(json.dumps(run).encode())
    if draw.random() < 0.15:  # break the text itself
        for _ in range(draw.randint(1, 5)):
            body[draw.randrange(len(body))] = draw.randrange(256)
    return bytes(body[: draw.randrange(len(body))] if draw.random() < 0.03 else body)
