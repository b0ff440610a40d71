"""What a stage remembers is the answer to the same question, and to no other."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import costcalc
from costcalc.base.errors import InputError
from costcalc.calculator import calculate
from costcalc.catalog import prices
from costcalc.resolve.embodied import embodied
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.names import look_up
from costcalc.resolve.place import place, region_of
from costcalc.resolve.price import prices as prices_of
from costcalc.resolve.remembered import remembered
from costcalc.runfile.loading import Input, load
from costcalc.runfile.schema import Section
from costcalc.throughput.constants import load as load_constants
from costcalc.throughput.constants import using

RUN = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
}


def part(**hardware: object) -> Input:
    run = {**RUN, "hardware": {**RUN["hardware"], **hardware}}
    return load(run, look_up).parts[0]


def test_the_same_question_is_answered_once() -> None:
    assert devices_of(part(), None, ()) is devices_of(part(), None, ())
    assert devices_of(part(), "aws", ()) is not devices_of(part(), None, ())
    assert devices_of(part(peak="500 TFLOP/s"), None, ()).machine.peak["bf16"] == 500e12


def test_a_key_that_is_not_read_does_not_matter_and_one_that_is_does() -> None:
    asked: list[float | None] = []

    @remembered("hardware.count")
    def count(given: Input, name: str) -> str:
        asked.append(given.part.hardware.count if given.part.hardware else None)
        return name

    for given in (part(), part(goodput=0.5), part(count=8), part()):
        assert count(given, "a") == "a"
    assert count(part(), "b") == "b"
    assert asked == [64, 8, 64]


def test_other_data_are_another_question() -> None:
    data, asked = [object()], []

    @remembered("price", on=lambda: data[0])
    def stage(given: Input) -> int:
        asked.append(given)
        return len(asked)

    assert [stage(part()), stage(part())] == [1, 1]
    data[0] = object()
    assert [stage(part()), stage(part())] == [2, 2]


def test_a_price_follows_its_catalogue_and_a_time_its_constants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = {**RUN, "price": {"provider": "aws"}}
    before = costcalc.estimate(run, ranges=False)
    with using({"global": {**load_constants()["global"], "sustained": 0.1}}):
        slower = costcalc.estimate(run, ranges=False)
    after = costcalc.estimate(run, ranges=False)
    assert slower.results["wall_clock"].value > 2 * before.results["wall_clock"].value
    assert after.results["wall_clock"] == before.results["wall_clock"]
    monkeypatch.setattr(prices, "shipped", lambda: prices.Catalogue({}, {}))
    prices.forget()
    try:
        assert costcalc.estimate(run, ranges=False).results["cost"] != before.results["cost"]
    finally:
        monkeypatch.undo()
        prices.forget()
    assert costcalc.estimate(run, ranges=False).results["cost"] == before.results["cost"]


def test_faults_are_told_anew_with_their_own_place(tmp_path: Path) -> None:
    for name, blank in (("one.yaml", ""), ("two.yaml", "\n\n")):
        path = tmp_path / name
        hardware = {"accelerator": "h100-sxm5-80", "count": 1}
        run = {**RUN, "model": {"preset": "llama-3-70b"}, "hardware": hardware}
        path.write_text(blank + yaml.safe_dump(run), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            costcalc.estimate(path)
        assert name in str(caught.value)


def test_the_place_in_the_file_belongs_to_the_question(tmp_path: Path) -> None:
    places = []
    for blank in ("", "\n\n"):
        path = tmp_path / "run.yaml"
        path.write_text(blank + yaml.safe_dump(RUN), encoding="utf-8")
        found = costcalc.estimate(path).assumptions
        places.append(next(item.where for item in found if item.key == "hardware.count"))
    first, second = (int(str(place).split(":")[-2]) for place in places)
    assert second == first + 2


def test_a_config_that_was_changed_is_read_again(tmp_path: Path) -> None:
    shape = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 100,
        "num_attention_heads": 4, "intermediate_size": 128,
    }  # fmt: skip
    config = tmp_path / "config.json"
    found = []
    for layers in (2, 4):
        config.write_text(json.dumps({**shape, "num_hidden_layers": layers}), encoding="utf-8")
        run = {**RUN, "model": {"config": str(config)}, "training": {"tokens": "1B"}}
        found.append(costcalc.estimate(run).results["parameters"].value)
    assert found[1] > found[0]


class Traced:
    """A section that notes what is read of it, by its dotted key."""

    def __init__(self, section: object, seen: set[str], above: str = "") -> None:
        self.section, self.seen, self.above = section, seen, above

    def __getattr__(self, name: str) -> object:
        value = getattr(self.section, name)
        self.seen.add(self.above + name)
        return (
            Traced(value, self.seen, f"{self.above}{name}.")
            if isinstance(value, Section)
            else value
        )


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("stage", [devices_of, embodied, place, prices_of, calculate._side])
def test_a_stage_says_every_key_that_it_reads(stage: Any) -> None:
    seen: set[str] = set()
    known = []
    for path in EXAMPLES:
        try:
            known += load(path, look_up).parts
        except InputError:
            continue  # a plan or a comparison, which lacks a part
    for given in [*known, part(layout={"tensor": 8}, share=None), part(peak="500 TFLOP/s")]:
        region = region_of(given)
        there = devices_of(given, None, ())
        rest = {
            devices_of: (None, ()), embodied: (there,), place: (region,),
            prices_of: (there, region), calculate._side: (None, ()),
        }[stage]  # fmt: skip
        with contextlib.suppress(InputError):
            stage.__wrapped__(replace(given, part=Traced(given.part, seen)), *rest)
    assert seen
    unsaid = {
        key for key in seen
        if not any(key == own or f"{own}.".startswith(f"{key}.") or key.startswith(f"{own}.")
                   for own in stage.reads)
    }  # fmt: skip
    assert unsaid == set()
