"""The parts of a job's energy by hand: what was metered, what nobody saw, hosts and the network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.assumption import Assumption
from costcalc.tracking import energy_parts
from costcalc.tracking.energy_parts import EnergyPart
from costcalc.tracking.records import Energy

KWH = 3.6e6


def joules(component: Any, kwh: float, basis: Any = "measured", doubt: float = 0.0) -> Energy:
    meter = {"cpu": "RAPL", "device": "NVML"}.get(component, "CodeCarbon")
    return Energy(
        joules=kwh * KWH, basis=basis, meter=meter, component=component, doubt=doubt * KWH
    )


def of_job(**said: Any) -> Any:
    """Two devices for an hour each."""
    plain: dict[str, Any] = {
        "energy": {}, "unseen": 0.0, "device_watts": None,
        "devices": [SimpleNamespace(name=name) for name in ("A", "B")],
        "share_of_devices": 1.0, "device_seconds": lambda _: 7200.0,
    }  # fmt: skip
    return SimpleNamespace(**(plain | said))


def modelled(values: dict[str, float], **inputs: tuple[float, float]) -> Any:
    listed = [
        Assumption(key=f"hardware.{name}", value=(low + high) / 2, low=low, high=high, unit="W",
                   basis="default", source="s")
        for name, (low, high) in inputs.items()
    ]  # fmt: skip
    return SimpleNamespace(values=values, inputs=listed, details={})


def ends(part: EnergyPart) -> tuple[float, float, float]:
    return part.least, part.energy, part.most


@pytest.mark.parametrize(
    ("energy", "said"),
    [
        # two boards of 2 and 3 kWh are 5 by one meter
        ([joules("device", 2.0), joules("device", 3.0)], [("device", 5.0, 5.0, 5.0)]),
        # 1 kWh of the second may be another job's
        ([joules("device", 2.0), joules("device", 3.0, doubt=1.0)], [("device", 4.0, 5.0, 5.0)]),
        # a model of a processor is right to 1.4 times and to 0.6 times
        ([joules("memory", 0.7, "modelled")], [("memory", 0.5, 0.7, 0.7 / 0.6)]),
        # the devices first, whichever was written first; each component and meter by itself
        ([joules("cpu", 1.0), joules("device", 2.0)],
         [("device", 2.0, 2.0, 2.0), ("cpu", 1.0, 1.0, 1.0)]),
        ([], []),
    ],
)  # fmt: skip
def test_what_was_metered(energy: list[Energy], said: list[tuple[Any, ...]]) -> None:
    found = energy_parts.metered(of_job(energy=dict(enumerate(energy))))
    assert [(part.component, *ends(part)) for part in found] == [
        (name, *map(pytest.approx, of)) for name, *of in said
    ]


def test_an_energy_that_is_sure_has_no_range_in_the_report() -> None:
    sure, unsure = (
        energy_parts.metered(of_job(energy={0: joules("device", 3.0, doubt=doubt)}))[0].to_dict()
        for doubt in (0.0, 1.0)
    )
    assert sure == {
        "component": "device", "energy": 3.0, "unit": "kWh", "basis": "measured", "meter": "NVML",
    }  # fmt: skip
    assert unsure == {**sure, "low": pytest.approx(2.0), "high": 3.0}


@pytest.mark.parametrize(
    ("unseen", "watts", "made", "said"),
    [
        # an hour at the mean of 400 W: 0.4 kWh, from idle to what the board may draw
        (3600.0, 400.0, modelled({}, idle_power=(60.0, 80.0), board_power=(300.0, 700.0)),
         (0.06, 0.4, 0.7)),
        # idle is no more than the mean, and no board draws less than it did
        (3600.0, 50.0, modelled({}, idle_power=(60.0, 80.0), board_power=(30.0, 40.0)),
         (0.05, 0.05, 0.05)),
        # nobody saw a thing: the profile's 500 W
        (7200.0, None, modelled({"mean_power": 500.0}, idle_power=(60.0, 80.0)), (0.12, 1.0, 1.0)),
        # of 7,200 s 6,840 were not seen, 95 %: the mean of the rest still counts
        (6840.0, 400.0, modelled({"mean_power": 500.0}), (0.76, 0.76, 0.76)),
        # more than that: the profile's, 6,912 s · 500 W = 0.96 kWh
        (6912.0, 400.0, modelled({"mean_power": 500.0}), (0.96, 0.96, 0.96)),
        # without a profile from nothing to twice the mean
        (3600.0, 400.0, None, (0.0, 0.4, 0.8)),
        (3600.0, None, None, None),
        # a thousandth of the time is how far apart the ranks of a launch begin
        (7.2, 400.0, None, None),
        (7.3, 400.0, None, (0.0, 7.3 * 400 / KWH, 7.3 * 800 / KWH)),
    ],
)  # fmt: skip
def test_devices_while_no_meter_saw_them(
    unseen: float, watts: float | None, made: Any, said: tuple[float, ...] | None
) -> None:
    found = energy_parts.unseen(of_job(unseen=unseen, device_watts=watts), made)
    assert [ends(part) for part in found] == ([] if said is None else [pytest.approx(said)])
    by_mean = watts is not None and (made is None or unseen <= 6840)
    how = "time × the mean power that was metered (costcalc)"
    assert all((part.of == how) is by_mean for part in found)


@pytest.mark.parametrize(
    ("seen", "share", "said"),
    [
        # 300 W (200 to 450) beside each of two devices for an hour
        ([], 1.0, [("hosts", 0.4, 0.6, 0.9)]),
        # half of the node's devices are the job's: half of its host
        ([], 0.5, [("hosts", 0.2, 0.3, 0.45)]),
        # 0.25 kWh of it were counted: the rest is what is beyond
        ([("cpu", "measured", 0.25)], 1.0, [("cpu", 0.25, 0.25, 0.25),
                                            ("host_rest", 0.15, 0.35, 0.65)]),
        # more than the profile knows: nothing is left
        ([("cpu", "measured", 0.7)], 1.0, [("cpu", 0.7, 0.7, 0.7), ("host_rest", 0.0, 0.0, 0.2)]),
        # what a model says of it stands beside
        ([("memory", "modelled", 0.1)], 1.0, [("hosts", 0.4, 0.6, 0.9)]),
    ],
)  # fmt: skip
def test_hosts_are_what_counters_saw_and_what_the_profile_has_beyond(
    seen: list[tuple[Any, ...]], share: float, said: list[tuple[Any, ...]]
) -> None:
    parts = [EnergyPart(component=name, energy=kwh, basis=basis) for name, basis, kwh in seen]
    made = modelled({"host_power": 300.0}, host_power=(200.0, 450.0))
    found = energy_parts._hosts(parts, of_job(share_of_devices=share), made)
    counted = [(part.component, *ends(part)) for part in found if part.counted]
    assert counted == [(name, *map(pytest.approx, of)) for name, *of in said]
    beside = [part.component for part in found if not part.counted]
    assert beside == [name for name, basis, _ in seen if basis == "modelled"]
    # without a host in the profile what was metered is all
    assert energy_parts._hosts(parts, of_job(), modelled({})) == parts


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_network_has_its_share_of_what_counts(share: float) -> None:
    parts = [
        EnergyPart(component="device", energy=5.0, low=4.0, high=7.0),
        EnergyPart(component="hosts", energy=1.0),
        EnergyPart(component="cpu", energy=9.0, counted=False),
    ]
    found = energy_parts._with_network(list(parts), modelled({"network_share": share}))
    assert found[:3] == parts
    # a tenth of 5 + 1, of 4 + 1 and of 7 + 1
    assert [ends(part) for part in found[3:]] == ([pytest.approx((0.5, 0.6, 0.8))] if share else [])
    whole = energy_parts.summed(found)
    assert whole is not None
    more = (0.6, 0.5, 0.8) if share else (0.0, 0.0, 0.0)
    assert [x / KWH for x in whole] == pytest.approx([6 + more[0], 5 + more[1], 8 + more[2]])


def test_nothing_that_counts_has_no_sum() -> None:
    assert energy_parts.summed([]) is None
    assert energy_parts.summed([EnergyPart(component="cpu", energy=9.0, counted=False)]) is None


@pytest.mark.parametrize(
    ("parts", "processors"),
    [
        ([("cpu", "measured")], True),
        ([("cpu", "modelled")], False),  # no counter saw them
        ([("memory", "measured")], False),
        ([], False),
    ],
)
def test_a_job_on_processors_is_what_counts_them(
    parts: list[tuple[Any, Any]], processors: bool
) -> None:
    made = modelled({})
    made.details = {"hardware": {"id": "xeon-8480"}}
    listed = [EnergyPart(component=name, energy=2.0, basis=basis) for name, basis in parts]
    found = energy_parts.on_processors(listed, of_job(), made)
    if processors:
        assert found is not None
        assert [(part.component, part.energy) for part in found] == [("device", 2.0)]
    else:
        assert found is None
    made.details = {"hardware": {"id": "h100-sxm5-80"}}
    assert energy_parts.on_processors(listed, of_job(), made) is None
    made.details = {"hardware": {"id": "no such thing"}}
    assert energy_parts.on_processors(listed, of_job(), made) is None
