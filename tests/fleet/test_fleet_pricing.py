"""What a job of the ledger cost is what an estimate of it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_byhand import FLEET, cluster, line, told

import costcalc
from costcalc.base.errors import InputError
from costcalc.fleet.kinds import UNITS, Asked
from costcalc.fleet.pricing import Pricing


def priced(text: str = FLEET, folder: Path | None = None, **cells: str) -> dict[str, object]:
    return Pricing(cluster(text, folder)).rows(told(line(**cells))).rows[0]


def test_a_metered_job_by_hand() -> None:
    # 4 devices for 2 h at 2 USD; 18 MJ = 5 kWh at the node; PUE 1.2; 350 g a kWh
    row = priced(ConsumedEnergyRaw="18000000")
    assert row["device_hours"] == 8.0
    assert row["cost"] == row["cost_low"] == row["cost_high"] == pytest.approx(16.0)
    assert row["energy_it"] == row["energy_it_high"] == pytest.approx(5.0)
    assert row["energy"] == pytest.approx(6.0)
    assert row["carbon_operational"] == pytest.approx(2.1)
    assert (row["meter"], row["metered"]) == ("Slurm's energy plugin", 5.0)
    # 18 MJ over 28,800 device-seconds are 625 W a device; 275 W of it is its part of the host
    assert row["mean_power"] == pytest.approx(625 - 275)
    assert row["why"] is None


def test_a_july_has_its_own_pue_and_an_account_its_own_price() -> None:
    july = {"Start": "2026-06-30T22:30:00", "End": "2026-06-30T23:30:00", "ElapsedRaw": "3600"}
    row = priced(ConsumedEnergyRaw="18000000", Account="physics", **july)
    assert row["month"] == "2026-07"  # in Berlin it is 01:30 of July 1
    assert row["energy"] == pytest.approx(5.0 * 1.5)
    assert row["cost"] == pytest.approx(4.0 * 1.0)


def test_a_partition_has_its_price_and_device() -> None:
    row = priced(Partition="old", AllocTRES="gres/gpu=2,node=1")
    assert (row["device"], row["cost"]) == ("a100-sxm4-40", pytest.approx(2 * 2 * 0.5))


@pytest.mark.parametrize("joules", ["", "18000000"])
@pytest.mark.parametrize("scope", ["node", "boards"])
def test_figures_are_those_of_an_estimate(joules: str, scope: str) -> None:
    pricing = Pricing(cluster(FLEET.replace("2 USD", "2.5 USD")))
    (fact,) = told(line(ConsumedEnergyRaw=joules))
    if joules:
        fact = replace(fact, scope=scope)  # type: ignore[arg-type]
    row = pricing.rows([fact]).rows[0]
    (asked,) = pricing._kinds
    assert isinstance(asked, Asked)
    run = asked.run(device_hours=8.0, metered=5.0)
    made = costcalc.estimate(run)
    for name in UNITS:
        assert row[name] == pytest.approx(made.results[name].value, rel=1e-9), name
        # between points of power a range is interpolated
        for end in ("low", "high"):
            assert row[f"{name}_{end}"] == pytest.approx(
                getattr(made.results[name], end), rel=1e-9 if not joules else 5e-3
            ), (name, end)
    json.dumps(run)


def test_what_was_bought_is_said_of_one_device() -> None:
    owned = "price: {owned: {purchase: 35064 USD, lifetime: 4 year, utilization: 0.5, "
    owned += "electricity: 0.1 USD/kWh}}"
    text = FLEET.replace("price: {device_hour: 2 USD}", owned, 1)
    row = priced(text, ConsumedEnergyRaw="18000000")
    # 35,064 USD over 4 years of 8,766 h, half of them used: 2 USD a device-hour; 8 of them,
    # and 5 kWh x 1.2 at 0.1 USD
    assert row["cost"] == pytest.approx(16.0 + 0.6)


def test_an_hourly_grid_is_taken_over_the_hours_of_the_job(tmp_path: Path) -> None:
    hours = "\n".join(
        f"2026-10-05T{hour:02d}:00Z,{value}"
        for hour, value in zip(range(9, 14), (900, 100, 300, 500, 900), strict=True)
    )
    (tmp_path / "grid.csv").write_text(f"time,carbon intensity (average)\n{hours}\n")
    text = FLEET + "grid: {hourly: grid.csv, market: 20 gCO2e/kWh}\n"
    row = priced(text, tmp_path, ConsumedEnergyRaw="18000000", Start="2026-10-05T10:30:00",
                 End="2026-10-05T12:30:00")  # fmt: skip
    # half an hour at 100, one at 300, half an hour at 500: 300 g; 6 kWh
    assert row["grid"] == pytest.approx(300.0)
    assert row["carbon_operational"] == pytest.approx(1.8)
    assert row["carbon_annual"] == pytest.approx(6 * 0.35)
    assert row["carbon_market"] == pytest.approx(6 * 0.02)
    beyond = priced(text, tmp_path, ConsumedEnergyRaw="18000000")  # Start 10:00, within
    assert beyond["grid"] == pytest.approx(200.0)
    none = priced(text, tmp_path, ConsumedEnergyRaw="18000000", Start="2026-10-06T10:00:00",
                  End="2026-10-06T12:00:00")  # fmt: skip
    assert none["grid"] == pytest.approx(350.0)  # the year's, where the series ends


def test_an_hourly_grid_by_a_wall_clock_asks_for_its_zone(tmp_path: Path) -> None:
    """What its times name no zone of is UTC, which is said; a clock that changes is none."""
    path, text = tmp_path / "grid.csv", FLEET + "grid: {hourly: grid.csv}\n"

    def series(*hours: str) -> None:
        rows = "".join(f"{hour},300\n" for hour in hours)
        path.write_text(f"time,carbon intensity (average)\n{rows}")

    def fault() -> str:
        with pytest.raises(InputError) as caught:
            Pricing(cluster(text, tmp_path))
        return str(caught.value).splitlines()[0]

    series("2026-03-28T00:00", "2026-03-28T01:00")
    assert Pricing(cluster(text, tmp_path)).notes == [
        "grid.hourly (grid.csv): its times name no zone: taken as UTC; grid.timezone "
        "Europe/Berlin says another"
    ]
    no_utc = "its times name no zone: they are those of a clock that changes, not of UTC; say whose"
    series("2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T03:00")  # the cluster is in Berlin
    assert fault() == (
        f"{path}: grid.timezone: 2026-03-29T02:00 is missing, which clocks in Europe/Berlin skip, "
        f"and {no_utc}, as grid.timezone Europe/Berlin"
    )
    series("2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T02:00")
    assert fault() == (
        f"{path}: grid.timezone: 2026-10-25T02:00 stands twice, and {no_utc}, as grid.timezone "
        "Europe/Berlin"
    )
    path.unlink()
    assert fault() == f"{path}: grid.hourly: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (
            {"AllocTRES": "cpu=4,node=1"},
            "no accelerator, and no meter: neither its power nor price is known",
        ),
        (
            {"AllocTRES": "gres/gpu:a100=2,gres/gpu=2"},
            "the scheduler says a100, its partition h100-sxm5-80: give devices in fleet.yaml",
        ),
        (
            {"AllocTRES": "gres/gpu:a100=2,gres/gpu:h100=2,gres/gpu=4"},
            "several kinds of device in one job: a100, h100",
        ),
        (
            {"Partition": "new", "AllocTRES": "gres/gpu=2"},
            "nothing says which device: give partitions.NAME.accelerator in fleet.yaml",
        ),
        (
            {"AllocTRES": "gres/shard=2"},
            "Slurm counts shares of a device (shard) and not how many of them make one",
        ),
    ],
)
def test_what_cannot_be_costed_says_why_and_is_never_nothing(
    cells: dict[str, str], why: str
) -> None:
    row = priced(**cells)
    assert (row["why"], row["cost"], row["energy"]) == (why, None, None)


def test_shards_of_a_known_number_are_parts_of_a_device() -> None:
    row = priced(FLEET.replace("nodes: 2,", "nodes: 2, shards: 8,"), AllocTRES="gres/shard=2")
    assert (row["devices"], row["cost"]) == (0.25, pytest.approx(0.25 * 2 * 2))


def test_names_that_are_not_to_be_kept() -> None:
    row = priced(FLEET + "privacy: {users: drop, names: drop}\n", JobName="secret")
    assert (row["user"], row["name"]) == (None, None)


def test_power_says_what_share_of_the_time_trained() -> None:
    # a device's part of the host is 275 W; idle 71 W
    idle = priced(ConsumedEnergyRaw=str((275 + 71) * 28_800))
    assert idle["utilization"] == pytest.approx(0.0, abs=1e-9)
    full = priced(ConsumedEnergyRaw=str(int((275 + 609.424) * 28_800)))
    assert full["utilization"] == pytest.approx(1.0, abs=1e-3)
    assert priced()["utilization"] is None
