"""What stands where nothing is said: batches of papers, fabrics, bought hardware, lost time."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import costcalc
from costcalc import price as prices
from costcalc.base.assumption import Assumption
from costcalc.catalog import accelerator
from costcalc.resolve import batch, hardware, power, price, unread, workload
from costcalc.runfile.schema import Hardware, Training

# --- the batch ----------------------------------------------------------------------------------


def _work(**said: Any) -> Any:
    plain = {"datum": "token", "method": "pretrain", "architecture": None, "parameters": 2e9,
             "sequence_length": 1000, "flops_per_datum": None}  # fmt: skip
    return SimpleNamespace(**(plain | said))


def _on(count: int, **peak: float) -> Any:
    return SimpleNamespace(count=count, machine=SimpleNamespace(peak=peak))


ENCODER, BOTH = SimpleNamespace(kind="encoder"), SimpleNamespace(kind="encoder-decoder")


@pytest.mark.parametrize(
    ("work", "of", "count", "size", "why"),
    [
        # tuning: the papers' batches, as many on every device
        ({"method": "finetune"}, None, 8, 128, "128 sequences a step, at least one a device"),
        ({"method": "distill"}, None, 8, 128, "128 sequences a step, at least one a device"),
        ({"method": "frozen"}, None, 8, 32, "32 sequences a step, at least one a device"),
        ({"method": "lora"}, None, 8, 16, "16 sequences a step, at least one a device"),
        ({"method": "dpo"}, None, 8, 128, "128 sequences a step, at least one a device"),
        ({"method": "ppo"}, None, 8, 64, "64 sequences a step, at least one a device"),
        ({"method": "grpo"}, None, 8, 1024, "1024 sequences a step, at least one a device"),
        ({"method": "lora"}, None, 5, 20, "16 sequences a step, at least one a device"),  # 5 · 4
        # encoders are tuned as BERT was, but for methods of their own
        ({"method": "finetune", "architecture": ENCODER}, None, 1, 32,
         "32 sequences a step, at least one a device"),
        ({"method": "distill", "architecture": ENCODER}, None, 1, 32,
         "32 sequences a step, at least one a device"),
        ({"method": "dpo", "architecture": ENCODER}, None, 1, 128,
         "128 sequences a step, at least one a device"),
        ({"method": "finetune", "architecture": BOTH}, None, 1, 128,
         "128 sequences a step, at least one a device"),
        # pretraining of what is no decoder
        ({"architecture": ENCODER}, None, 1, 256, "256 sequences a step, at least one a device"),
        ({"architecture": BOTH}, None, 1, 128, "128 sequences a step, at least one a device"),
        # samples: so many a device
        ({"datum": "sample", "method": "lora"}, "diffusion", 3, 6,  # 4 on 3: 2 each
         "4 samples a step, at least one a device"),
        ({"datum": "sample"}, "cnn", 3, 96, "32 samples a device"),
        ({"datum": "sample"}, "vit", 2, 128, "64 samples a device"),
        ({"datum": "sample"}, "vision", 2, 128, "64 samples a device"),
        ({"datum": "sample"}, "gnn", 2, 64, "32 samples a device"),
        # decoders: 2^19, 2^20, 4M and 2^24 tokens, up to 1, 5 and 100 billion parameters
        ({"parameters": 0.99e9}, None, 1, 524, "about 0.52M tokens a step"),
        ({"parameters": 1e9}, None, 1, 1049, "about 1M tokens a step"),
        ({"parameters": 5e9}, None, 1, 4000, "about 4M tokens a step"),
        ({"parameters": 1e11}, None, 1, 16777, "about 17M tokens a step"),
        ({"parameters": None}, None, 1, 16777, "about 17M tokens a step"),
        ({"sequence_length": 2**22}, None, 4, 4, "about 1M tokens a step"),  # 1/4: one each
        # two fifths of 1e12 FLOP/s, 1e9 FLOP a token: 0.4 sequences a second, 48 in two minutes
        ({"flops_per_datum": 1e9}, None, 1, 32, "what these devices compute in 2 minutes at most"),
        # on two devices 96: 64
        ({"flops_per_datum": 1e9}, None, 2, 64, "what these devices compute in 2 minutes at most"),
        ({"flops_per_datum": 1e13}, None, 1, 1, "what these devices compute in 2 minutes at most"),
        ({"flops_per_datum": 1e7}, None, 1, 1049, "about 1M tokens a step"),  # 4,800 are more
    ],
)  # fmt: skip
def test_the_batch_that_papers_take(
    work: dict[str, Any], of: str | None, count: int, size: int, why: str
) -> None:
    found, said, source = batch.usual_batch(_work(**work), _on(count, bf16=1e12), "bf16", of)
    assert found == size
    assert said.startswith(why)
    assert source


def test_a_batch_is_not_cut_where_the_peak_is_not_known() -> None:
    found, said, _ = batch.usual_batch(_work(flops_per_datum=1e13), _on(1, fp8=1.0), "bf16")
    assert (found, said) == (1049, "about 1M tokens a step, at least a sequence a device")


@pytest.mark.parametrize(
    ("size", "datum", "length", "said"),
    [
        (256_000, "token", 1000, False),  # 256M tokens: twice the largest of a paper, and no more
        (256_001, "token", 1000, True),
        (256_001, "sample", 1000, False),
        (256_000_001, "token", None, True),
        (None, "token", 1000, False),
    ],
)
def test_a_batch_that_is_hardly_meant(
    size: float | None, datum: str, length: int | None, said: bool
) -> None:
    notes = list(workload._of_batch(size, _work(datum=datum, sequence_length=length)))
    assert len(notes) == said
    if size == 256_001 and said:
        assert notes == [
            "training.global_batch: 256,001 are taken as sequences of 1,000 tokens, far more than "
            "published runs take: if tokens are meant, write 256001 tokens"
        ]


@pytest.mark.parametrize(
    ("asked", "context", "said"),
    [(4096, 4096, False), (4097, 4096, True), (None, 4096, False), (4097, None, False)],
)
def test_sequences_beyond_the_context(asked: int | None, context: int | None, said: bool) -> None:
    notes = list(workload._of_context(asked, SimpleNamespace(context=context)))  # type: ignore[arg-type]
    text = (
        "sequences of 4,097 tokens are longer than its context of 4,096: counted as if its "
        "positions reached so far"
    )
    assert notes == ([text] if said else [])


# --- the fabric ---------------------------------------------------------------------------------


def _fabric(known: Any, joins: int, holds: int, **asked: Any) -> hardware._Fabric:
    link = SimpleNamespace(si=32e9)
    chip: Any = SimpleNamespace(scale_up=known, host_link=link)
    host: Any = SimpleNamespace(host=SimpleNamespace(scale_up_domain=joins))
    return hardware._fabric(Hardware.model_validate(asked), chip, host, holds)


def _links(topology: str, domain: int) -> Any:
    return SimpleNamespace(topology=topology, domain=domain, bandwidth=SimpleNamespace(si=450e9))


@pytest.mark.parametrize(
    ("known", "joins", "asked", "fabric"),
    [
        # as many as the host joins, and no more than the links can
        (_links("switch", 8), 8, {}, (450e9, 8, 0, False)),
        (_links("switch", 8), 4, {}, (450e9, 4, 0, False)),
        (_links("switch", 4), 8, {}, (450e9, 4, 0, False)),
        # a node of four has a fabric of four; a rack's is the rack's
        (_links("switch", 8), 8, {"per_node": 4}, (450e9, 4, 0, False)),
        (_links("switch", 72), 72, {"per_node": 4}, (450e9, 72, 0, False)),
        (_links("torus-3d", 4096), 4096, {}, (450e9, 4096, 3, False)),
        # what is said goes before
        (_links("switch", 8), 8, {"scale_up_domain": 2}, (450e9, 2, 0, False)),
        (_links("switch", 8), 8, {"scale_up": "100 GB/s"}, (100e9, 8, 0, False)),
        (_links("switch", 8), 8, {"scale_up": "100 GB/s", "scale_up_domain": 2},
         (100e9, 2, 0, False)),
        (None, 8, {"scale_up": "100 GB/s"}, (100e9, 1, 0, False)),
        # cards that nothing joins: by the host's link, as many as the node has
        (None, 8, {}, (32e9, 6, 0, True)),
        (None, 8, {"scale_up_domain": 2}, (32e9, 2, 0, True)),
        (_links("switch", 8), 1, {}, (32e9, 6, 0, True)),
        (_links("host", 8), 8, {}, (450e9, 6, 0, True)),  # the link to the host is its fabric
    ],
)  # fmt: skip
def test_what_joins_devices_faster_than_the_network(
    known: Any, joins: int, asked: dict[str, Any], fabric: tuple[float, int, int, bool]
) -> None:
    found = _fabric(known, joins, 6, accelerator="h100", count=8, **asked)
    assert (found.rate, found.domain, found.torus, found.through_host) == fabric


# --- bought hardware ----------------------------------------------------------------------------


def test_a_device_is_bought_with_its_server_and_in_a_cluster_with_its_network() -> None:
    """A server costs 1.64 (1.54 to 1.69) times its chips, the network 0.385 (0.28 to 0.57)."""
    bought: Any = accelerator.find("h100-sxm5-80").purchase
    figure = bought.model_copy(update={"value": 10_000.0, "low": 9_000.0, "high": 12_000.0})
    chip = accelerator.find("h100-sxm5-80").model_copy(update={"purchase": figure})
    alone, cluster = price.purchase_of(chip), price.purchase_of(chip, cluster=True)
    assert alone is not None
    assert cluster is not None
    assert (alone.value, alone.low, alone.high) == pytest.approx((16_400, 13_860, 20_280))
    # 10,000 · (1.64 + 0.385), 9,000 · (1.54 + 0.28), 12,000 · (1.69 + 0.57)
    assert (cluster.value, cluster.low, cluster.high) == pytest.approx((20_250, 16_380, 27_120))
    assert alone.why.startswith("a device, 10,000 USD, and 6,400 USD for its server: A server over")
    assert cluster.why.startswith(
        "a device, 10,000 USD, and 6,400 USD for its server and 3,850 USD for its network between "
        "servers: A server over"
    )


@pytest.mark.parametrize(
    ("basis", "why"), [("profile", "; what stands in its profile"), ("given", "")]
)
def test_what_bought_hardware_costs_a_second(basis: Any, why: str) -> None:
    """8,000 USD for 2 devices, 2 years of life, half of it in use: 8000 / (2 · 2 · 0.5) a year."""
    year = 365.25 * 86400
    paid = Assumption(key="k", value=8000.0, low=6000.0, high=9000.0, unit="USD", basis=basis,
                      source="s", why="what stands in its profile")  # fmt: skip
    life = Assumption(key="k", value=2 * year, low=year, high=3 * year, unit="s", basis="default",
                      source="s")  # fmt: skip
    used = Assumption(key="k", value=0.5, low=0.25, high=1.0, unit="1", basis="default", source="s")
    made = price._of_purchase(paid, 2.0, life, used)
    assert made.value * year == pytest.approx(8000 / (2 * 2 * 0.5))  # 4,000
    assert made.low * year == pytest.approx(6000 / (2 * 3 * 1.0))  # 1,000
    assert made.high * year == pytest.approx(9000 / (2 * 1 * 0.25))  # 18,000
    assert made.basis == ("given" if basis == "given" else "default")
    assert made.why == (
        f"purchase 8,000 USD / (2 devices × lifetime 2 years × utilization 0.5){why}"
    )


def test_an_instance_without_a_price_is_not_priced_as_another() -> None:
    """AWS lists spot prices of its instances of eight H100: p5.4xlarge, of one, has none."""
    run = {"measured": {"wall_clock": "1 h"}, "hardware": {"instance": "p5.4xlarge", "nodes": 1},
           "price": {"provider": "aws", "plan": "spot"}}  # fmt: skip
    cost = costcalc.estimate(run).results["cost"]
    assert cost.value is None
    assert "no spot price of p5.4xlarge is known" in cost.why


@pytest.mark.parametrize(
    ("count", "given", "share", "why"),
    [
        # instances of eight at 80 USD: 12 devices are two of them, 16 / 12
        (12, True, 16 / 12, "16 devices: instances of 8 are rented whole"),
        (12, False, 16 / 12, "16 devices: instances of 8 are rented whole"),
        (16, False, 1.0, ""),
    ],
)
def test_devices_that_are_billed(count: int, given: bool, share: float, why: str) -> None:
    quote = prices.given(1.0, devices=8.0)
    if not given:
        assert quote.price is not None
        quote = replace(quote, price=replace(quote.price, basis="profile"))
    devices: Any = SimpleNamespace(share=1.0, count=count, reserved=count)
    found = price._billed(devices, quote)
    assert (found.value, found.why) == (pytest.approx(share), why)
    assert found.basis == ("given" if given else "profile")
    part: Any = SimpleNamespace(share=1 / 7, count=1, reserved=1 / 7)
    assert price._billed(part, quote).value == 1.0  # a share of a device is billed as that share


# --- what is chosen, and what is not read -------------------------------------------------------


@pytest.mark.parametrize(("hardware", "chosen"), [({}, "auto"), ({"layout": {"data": 8}}, None)])
def test_that_a_layout_was_chosen_is_said_where_nobody_asked_for_one(
    hardware: dict[str, Any], chosen: str | None
) -> None:
    made = costcalc.estimate(
        {"model": {"preset": "gpt2"}, "training": {"tokens": "1B"},
         "hardware": {"accelerator": "h100-sxm5-80", "count": 8, **hardware}},
        ranges=False,
    )  # fmt: skip
    found = [item for item in made.inputs if item.key == "hardware.layout"]
    assert [item.value for item in found if item.basis != "given"] == ([chosen] if chosen else [])


@pytest.mark.parametrize(
    ("training", "read"),
    [
        ({"tokens": "1B"}, False),
        ({"tokens": "1B", "sample_tokens": 300}, True),
        ({"epochs": 1, "documents": "docs.csv"}, True),
    ],
)
def test_packing_is_read_where_it_is_said_how_long_texts_are(
    training: dict[str, Any], read: bool
) -> None:
    asked: Any = Training.model_construct(
        **{key: value for key, value in training.items() if key != "tokens"}, packing="padded"
    )
    work: Any = SimpleNamespace(method="pretrain", architecture=None, datum="token", tally=None)
    said = dict(unread._trained(asked, work, SimpleNamespace(name="m")))  # type: ignore[arg-type]
    packing = [why for key, why in said.items() if key.endswith("packing")]
    why = "it goes with sample_tokens or documents, how long texts are"
    assert packing == ([] if read else [why])


# --- power --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "recompute", "drawn"),
    [
        (0.3, "none", 0.3),
        (0.3, "full", 0.4),  # a third more is computed
        (0.9, "full", 1.0),  # 1.2: no device computes more than all of the time
        (0.3, None, 0.3),  # no layout is known
    ],
)
def test_what_is_computed_again_draws_power_too(
    used: float, recompute: str | None, drawn: float
) -> None:
    again = SimpleNamespace(none=0.0, full=1 / 3)
    layout = None if recompute is None else SimpleNamespace(recompute=recompute)
    through = SimpleNamespace(layout=layout, utilization=SimpleNamespace(value=used))
    work: Any = SimpleNamespace(work=SimpleNamespace(recompute=again))
    time: Any = SimpleNamespace(throughput=through)
    assert power._hardware_utilization(work, time) == pytest.approx(drawn)
    assert power._hardware_utilization(work, None) is None
    assert power._hardware_utilization(SimpleNamespace(work=None), time) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "value", "low", "high"),
    [
        (8, 0.2, 0.1, 0.4),  # few lose it to evaluation
        (32, 0.5, 0.3, 0.7),  # half way, by doublings, from 8 to 128: 0.2 + (0.8 - 0.2) / 2
        (128, 0.8, 0.5, 1.0),  # many to slower kernels
        (4096, 0.8, 0.5, 1.0),
    ],
)
def test_what_lost_time_draws_goes_over_from_few_devices_to_many(
    count: int, value: float, low: float, high: float
) -> None:
    few = Assumption(key="k", value=0.2, low=0.1, high=0.4, unit="1", basis="default", source="s")
    found = power._slower(few, count)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high))
    assert (found is few) is (count == 8)
