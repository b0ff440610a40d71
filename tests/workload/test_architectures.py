"""Every exact row of docs/architectures.md, without transformers; and the sweep itself with it."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from test_families import DEFAULTS
from varied import VARIED

from costcalc.workload.counting import parameters, tally
from costcalc.workload.families import ALIASES, BOTH, FAMILIES, build

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("sweep", ROOT / "scripts" / "sweep.py")
sweep = importlib.util.module_from_spec(SPEC)
sys.modules["sweep"] = sweep  # where its dataclass looks for its own annotations
SPEC.loader.exec_module(sweep)
LINE = re.compile(r"^\| (\S+) \| (\w+) \| ([\d,]+) \| (.+) \|$", re.MULTILINE)
TABLE = {
    name: (task, int(count.replace(",", "")), says)
    for name, task, count, says in LINE.findall(sweep.PAGE.read_text(encoding="utf-8"))
}
EXACT = [name for name, (_, _, says) in TABLE.items() if says == "exact"]
#: counted, although transformers cannot build them with their own defaults, or knows them not
UNBUILT = {
    *("dbrx", "detr", "dots1", "internlm", "internlm2", "metaclip_2_vision_model"),
    "minicpm",  # of its own repository's code; by hand in test_newer_families
    # of their own code, or built otherwise by transformers; by hand in test_sublayers
    *("bailing_moe", "longcat_flash", "nemotron-nas", "plamo2", "step3p5"),
}


def config(name):
    """The file of a class's defaults, as far as it must say anything."""
    return {"model_type": name, "architectures": [TABLE[name][0]], **sweep.NEEDED.get(name, {})}


@pytest.mark.parametrize("name", EXACT)
def test_the_defaults_of_a_class(name):
    """Parameters as transformers builds them; each of its layers in the one walk."""
    model = build(config(name))
    assert parameters(model) == TABLE[name][1]
    one = tally(model, sequence_length=64)
    assert one.stored == TABLE[name][1]
    assert one.forward > 0


@pytest.mark.parametrize(("name", "task", "keys", "count"), VARIED)
def test_what_keys_and_classes_change(name, task, keys, count):
    model = build({"model_type": name, "architectures": [task], **keys})
    assert parameters(model) == count
    assert tally(model, sequence_length=64).stored == count


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "task", "keys", "count"), VARIED)
def test_what_transformers_builds_of_them(name, task, keys, count):
    torch = pytest.importorskip("torch", reason="needs torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    made = transformers.AutoConfig.for_model(name, **keys)
    with torch.device("meta"):
        module = getattr(transformers, task)._from_config(made)
    module.tie_weights()
    assert sum(p.numel() for p in module.parameters()) == count
    assert parameters(build(made.to_dict() | {"architectures": [task]})) == count


def test_every_family_is_held_to_a_count():
    assert {*FAMILIES, *BOTH} == (set(EXACT) | UNBUILT | set(DEFAULTS)) - set(ALIASES)
    assert len(EXACT) >= 120


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore")
def test_the_table_is_what_the_sweep_finds():
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    found = {row.model_type: row for row in sweep.rows()}
    known = {name: row for name, row in found.items() if TABLE.get(name, ("",) * 3)[2] == "exact"}
    assert len(known) > 0.95 * len(EXACT)  # what another version has renamed or cannot build
    wrong = {
        name: (row.built, row.counted)
        for name, row in known.items()
        if not row.exact and row.built == TABLE[name][1]
    }
    assert not wrong, transformers.__version__
