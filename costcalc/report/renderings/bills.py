"""A report for machines: CycloneDX ML-BOM, SPDX AI package, rows of CSV.

Sources: CycloneDX 1.6 JSON schema, modelCard.considerations.environmentalConsiderations; SPDX
3.0.1, AI profile, class EnergyConsumption,
https://spdx.github.io/spdx-spec/v3.0.1/model/AI/Classes/EnergyConsumption/.
"""

from __future__ import annotations

import csv as tables
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from costcalc.base import writing
from costcalc.report.files import BROKEN
from costcalc.report.records import figures
from costcalc.report.view import View, plain

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report, Stage

_CREATED = "1970-01-01T00:00:00Z"  # required by SPDX; a report has no time of its own


def cyclonedx(view: View) -> str:
    """The BOM as JSON; deterministic: no serial number, no time stamp."""
    environment = {
        "energyConsumptions": list(_consumptions(view)),
        "properties": list(_properties(view)),
    }
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": view.name[:500],
        "modelCard": {"considerations": {"environmentalConsiderations": environment}},
    }
    version = {"version": view.version} if view.version else {}
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "costcalc", **version}]}
        },
        "components": [model],
    }
    return writing.to_json(made) + "\n"


def _consumptions(view: View) -> Iterator[dict[str, object]]:
    for finetuning, part in view.trained:
        energy, carbon = (part["results"][k]["value"] for k in ("energy", "carbon_operational"))
        if energy is None:
            continue  # the format has no way to say unknown; the properties say it
        measure = {"value": energy, "unit": "kWh"}
        provider = {
            "description": f"grid of {view.place}",
            "organization": {"name": "unknown"},
            "energySource": "unknown",
            "energyProvided": measure,
        }
        made: dict[str, object] = {
            "activity": "fine-tuning" if finetuning else "training",
            "energyProviders": [provider],
            "activityEnergyCost": measure,
        }
        if carbon is not None:
            made["co2CostEquivalent"] = {"value": carbon / 1000, "unit": "tCO2eq"}
        yield made


def _properties(view: View) -> Iterator[dict[str, str]]:
    yield {"name": "costcalc:kind", "value": view.how}
    yield {"name": "costcalc:source", "value": view.source}
    yield {"name": "costcalc:report", "value": view.digest}
    for key, figure in figures(view.report).items():
        known = f"{figure['value']} {figure['unit']} ({figure['basis']})"
        text = f"unknown: {figure.get('why')}" if figure["value"] is None else known
        yield {"name": f"costcalc:{key}", "value": text}


def spdx(view: View) -> str:
    """The document as JSON-LD; deterministic, its identifiers made from the report's digest."""
    root = "urn:costcalc:" + view.report["digest"].partition(":")[2]

    def element(kind: str, name: str, said: str) -> dict[str, object]:
        made: dict[str, object] = {"type": kind, "spdxId": f"{root}#{name}"}
        return made | {"creationInfo": "_:creation", "name": said}

    agent = {
        "type": "SoftwareAgent",
        "spdxId": f"{root}#costcalc",
        "name": "costcalc",
        "creationInfo": "_:creation",
    }
    by = view.said("energy").by
    said = f"{view.how}; energy: {by}" if by else view.how
    comment = f"{said}; {view.source}; report {view.digest}"
    package = element("ai_AIPackage", "model", view.name) | {"comment": comment}
    parts = [(tuned, part["results"]["energy"]["value"]) for tuned, part in view.trained]
    consumed: dict[str, list[dict[str, str]]] = {}
    for finetuning, energy in parts:
        if energy is not None:
            key = f"ai_{'finetuning' if finetuning else 'training'}EnergyConsumption"
            used = {"type": "ai_EnergyConsumptionDescription"}
            used |= {"ai_energyQuantity": plain(energy, 6), "ai_energyUnit": "kilowattHour"}
            consumed.setdefault(key, []).append(used)
    if consumed:
        package["ai_energyConsumption"] = {"type": "ai_EnergyConsumption", **consumed}
    document = element("SpdxDocument", "document", view.name) | {
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
    made = {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [creation, agent, package, document],
    }
    return writing.to_json(made) + "\n"


def csv(view: View) -> str:
    """Rows of scope, figure, value, low, high, unit, basis, why; unknown is empty, never 0."""
    file = io.StringIO()
    writer = tables.writer(file, lineterminator="\n")
    writer.writerow(("scope", "figure", "value", "low", "high", "unit", "basis", "why"))
    if view.broken:
        writer.writerow(("report", "digest", *[""] * 5, BROKEN))
    parts: list[Report | Stage] = [view.report, *view.measured_parts]
    for part in parts:
        scope = "total" if part is view.report else str(part.get("name") or "stage")
        for name, figure in figures(part).items():
            numbers = [figure.get(key) for key in ("value", "low", "high")]
            words = [safe(str(figure.get(key) or "")) for key in ("unit", "basis", "why")]
            writer.writerow([safe(scope), safe(name), *numbers, *words])
    return file.getvalue()


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> safe("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
