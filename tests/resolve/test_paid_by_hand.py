"""What is paid by hand: shares, purchases, providers, dollars; the making of devices."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stage_inputs import H100, HOUR, RUN, YEAR, listed, made, part

from costcalc.calculator.calculate import estimate
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog.region import find as region
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.known import dollars, stated
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_named
from costcalc.resolve.price import owned_default, prices, quoted
from costcalc.runfile.schema import Price
from costcalc.runfile.values import Money


def test_a_share_of_a_device_of_an_instance_of_eight() -> None:
    # 80 USD an hour for eight: 10 USD a device; a seventh of one for 7 h is one device-hour
    hardware = {"accelerator": "h100-sxm5-80", "share": "1/7"}
    found = estimate(
        {"measured": {"wall_clock": "7 h"}, "hardware": hardware,
         "price": {"instance_hour": "80 USD"}},
        ranges=False,
    )  # fmt: skip
    assert found.results["cost"].value == pytest.approx(10.0)
    billed = next(item for item in found.assumptions if item.key == "price.billed_share")
    assert (billed.value, billed.why) == (1.0, "")
    whole = estimate(
        {"measured": {"wall_clock": "7 h"}, "hardware": {**H100, "count": 1},
         "price": {"instance_hour": "80 USD"}},
        ranges=False,
    )  # fmt: skip
    assert whole.results["cost"].value == pytest.approx(7 * 80.0)
    share = next(item for item in whole.assumptions if item.key == "price.billed_share")
    assert (share.value, share.why) == (8.0, "8 devices: instances of 8 are rented whole")


def test_the_range_of_a_purchase_is_in_the_price() -> None:
    # H100: 30,678 USD (25,000 to 45,000), times 1.64 (1.54 to 1.69) for its server, and 0.385 (0.28
    # to 0.57) for the network of more than one
    given = replace(part(), part=part().part.model_copy(update={"price": Price(plan="owned")}))
    price = prices(given, devices_of(part(), None, ()), None).known["price"]
    assert price.value == pytest.approx(30_678 * 2.025 / (4 * YEAR * 0.7))
    assert price.low == pytest.approx(25_000 * 1.82 / (6 * YEAR * 0.95))
    assert price.high == pytest.approx(45_000 * 2.26 / (3 * YEAR * 0.35))
    assert price.basis == "default"
    own = made(price={"owned": {"purchase": "160 kUSD", "lifetime": "5 year", "utilization": 1.0}})
    mine = listed(own, "price.device_hour")
    assert mine.value == mine.low == mine.high == pytest.approx(160_000 / (16 * 5 * YEAR))
    assert mine.basis == "given"
    assert listed(own, "price.billed_share").value == 1.0
    assert owned_default("lifetime").year is None
    bare = accelerators.find("h100-sxm5-80").model_copy(update={"purchase": None})
    there = replace(devices_of(part(), None, ()), accelerator=bare)
    assert prices(given, there, None).why == {
        "price": "no price.owned.purchase, and no purchase price of h100-sxm5-80 is known"
    }


def test_an_hourly_price_of_owned_hardware_and_its_electricity() -> None:
    bought = {"purchase": "1 USD"}
    found = made(price={"plan": "owned", "device_hour": "1 USD", "owned": bought})
    assert listed(found, "price.device_hour").value == pytest.approx(1 / HOUR)
    assert listed(found, "price.electricity").value == pytest.approx(0.0826 / 3.6e6)
    paid = made(price={"plan": "owned", "device_hour": "1 USD",
                       "owned": {**bought, "electricity": "0.2 USD/kWh"}})  # fmt: skip
    assert listed(paid, "price.electricity").value == pytest.approx(0.2 / 3.6e6)
    rented = made(price={"device_hour": "1 USD", "electricity": "0.3 USD/kWh"})
    assert listed(rented, "price.electricity").value == pytest.approx(0.3 / 3.6e6)
    shared = made(price={"device_hour": "1 USD", "billed_share": 1.5})
    assert listed(shared, "price.billed_share").value == 1.5


def test_whose_prices_are_taken() -> None:
    def provider(price: dict[str, Any] | None, hardware: dict[str, Any] = H100,
                 site: dict[str, Any] | None = RUN["site"]) -> str:  # fmt: skip
        given = part(price=price, hardware=hardware, site=site)
        there = devices_of(given, None, ())
        where = region(site["region"]) if site else None
        found = quoted(given, there, where)
        return (found.price.why if found.price else found.why_not).split()[0].rstrip(",")

    assert provider(None) == "aws"  # the region's
    assert provider({"provider": "lambda"}) == "lambda"
    assert provider(None, {"instance": "a3-highgpu-8g"}) == "gcp"
    assert provider(None, {"instance": "a3-highgpu-8g"}, None) == "gcp"
    assert provider({"provider": "lambda"}, {"instance": "a3-highgpu-8g"}) == "lambda"
    assert provider(None, H100, {"region": "FR"}) == "no"
    assert provider(None, H100, None) == "no"


def test_an_old_price_is_told() -> None:
    there = devices_of(part(), None, ())
    new = prices(part(price={"provider": "aws"}), there, region("aws:us-east-1"))
    assert new.notes == ()
    assert re.search(
        r"; list 6\.88; \d+ other providers ask [\d.]+ to [\d.]+ USD", new.known["price"].why
    )
    chip = there.accelerator
    offer = {
        "provider": "aws",
        "region": "us-east-1",
        "devices": 8,
        "plan": "on-demand",
        "value": 9,
    }
    own = {**offer, "unit": "USD/device_hour", "date": "2020-01-01", "source": "datasheet"}
    old = [accelerators.Price.model_validate(own)]
    aged = replace(there, accelerator=chip.model_copy(update={"prices": old}))
    (note,) = prices(part(price={"provider": "aws"}), aged, region("aws:us-east-1")).notes
    assert note.startswith("price: aws us-east-1, on-demand")


@pytest.mark.parametrize(
    ("amount", "rate", "usd"),
    [
        (Money(2.0, "EUR", "h"), "1.1 USD/EUR", 2.0 * 1.1 / HOUR),
        (Money(2.0, "USD", "h"), "1.1 USD/EUR", 2.0 / HOUR),
        (Money(2.0, "EUR", ""), "1.1 USD/EUR", 2.2),
        (Money(7.2, "USD", "kWh"), None, 2e-6),
    ],
)
def test_an_amount_in_dollars(amount: Money, rate: str | None, usd: float) -> None:
    given = part(price={"rate": rate}).part.price if rate else None
    assert dollars(amount, given) == pytest.approx(usd)


def test_what_the_run_file_says_of_an_assumption() -> None:
    given = part(site={"region": "FR", "pue": 1.3}, price={"electricity": "0.2 USD/kWh"})
    found = stated(given, "site.pue", "1")
    assert found is not None
    assert (found.value, found.low, found.high, found.basis) == (1.3, 1.3, 1.3, "given")
    paid = stated(given, "price.electricity", "USD/kWh")
    assert paid is not None
    assert paid.value == pytest.approx(0.2 / 3.6e6)
    assert stated(given, "site.wue", "L/kWh") is None
    assert stated(given, "training.method", "1") is None


@pytest.mark.parametrize(
    ("price", "name", "facilities"),
    [
        (None, "FR", None),
        ({"provider": "any"}, "FR", None),  # of no provider in particular
        ({"provider": "aws"}, "FR", "aws"),
        ({"provider": "lambda"}, "gcp:us-central1", None),  # a region has its own
    ],
)
def test_whose_facilities_a_country_has(price: Any, name: str, facilities: str | None) -> None:
    found = region_named(part(price=price, site=None), name)
    assert found == region(name, provider=facilities)
    if facilities:
        assert found.pue != region(name).pue


def test_the_source_of_a_peak_is_its_own() -> None:
    chip = accelerators.find("h100-sxm5-80")
    figure = chip.peak.bf16
    assert figure is not None
    assert listed(made(), "hardware.peak").source == chip.sources[figure.source].title
    own = made(hardware={**H100, "peak": "500 TFLOP/s"})
    assert listed(own, "hardware.peak").source == "run file"


def test_the_making_of_a_device_and_of_its_host() -> None:
    # 164 kg an H100 (46.7 to 575); a range that nobody states is none
    found = made()
    device, host = listed(found, "embodied.device"), listed(found, "embodied.host")
    kg = 1000.0
    assert (device.value, device.low, device.high) == pytest.approx((164 * kg, 46.7 * kg, 575 * kg))
    assert device.year == 2025
    assert host.low <= host.value <= host.high
    own = made(embodied={"device": "100 kgCO2e", "host": "50 kgCO2e", "lifetime": "3 year",
                         "utilization": 0.5})  # fmt: skip
    hours = own.values["device_hours"]
    assert own.values["carbon_embodied"] == pytest.approx(hours * 150 * kg / (3 * YEAR * 0.5))


def test_names_are_looked_up_in_ones_own_folder(tmp_path: Path) -> None:
    (fault,) = look_up({"profiles": "none"}, tmp_path)
    assert fault.path == ("profiles",)
    assert "expected a folder of profiles" in fault.message
    teacher = {"training": {"teacher": {"config": "none.json"}}}
    (fault,) = look_up(teacher, tmp_path)
    assert fault.path == ("training", "teacher", "config")
    (tmp_path / "here.json").write_text("{}")
    assert list(look_up({"model": {"config": "here.json"}}, tmp_path)) == []


def test_draws_of_what_has_no_range_are_its_value() -> None:
    found = estimate({**RUN, "hardware": {**H100, "utilization": 0.4, "goodput": 0.9}})
    hours = found.results["device_hours"]
    assert hours.low == hours.value == hours.high
    assert np.ndim(found.values["device_hours"]) == 0


def test_sequences_beyond_the_context_are_told() -> None:
    run = {
        "model": {"preset": "gpt2"},  # 1,024 learned positions
        "training": {"tokens": "1M", "sequence_length": 8192},
        "hardware": {**H100, "count": 1},
    }
    said = (
        "model: sequences of 8,192 tokens are longer than its context of 1,024: counted as if its "
        "positions reached so far"
    )
    assert said in estimate(run, ranges=False).warnings
    # Qwen2.5 was trained on 4,096 at first and has 131,072 positions
    for model, length in (("gpt2", 1024), ("gpt2", 128), ("qwen2.5-7b", 8192)):
        changes = {"training.sequence_length": length, "model.preset": model}
        longer = estimate(run, changes=changes, ranges=False)
        assert not any("longer than its context" in told for told in longer.warnings)


def test_where_samples_are_cut_the_context_is_what_the_model_has_positions_for() -> None:
    run = {
        "model": {"preset": "qwen2.5-7b"},
        "training": {"method": "lora", "tokens": "1M"},
        "hardware": {**H100, "count": 1},
    }
    length = listed(estimate(run, ranges=False), "training.sequence_length")
    assert length.why == "samples are cut to it; the model's context is 131,072"
