"""The machine of a run by hand: fabric, network, hosts, instances, precision."""

from __future__ import annotations

from typing import Any

import pytest
from stage_inputs import H100, devices, part

from costcalc import InputError
from costcalc.base.units import to_si
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import host as hosts
from costcalc.resolve import hardware as resolved
from costcalc.resolve.hardware import devices_of, precision_of
from costcalc.resolve.time import time_inputs, timed
from costcalc.resolve.workload import trained


@pytest.mark.parametrize(
    ("hardware", "domain", "link"),
    [
        # NVLink of 450 GB/s joins 8; cards talk over the PCIe of their host, 4.0 × 16
        ({"accelerator": "h100-sxm5-80", "count": 8}, 8, 450.0),
        ({"accelerator": "l40s", "count": 8}, 8, 31.5),
        ({"accelerator": "rtx-2050-laptop", "count": 8, "host": "server-8-gpu"}, 8, 7.88),
        # an NVLink bridge would join two of the eight cards of a server: PCIe 5.0 joins all
        ({"accelerator": "h100-pcie-80", "count": 8}, 8, 63.0),
        ({"accelerator": "l40s", "count": 8, "scale_up": "100 GB/s"}, 1, 100.0),
    ],
)
def test_how_far_the_fabric_reaches(hardware: dict[str, Any], domain: int, link: float) -> None:
    machine = devices(**hardware).machine
    assert machine.scale_up_domain == domain
    assert machine.scale_up == pytest.approx(to_si(link, "GB/s"))


def test_the_domain_is_the_smaller_of_what_chip_and_host_have(monkeypatch) -> None:
    chip, box = accelerators.find("h100-sxm5-80"), hosts.find("dgx-h100")
    fabric = chip.scale_up
    assert fabric is not None

    def domain(of_chip: int | None, of_host: int) -> int:
        own = None if of_chip is None else fabric.model_copy(update={"domain": of_chip})
        found = chip.model_copy(update={"scale_up": own})
        monkeypatch.setattr(resolved.accelerators, "find", lambda *_: found)
        host = hosts.HostChoice(
            host=box.model_copy(update={"scale_up_domain": of_host}), devices=8, why=""
        )
        monkeypatch.setattr(resolved.hosts, "choose", lambda *_, **__: host)
        given = part(hardware={**H100, "count": 8})
        # what was resolved is remembered: this is a machine of its own
        return devices_of.__wrapped__(given, None, ()).machine.scale_up_domain

    assert [domain(8, 8), domain(8, 4), domain(2, 8), domain(None, 8), domain(8, 0)] == [
        8, 4, 2, 8, 8,
    ]  # fmt: skip


def test_the_network_of_a_host_of_a_chip_and_of_nobody(monkeypatch) -> None:
    known = devices(**H100)
    assert known.host.host.scale_out is not None
    assert known.machine.scale_out == known.host.host.scale_out.si
    assert "hardware.scale_out" not in [item.key for item in known.assumptions]
    chip = accelerators.find("rtx-4090").model_copy(update={"scale_out": None})
    monkeypatch.setattr(resolved.accelerators, "find", lambda *_: chip)
    # 100 Gbit/s a device, and said so where it is needed
    for count, said in ((4, False), (5, True)):
        given = part(hardware={"accelerator": "rtx-4090", "count": count})
        found = devices_of.__wrapped__(given, None, ())
        assert found.machine.scale_out == to_si(100.0, "Gbit/s") == 12.5e9
        names = [item.key for item in found.assumptions]
        assert ("hardware.scale_out" in names) is said
    # no NVLink: 16 lanes of PCIe 4.0 are 31.5 GB/s, which is said where cards talk to each other
    alone, pair = (devices(accelerator="rtx-4090", count=count) for count in (1, 2))
    slots = [item for item in pair.assumptions if item.key == "hardware.scale_up"]
    assert [(item.value, item.basis) for item in slots] == [(31.5e9, "profile")]
    assert "hardware.scale_up" not in [item.key for item in alone.assumptions]
    joined = devices(**{**H100, "count": 8})
    assert "hardware.scale_up" not in [item.key for item in joined.assumptions]
    own_ = devices(accelerator="rtx-4090", count=2, scale_up="6 GB/s")
    assert [i.basis for i in own_.assumptions if i.key == "hardware.scale_up"] == ["given"]
    given = devices(accelerator="rtx-4090", count=8, scale_out="25 GB/s")
    assert given.machine.scale_out == 25e9


@pytest.mark.parametrize(
    ("count", "more", "per_node", "nodes", "watts"),
    [
        # 90 W of a desktop, shared, and 35 W a card; four in one at the most
        (1, {}, 1, 1, 90 + 35),
        (2, {}, 2, 1, 90 / 2 + 35),
        (4, {}, 4, 1, 90 / 4 + 35),
        (6, {}, 4, 2, 90 / 4 + 35),
        (6, {"per_node": 2}, 2, 3, 90 / 2 + 35),
    ],
)
def test_cards_in_workstations(count, more, per_node, nodes, watts) -> None:
    found = devices(accelerator="rtx-4090", count=count, **more)
    assert (found.machine.per_node, found.nodes) == (per_node, nodes)
    assert found.host.power_per_device() == pytest.approx(watts)


def test_instances_count_their_devices() -> None:
    found = devices(instance="p5.48xlarge", nodes=3)
    assert (found.count, found.nodes, found.reserved, found.share) == (24, 3, 24.0, 1.0)
    assert devices(instance="p5.48xlarge").count == 8
    assert "hardware.host" not in [item.key for item in found.assumptions]
    slice_ = devices(accelerator="v3-32")
    assert slice_.count == 16  # 32 cores, two a chip
    for hardware, message in (
        ({"accelerator": "h100-sxm5-80"}, "missing count: how many devices"),
        ({"accelerator": "v3-32", "count": 8}, "v3-32 says 16 chips; count says 8"),
        ({"instance": "server-8-gpu"}, "holds any accelerator: give hardware.accelerator too"),
        ({"accelerator": "a100-sxm4-80", "host": "dgx-h100", "count": 8},
         "hardware.host: NVIDIA DGX H100 holds h100-sxm5-80, not a100-sxm4-80"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            devices(**hardware)
        assert message in str(caught.value)


def test_a_host_is_named_or_chosen() -> None:
    chosen, named = devices(**H100), devices(**H100, host="dgx-h100")
    assert [listed_.basis for listed_ in (chosen.assumptions[1], named.assumptions[1])] == [
        "default", "given",
    ]  # fmt: skip
    assert named.host.why.endswith("named in the run file")
    few = devices(**H100, host="dgx-h100", per_node=4)
    assert (few.machine.per_node, few.nodes) == (4, 4)
    own = devices(**{**H100, "count": 8}, scale_up="100 GB/s", scale_out="10 GB/s")
    assert [(item.key, item.value) for item in own.assumptions[2:]] == [
        ("hardware.scale_up", 100e9),
        ("hardware.scale_out", 10e9),
    ]
    assert own.machine.torus == 0
    torus = devices(accelerator="tpu-v5p", count=64)
    assert torus.machine.torus == 3
    assert devices(accelerator="tpu-v5p", count=64, scale_up="100 GB/s").machine.torus == 0


@pytest.mark.parametrize(
    ("peaks", "best"),
    [
        (("fp32", "tf32", "fp16", "bf16", "fp8"), "bf16"),
        (("fp32", "tf32", "fp16"), "fp16"),
        (("fp32", "tf32"), "tf32"),
        (("fp8",), "fp32"),
    ],
)
def test_the_usual_precision(peaks: tuple[str, ...], best: str) -> None:
    chip = accelerators.find("h100-sxm5-80")
    some = chip.peak.model_copy(
        update={name: None for name in type(chip.peak).model_fields if name not in peaks}
    )
    found, choice = precision_of(part(), chip.model_copy(update={"peak": some}))
    assert found == best
    assert choice is not None
    assert precision_of(part(training={"tokens": "1B", "precision": "fp8"}), chip) == ("fp8", None)


def test_a_share_of_a_device_keeps_the_peak_of_the_whole() -> None:
    hardware = {"accelerator": "h100-sxm5-80", "share": "1/4"}
    given = part(hardware=hardware, model={"preset": "qwen3-0.6b"})
    there, work = devices_of(given, None, ()), trained(given)
    assert work.work is not None
    time = timed(given, work.work, there, "bf16")
    known = time_inputs(given, work, there, time, "bf16").known
    assert known["devices"].value == 0.25
    assert known["peak"].value == pytest.approx(989.4e12)  # a quarter of a device at all of it
    assert time.throughput.peak == pytest.approx(989.4e12 / 4)
    assert there.reserved == 0.25
