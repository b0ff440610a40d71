"""What a report says around its figures: where they go, of what they are, who measured."""

from __future__ import annotations

import re
from typing import Any

import pytest

import costcalc

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T", "runs": 2},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 60, "goodput": 0.75},
    "site": {"region": "FR"},
    "price": {"instance_hour": "16 USD"},  # of 8 devices: 2 USD a device-hour
}


def report(**sections: Any) -> dict[str, Any]:
    return costcalc.estimate({**RUN, **sections}, ranges=False).to_dict()


def test_the_cost_goes_to_training_the_shortfall_and_unused_devices() -> None:
    made = report()
    used = made["results"]["device_hours"]["value"] * 2  # USD
    parts = made["breakdown"]["cost"]
    assert parts["training"] == pytest.approx(0.75 * used)
    assert parts["shortfall"] == pytest.approx(0.25 * used)
    assert parts["unused devices"] == pytest.approx(used * (64 / 60 - 1))  # 8 instances of 8
    assert sum(parts.values()) == pytest.approx(made["results"]["cost"]["value"])


def test_the_energy_goes_to_boards_hosts_network_and_the_facility() -> None:
    made = report()
    parts = made["breakdown"]["energy"]
    assert sum(parts.values()) == pytest.approx(made["results"]["energy"]["value"])
    it = made["results"]["energy_it"]["value"]
    assert made["results"]["energy"]["value"] - it == pytest.approx(parts["facility"])


def test_the_subject_names_the_models_and_what_is_not_said() -> None:
    made = report(subject={"paper": "arXiv:2407.21783"})["subject"]
    assert made["models"] == ["llama-3-8b"]
    assert made["paper"] == "arXiv:2407.21783"
    assert made["why"] == "code, commit: not said in the run file"


def test_the_run_of_an_estimate() -> None:
    made = report()
    (entry,) = made["runs"]
    assert re.fullmatch(r"run-[0-9a-f]{12}", entry["id"])
    assert (entry["number"], entry["devices"], entry["role"]) == (2.0, 60.0, "final")
    assert entry["measured_by"] is None
    assert entry["why"] == "measured_by: calculated, nothing was measured"
    assert report(name="another")["runs"][0]["id"] != entry["id"]


def test_the_work_is_flops_a_token_tokens_and_runs() -> None:
    made = report()
    whole = made["results"]["training_compute"]["value"]
    assert made["work"]["E"]["value"] == pytest.approx(whole / 1e12)
    assert made["work"]["D"] == {"value": 1e12, "unit": "token"}
    assert made["work"]["H"] == {"value": 2.0, "unit": "1"}
    assert report(training={"tokens": "1T"})["work"]["H"]["value"] == 1.0


@pytest.mark.parametrize(
    ("measured", "kind"),
    [
        (None, "estimated"),
        ({"wall_clock": "10 h"}, "mixed"),
        ({"energy_it": "1 MWh"}, "mixed"),
        ({"wall_clock": "10 h", "energy_it": "1 MWh"}, "measured"),
    ],
)
def test_a_report_is_measured_where_time_and_energy_are(measured: Any, kind: str) -> None:
    made = report(**({"measured": measured} if measured else {}))
    assert made["kind"] == kind
    assert (made["runs"][0]["measured_by"] is None) == (measured is None)
    assert bool(made["measurement"]["meters"]) == (measured is not None)


def test_a_meter_does_not_say_what_it_covers() -> None:
    parts = {
        c["name"]: c for c in report(measured={"energy_it": "1 MWh"})["boundary"]["components"]
    }
    assert parts["hosts"]["counted"] is None
    modelled = {c["name"]: c for c in report()["boundary"]["components"]}
    assert modelled["hosts"] == {"name": "hosts", "counted": True}
    assert modelled["making the hardware"]["counted"] is True
    assert modelled["storage systems"]["counted"] is False


def test_the_words_of_a_layout_say_the_memory_of_a_device() -> None:
    axes = {"tensor": 4, "pipeline": 3, "sharding": "zero1"}
    hardware = {**RUN["hardware"], "layout": axes}
    words = dict(report(hardware=hardware)["details"]["steps"])["layout"]
    assert words.startswith("data 5, tensor 4, pipeline 3, zero1, micro-batch 1, recompute ")
    assert words.endswith(" of 79.6 GiB")
    alone = {**RUN["hardware"], "count": 8, "layout": {"tensor": 8, "sharding": "none"}}
    training = {"tokens": "1B", "global_batch": 1, "recompute": "full"}
    words = dict(report(hardware=alone, training=training)["details"]["steps"])["layout"]
    assert words.startswith("data 1, tensor 8, micro-batch 1, recompute full")


def test_save_keeps_what_is_there_unless_told(tmp_path: Any) -> None:
    made = costcalc.estimate(RUN, ranges=False)
    path = made.save(tmp_path / "one.yaml")
    with pytest.raises(costcalc.InputError, match="exists already"):
        made.save(path)
    assert made.save(path, force=True) == path
