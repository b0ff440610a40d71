"""Energy of boards alone, or of some parts of a machine, is named so in every text, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from costcalc.base.writing import digest
from costcalc.report.check import verified, verify
from costcalc.report.compare import show
from costcalc.report.files import text
from costcalc.report.importing import codecarbon, nvidia_smi
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge
from costcalc.report.renderings import render

BOARDS = "the boards, as their driver reports their power; not the host, nor cooling"
#: an hour at 200 W: 0.2 kWh, at a PUE of 1.2 0.24 kWh
LOG = "timestamp, index, name, power.draw [W]\n" + "".join(
    f"2026/11/27 1{hour}:{minute:02}:00.000, 0, NVIDIA A100-SXM4-80GB, 200.00 W\n"
    for hour, minute in [(0, m) for m in range(60)] + [(1, 0)]
)
CARBON = (
    "timestamp,run_id,duration,emissions,energy_consumed,gpu_count,gpu_model,pue\n"
    "2026-05-05T04:04:43,a,3600,0.1,0.5,1,1 x NVIDIA A100-SXM4-80GB,1.0\n"
)
PLACE = Costing(
    changes={"site.grid": "50 gCO2e/kWh", "site.pue": 1.2, "price.device_hour": "2 USD"}
)
TEXTS = ("annex-xi", "annex-xi-json", "neurips", "latex", "acl", "model-card", "html", "markdown")


def boards(costing: Costing | None) -> Any:
    return nvidia_smi.read(LOG, "smi.csv", costing=costing)


def plainly(said: str) -> str:
    return " ".join(said.replace("{-}", "-").split())


@pytest.mark.parametrize("shape", TEXTS)
@pytest.mark.parametrize("costing", [None, PLACE, Costing(changes={"price.device_hour": "2 USD"})])
def test_a_text_of_boards_names_them(shape: str, costing: Costing | None) -> None:
    said = plainly(render(boards(costing), shape))
    assert BOARDS in said
    assert "accelerators + hosts + network" not in said
    assert "at the facility (" not in said


@pytest.mark.parametrize("shape", TEXTS)
@pytest.mark.parametrize("costing", [None, PLACE])
def test_a_text_of_codecarbon_names_its_parts(shape: str, costing: Costing | None) -> None:
    made = codecarbon.read(CARBON, "emissions.csv", costing=costing)
    said = plainly(render(made, shape))
    assert "CPU, GPU and memory of the machine as CodeCarbon counts them" in said
    assert ("times its PUE" in said) is (costing is None)
    assert "accelerators + hosts + network" not in said


def test_energy_and_carbon_say_whose_they_are() -> None:
    said = list(show(boards(PLACE)))
    # 0.2 kWh × 1.2 = 0.24 kWh; × 50 g/kWh = 12 g
    assert [line for line in said if line.startswith(("  Energy", "  CO2e, electricity"))] == [
        "  Energy                                   240 Wh  200 Wh measured by nvidia-smi, times a "
        "PUE of 1.20, given; the boards alone, without hosts",
        "  CO2e, electricity                    12.0 gCO2e  modelled: the energy at 50.0 "
        "gCO2e/kWh; electricity of the boards alone, without hosts",
    ]


FRANCE = Costing(changes={"site.region": "FR", "site.pue": 1.2})  # where water is known too
#: minutes 0 to 30, one whose power is not known, and the end at minute 40
GAP = LOG.partition("2026/11/27 10:31:00")[0] + (
    "2026/11/27 10:40:00.000, 0, NVIDIA A100-SXM4-80GB, [N/A]\n"
)
LEAST = "a lower bound: 25 % of the time was not sampled"


@pytest.mark.parametrize(
    ("shape", "times"),
    [
        ("annex-xi", 2),  # the form's line, and the methodology
        ("neurips", 1),  # energy alone
        ("latex", 4),  # the table, energy, CO2e of the electricity, and in all
        ("acl", 2),  # energy, CO2e in all
        ("model-card", 5),  # those, water, CO2e of the electricity there and in the front matter
        ("html", 6),  # energy and CO2e on top; energy, water and both CO2e in the table
        ("markdown", 4),
    ],
)
def test_what_follows_from_a_lower_bound_is_one(shape: str, times: int) -> None:
    """Of 40 minutes 10 were not sampled: 25 %."""
    made = nvidia_smi.read(GAP, "smi.csv", costing=FRANCE)
    said = plainly(render(made, shape)).replace(r"\%", "%")
    assert said.count(LEAST) == times
    assert LEAST not in plainly(render(boards(PLACE), shape)).replace(r"\%", "%")


def test_every_figure_of_a_log_with_gaps_says_so() -> None:
    said = " ".join(" ".join(show(nvidia_smi.read(GAP, "smi.csv", costing=FRANCE))).split())
    for of in ("the boards alone", "electricity of the boards alone"):
        assert f"{LEAST}; {of}, without hosts" in said
    # energy, water, CO2e of the electricity, CO2e in all; not that of the hardware, nor the cost
    assert said.count(LEAST) == 4


def counted(made: Any) -> dict[str, bool | None]:
    return {item["name"]: item["counted"] for item in made["boundary"]["components"]}


def test_a_boundary_counts_what_the_meter_saw() -> None:
    for made in (boards(PLACE), boards(None)):
        found = counted(made)
        assert (found["accelerators"], found["hosts"], found["network"]) == (True, False, False)
    found = counted(codecarbon.read(CARBON, "emissions.csv", costing=PLACE))
    assert (found["accelerators"], found["hosts"], found["network"]) == (True, True, False)


def test_a_project_of_two_tools_names_both() -> None:
    parts = [("a", boards(PLACE)), ("b", codecarbon.read(CARBON, "b.csv", costing=PLACE))]
    said = plainly(render(merge(parts, name="both"), "neurips"))
    assert (
        f"The energy is that of: {BOARDS} (nvidia-smi); CPU, GPU and memory of the machine as "
        "CodeCarbon counts them (CodeCarbon); times the PUE." in said
    )


@pytest.mark.parametrize("costing", [None, PLACE])
def test_verify_holds_and_finds_another_boundary(costing: Costing | None, tmp_path: Path) -> None:
    made = boards(costing)
    file = tmp_path / "report.yaml"
    file.write_text(text(made), "utf-8")
    assert verify(file).discrepancies == ()
    file.write_text(text(made).replace("not the host, nor cooling", "and the host"), "utf-8")
    from costcalc.report.files import document_of

    document = document_of(file)
    document.data["digest"] = digest(document.data)
    assert any(
        line.startswith("details.imported.what: the boards, as their driver reports")
        for line in verified(document).discrepancies
    )


def test_a_meter_of_the_author_is_not_the_facilitys() -> None:
    from costcalc import estimate

    run = {
        "measured": {"wall_clock": "2 h", "energy_it": "1 kWh"},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
        "site": {"pue": 1.2, "grid": "50 gCO2e/kWh"},
    }
    said = render(estimate(run).to_dict(), "annex-xi")
    assert "(what the author's meter saw, which the report does not name) × PUE 1.20" in said
