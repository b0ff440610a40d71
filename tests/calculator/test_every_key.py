"""Every key that a result prints can be set, in the file and by ``--set``, and is then given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.errors import InputError
from costcalc.base.units import unit
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate
from costcalc.resolve.known import INPUTS

EXAMPLES = Path(__file__).parents[2] / "examples"
NOT_COSTED = {"plan.yaml", "place.yaml"}  # their hardware or place is what is asked for
H100 = {"accelerator": "h100-sxm5-80", "count": 64}
BASE: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": H100,
    "site": {"region": "aws:us-east-1"},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "owned": {"price": {"owned": {"purchase": "2 MUSD"}}},
    "lora": {"training": {"tokens": "1B", "method": "lora"}},
    "grpo": {
        "training": {
            "method": "grpo",
            "prompts": "10k",
            "prompt_length": 512,
            "generation_length": 512,
        }
    },
    "measured": {"measured": {"wall_clock": "30 h", "energy": "40 MWh"}},
    "measured before PUE": {"measured": {"device_hours": 2000, "energy_it": "1 MWh"}},
    "paid": {"measured": {"wall_clock": "30 h", "cost": "4000 USD"}},
    "TPUs": {"hardware": {"accelerator": "tpu-v5p", "count": 64}},
    "a layout": {"hardware": {**H100, "layout": {"tensor": 8}}},
    "sharded": {"hardware": {**H100, "layout": {"sharding": "zero3"}}},
    "a slice": {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "h100-sxm5-80", "share": "1/7"},
    },
    "instructions": {"training": {"samples": "52k", "method": "finetune"}},
    "images": {"model": {"preset": "resnet-50"}, "training": {"samples": "1M"}},
    "an instance": {"hardware": {"instance": "p5.48xlarge", "nodes": 2}},
}


def printed() -> Iterator[tuple[str, Any, Assumption | Choice]]:
    """Each key that some result prints, with a run that prints it and what it prints."""
    runs: dict[str, Any] = {
        path.name: path for path in EXAMPLES.glob("*.yaml") if path.name not in NOT_COSTED
    }
    runs |= {name: {**BASE, **changed} for name, changed in VARIANTS.items()}
    seen: set[str] = set()
    for name, run in runs.items():
        try:
            made = estimate(run, ranges=False)
        except InputError as error:
            raise AssertionError(name) from error
        for item in (item for part in made.stages or [made] for item in part.inputs):
            if item.key not in seen:
                seen.add(item.key)
                yield item.key, run, item


PRINTED = list(printed())


def text_of(item: Assumption | Choice) -> Any:
    """A value as a person copies it from a result."""
    if isinstance(item, Choice):
        return item.value
    value = item.value / unit(item.unit).factor
    if item.unit in ("1", "device", "device_hour"):
        return value
    return f"{value!r} {'USD' if item.unit == 'USD/device_hour' else item.unit}"


def of_a_node(item: Assumption | Choice) -> str:
    """What is to be written of a host: ``1500 W a node / 8 devices; …`` says it."""
    assert item.why is not None
    return item.why.partition(" a node / ")[0]


def listed(made: Estimate, key: str) -> list[Assumption | Choice]:
    return [item for p in made.stages or [made] for item in p.inputs if item.key == key]


def test_the_list_is_long() -> None:
    keys = {key for key, _, _ in PRINTED}
    assert keys >= set(INPUTS.values())
    assert len(keys) >= 40


@pytest.mark.parametrize(("key", "run", "item"), PRINTED, ids=[key for key, _, _ in PRINTED])
def test_every_printed_key_can_be_set(key: str, run: Any, item: Assumption | Choice) -> None:
    said = text_of(item)
    if key == "hardware.count" and item.value != int(item.value):
        pytest.skip("a share of a device is set by hardware.share")
    if key == "hardware.host_power":  # the key is a node's, and is printed beside a device's share
        said = of_a_node(item)
    made = estimate(run, changes={key: said}, ranges=False)
    for found in listed(made, key):
        if isinstance(found, Choice):
            assert found.value == item.value
        else:
            assert found.basis in ("given", "measured"), found
            assert found.value == pytest.approx(item.value, rel=1e-5)  # of a host six digits
    # what the file fixes is no assumption; numbers are always listed
    assert listed(made, key) or isinstance(item, Choice)


def with_key(section: str, **values: Any) -> Mapping[str, Any]:
    return {**BASE, section: {**BASE.get(section, {}), **values}}


def test_given_power_is_what_the_energy_follows_from() -> None:
    # 64 boards at 600 W, hosts of 2400 W for 8, no network, nothing lost: 900 W a device
    run = {
        **BASE,
        "hardware": {
            **H100, "board_power": "600 W", "host_power": "2400 W", "network_power": 0,
            "goodput": 1,
        },
        "site": {"region": "aws:us-east-1", "pue": 1.5},
    }  # fmt: skip
    made = estimate(run, ranges=False)
    hours = made.results["device_hours"].value
    assert hours is not None
    assert made.results["energy_it"].value == pytest.approx(hours * 0.9)
    assert made.results["energy"].value == pytest.approx(hours * 0.9 * 1.5)
    host = listed(made, "hardware.host_power")[0]
    assert (host.basis, host.why) == ("given", "2400 W a node / 8 devices")


@pytest.mark.parametrize(
    ("hardware", "node", "share"),
    [
        # NVIDIA DGX A100 640 GB beside its boards: 1500 W for 8 devices, though 4 are used
        ({"accelerator": "a100-sxm4-80", "count": 4}, "1500 W a node / 8 devices", 187.5),
        # a workstation of any size: 90 W, and 35 W for each card; so many as there are stand in it
        ({"accelerator": "rtx-4090", "count": 1}, "125 W a node / 1 device", 125.0),
        ({"accelerator": "rtx-4090", "count": 2}, "160 W a node / 2 devices", 80.0),
    ],
)
def test_power_of_a_host_says_what_a_node_draws(
    hardware: dict[str, Any], node: str, share: float
) -> None:
    run = {**BASE, "model": {"preset": "gpt2"}, "training": {"tokens": "1B"}, "hardware": hardware}
    (known,) = listed(estimate(run, ranges=False), "hardware.host_power")
    assert isinstance(known, Assumption)
    assert known.value == pytest.approx(share)
    assert (known.why or "").partition("; ")[0] == node
    changed = {"hardware.host_power": of_a_node(known)}
    (given,) = listed(estimate(run, changes=changed, ranges=False), "hardware.host_power")
    assert (given.value, given.basis, given.why) == (pytest.approx(share), "given", node)


def test_power_of_a_host_that_follows_its_boards_says_what_is_drawn() -> None:
    (known,) = listed(estimate(EXAMPLES / "grpo.yaml", ranges=False), "hardware.host_power")
    assert isinstance(known, Assumption)
    assert "fans and conversion follow the boards" in (known.why or "")
    assert of_a_node(known) == f"{8 * known.value:g} W"


def test_electricity_set_takes_the_place_of_the_owners_and_the_other_way() -> None:
    owned = {"owned": {"purchase": "2 MUSD", "electricity": "0.25 USD/kWh"}}
    rented = {"device_hour": "1 USD", "electricity": "0.25 USD/kWh"}
    for price, key in ((owned, "electricity"), (rented, "electricity")):
        made = estimate({**BASE, "price": price}, changes={f"price.{key}": "0.1 USD/kWh"})
        (found,) = listed(made, "price.electricity")
        assert (found.value, found.basis) == (pytest.approx(0.1 / 3.6e6), "given")
    with pytest.raises(InputError, match=r"expected price.electricity or price.owned.electricity"):
        estimate({**BASE, "price": {**owned, "electricity": "0.1 USD/kWh"}})


def test_the_usual_system_of_a_chip_can_be_named_though_it_holds_another() -> None:
    run = with_key("hardware", accelerator="h800-sxm5-80")
    (chosen,) = listed(estimate(run, ranges=False), "hardware.host")
    assert (chosen.value, chosen.basis) == ("dgx-h100", "default")
    named = estimate(run, changes={"hardware.host": "dgx-h100"}, ranges=False)
    (found,) = listed(named, "hardware.host")
    assert (found.value, found.basis) == ("dgx-h100", "given")
    assert named.results["energy"].value == estimate(run, ranges=False).results["energy"].value


def test_given_water_embodied_and_bill() -> None:
    run = {
        **with_key("site", wue="2 L/kWh", grid_water="3 L/kWh", pue=1.25),
        "embodied": {
            "device": "100 kgCO2e", "host": "50 kgCO2e", "lifetime": "1 year", "utilization": 1,
        },
        "price": {"device_hour": "2 USD", "electricity": "0.1 USD/kWh", "billed_share": 1.5},
    }  # fmt: skip
    made = estimate(run, ranges=False)
    hours, it = made.results["device_hours"].value, made.results["energy_it"].value
    assert hours is not None
    assert it is not None
    assert made.results["water"].value == pytest.approx(it * 2 + it * 1.25 * 3)
    assert made.results["carbon_embodied"].value == pytest.approx(1.5 * 150 * hours / 8766)
    assert made.results["cost"].value == pytest.approx(hours * 1.5 * 2 + it * 1.25 * 0.1)


def test_a_given_peak_is_the_machines() -> None:
    slow = estimate(
        with_key("hardware", peak="500 TFLOP/s", utilization=0.4, goodput=1), ranges=False
    )
    fast = estimate(
        with_key("hardware", peak="1000 TFLOP/s", utilization=0.4, goodput=1), ranges=False
    )
    one, two = slow.results["wall_clock"].value, fast.results["wall_clock"].value
    assert one is not None
    assert two is not None
    assert one == pytest.approx(2 * two)


def test_power_of_a_chip_without_any_can_be_given() -> None:
    run = with_key("embodied", device="100 kgCO2e", host="0 kgCO2e")
    assert estimate(run, ranges=False).results["carbon_embodied"].value is not None


def test_given_figures_reach_scenarios() -> None:
    from costcalc.calculator.scenarios import scenarios

    run = with_key("price", electricity="0.2 USD/kWh", billed_share=2, device_hour="1 USD")
    many = scenarios(run, accelerators=["h100-sxm5-80"], counts=[64], regions=["aws:us-east-1"])
    assert many.figures["cost"].item() == pytest.approx(estimate(run).results["cost"].value)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("hardware", {"board_power": 300}, "which has no unit"),
        ("hardware", {"host": "p5.48xlarge", "instance": "p5.48xlarge"}, "instance says the host"),
        ("hardware", {"host": "nothing"}, "nothing"),
        ("site", {"wue": "1 L"}, "a volume of water"),
        ("price", {"billed_share": 0.5}, "from 1 to 1000"),
        ("embodied", {"lifetime": "5"}, "which has no unit"),
        ("embodied", {"utilization": 2}, "a share, more than 0 to 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(section: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate(with_key(section, **values))
