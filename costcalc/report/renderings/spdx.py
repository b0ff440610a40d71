"""An SPDX 3.0.1 document with an AI package: energy of training and fine-tuning, in kWh.

Source: SPDX 3.0.1, AI profile, class EnergyConsumption,
https://spdx.github.io/spdx-spec/v3.0.1/model/AI/Classes/EnergyConsumption/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costcalc.base import writing
from costcalc.report import view

FINETUNING = ("finetune", "lora", "frozen", "dpo", "ppo", "grpo")
_CREATED = "1970-01-01T00:00:00Z"  # required by the format; a report has no time of its own


def methods(report: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each part of a report that has figures, with its training method."""
    parts = [p for p in report["stages"] if isinstance(p.get("results"), Mapping)] or [report]
    run = report.get("run") or {}
    named = {
        stage.get("name"): stage for stage in run.get("stages") or () if isinstance(stage, Mapping)
    }
    for part in parts:
        own = named.get(part.get("name"), {}) if part is not report else {}
        merged = part.get("run") if part is not report else {}
        sources = [source for source in (own, merged, run) if isinstance(source, Mapping)]
        found = [(source.get("training") or {}).get("method") for source in sources]
        yield str(next((method for method in found if method), "pretrain")), part


def render(report: Mapping[str, Any]) -> str:
    """The document as JSON-LD; deterministic, its identifiers made from the report's digest."""
    root = "urn:costcalc:" + str(report["digest"]).partition(":")[2]
    agent = {
        "type": "SoftwareAgent",
        "spdxId": f"{root}#costcalc",
        "name": "costcalc",
        "creationInfo": "_:creation",
    }
    package: dict[str, Any] = {
        "type": "ai_AIPackage",
        "spdxId": f"{root}#model",
        "creationInfo": "_:creation",
        "name": view.name(report),
        "comment": f"{view.kind(report)} by {view.software(report)}; report {report['digest']}",
    }
    consumed = _energy(report)
    if consumed:
        package["ai_energyConsumption"] = {"type": "ai_EnergyConsumption", **consumed}
    document = {
        "type": "SpdxDocument",
        "spdxId": f"{root}#document",
        "creationInfo": "_:creation",
        "name": view.name(report),
        "rootElement": [f"{root}#model"],
        "element": [f"{root}#model", f"{root}#costcalc"],
        "profileConformance": ["core", "ai", "software"],
    }
    creation = {
        "type": "CreationInfo",
        "@id": "_:creation",
        "specVersion": "3.0.1",
        "created": _CREATED,
        "createdBy": [f"{root}#costcalc"],
    }
    return (
        writing.to_json(
            {
                "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
                "@graph": [creation, agent, package, document],
            }
        )
        + "\n"
    )


def _energy(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = {}
    for method, part in methods(report):
        energy = part["results"]["energy"]["value"]
        if energy is None:
            continue
        key = "finetuning" if method in FINETUNING else "training"
        made.setdefault(f"ai_{key}EnergyConsumption", []).append(
            {
                "type": "ai_EnergyConsumptionDescription",
                "ai_energyQuantity": view.plain(energy, 6),
                "ai_energyUnit": "kilowattHour",
            }
        )
    return made
