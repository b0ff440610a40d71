"""A CycloneDX 1.6 ML-BOM: a machine-learning model with its energy and CO2e of training.

Source: CycloneDX 1.6 JSON schema, modelCard.considerations.environmentalConsiderations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costcalc.base import writing
from costcalc.report import view
from costcalc.report.renderings.spdx import FINETUNING, methods


def render(report: Mapping[str, Any]) -> str:
    """The BOM as JSON; deterministic: no serial number, no time stamp."""
    model: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": view.name(report)[:500],
        "modelCard": {
            "considerations": {
                "environmentalConsiderations": {
                    "energyConsumptions": list(_consumptions(report)),
                    "properties": list(_properties(report)),
                }
            }
        },
    }
    tool: dict[str, Any] = {"type": "application", "name": "costcalc"}
    if report.get("costcalc_version"):
        tool["version"] = str(report["costcalc_version"])
    return (
        writing.to_json(
            {
                "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
                "bomFormat": "CycloneDX",
                "specVersion": "1.6",
                "version": 1,
                "metadata": {"tools": {"components": [tool]}},
                "components": [model],
            }
        )
        + "\n"
    )


def _consumptions(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for method, part in methods(report):
        energy = part["results"]["energy"]["value"]
        carbon = part["results"]["carbon_operational"]["value"]
        if energy is None:
            continue  # the format has no way to say unknown; the properties say it
        measure = {"value": energy, "unit": "kWh"}
        made: dict[str, Any] = {
            "activity": "fine-tuning" if method in FINETUNING else "training",
            "energyProviders": [
                {
                    "description": f"grid of {view.place(report)}",
                    "organization": {"name": "unknown"},
                    "energySource": "unknown",
                    "energyProvided": measure,
                }
            ],
            "activityEnergyCost": measure,
        }
        if carbon is not None:
            made["co2CostEquivalent"] = {"value": carbon / 1000, "unit": "tCO2eq"}
        yield made


def _properties(report: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    yield {"name": "costcalc:kind", "value": view.kind(report)}
    yield {"name": "costcalc:report", "value": str(report["digest"])}
    for key, figure in report["results"].items():
        if isinstance(figure, Mapping):
            known = figure["value"] is not None
            shown = (
                f"{figure['value']} {figure['unit']}" if known else f"unknown: {figure.get('why')}"
            )
            yield {"name": f"costcalc:{key}", "value": shown}
