"""The EU's documentation of a general-purpose AI model, as a text and as JSON.

Sources: Regulation (EU) 2024/1689, Annex XI 1(2)(d), (e), https://artificialintelligenceact.eu/annex/11,
and Art. 51(2): more than 10^25 FLOP is presumed systemic risk.  Code of Practice, Transparency
chapter, Model Documentation Form, 2025-07-10.  Commission guidelines C(2025) 7719 of 2025-11-19
(first 2025-07-18): more than 10^23 FLOP indicates a general-purpose model; whoever modifies a model
with more than a third of its training compute becomes the provider of the modified one, a third of
10^23 or 10^25 FLOP where the original's is not known.  The compute is cumulative, of the one model:
its stages count together, other seeds and failed tries do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.errors import CostcalcError
from costcalc.report.coverage import alone, mixed
from costcalc.report.meters import components
from costcalc.report.records import figures
from costcalc.report.renderings.filling import fill
from costcalc.report.said import metered, unsampled
from costcalc.report.view import View, plain

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report, Stage

GENERAL_PURPOSE, SYSTEMIC = 1e23, 1e25
_MONTH = 30.44  # days
_BANDS = ("less than 1 month", "1 to 3 months", "3 to 6 months", "more than 6 months")
_ENERGY = ("energy", "energy_it")
_MERGED = "a project merged of several reports: each model has a form of its own"
_FORM = "Code of Practice for General-Purpose AI, Transparency chapter, Model Documentation Form"
# What of the form costcalc cannot know, by the form's parts.
_OF_THE_PROVIDER = {
    "general_information": (
        *("legal_name_of_the_provider", "model_authenticity", "release_date"),
        "union_market_release_date",
    ),
    "model_properties": ("design_specifications", "input_modalities", "output_modalities"),
    "distribution_and_licences": ("distribution_channels", "licence"),
    "use": ("acceptable_use_policy", "intended_uses", "type_of_systems", "technical_means"),
    "training_process": ("design_specifications", "decision_rationale"),
    "data_for_training_testing_validation": ("type", "provenance", "curation", "size"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The training compute (FLOP) of the model that was modified, and where it is from."""

    compute: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What of a report is of the one model; None is unknown, ``why`` of its compute.

    ``days`` of wall clock, ``device_days``, ``mwh``; ``runs`` are those that the report's totals
    are of, one of which is the model's.
    """

    compute: float | None
    why: str
    days: float | None
    device_days: float | None
    mwh: float | None
    runs: float
    modified: bool
    base: Base | None

    @property
    def magnitude(self) -> int | None:
        """The order of magnitude of the compute."""
        return floor(log10(self.compute)) if self.compute and self.compute > 0 else None

    @property
    def band(self) -> str:
        """The range of months that the form asks for."""
        months = (self.days or 0.0) / _MONTH
        return _BANDS[sum(months >= start for start in (1, 3, 6))]

    @property
    def third(self) -> float:
        """From how much on a modification makes a provider: FLOP."""
        return (self.base.compute if self.base else GENERAL_PURPOSE) / 3


def own(view: View) -> Own:
    """What of a report is of the one model that it is about."""
    merged = "parts" in view.details
    one = view.by_run.get("time") == "of one run"
    runs = float(cast("float", view.by_run["runs"])) if one else 1.0
    compute = view.figures["training_compute"]
    if compute.value is None and not view.by_run:  # said of all runs only, which are one
        compute = view.figures["total_compute"]
    modified = view.activity == "fine-tuning"
    hours, held, energy = (
        view.figures[key].value for key in ("wall_clock", "device_hours", "energy")
    )
    return Own(
        compute=None if merged else compute.value,
        why=_MERGED if merged and _counted(view) else compute.why or "not known",
        days=None if hours is None else hours / 24,
        device_days=None if held is None else held / 24 / runs,
        mwh=None if energy is None else energy / 1e3 / runs,
        runs=runs,
        modified=modified,
        base=_base(view) if modified and not merged else None,
    )


def _counted(view: View) -> bool:
    """Whether the compute of any part is known: of runs without a model there is none to divide."""
    return any(
        figures(stage)["training_compute"]["value"] is not None for stage in view.measured_parts
    )


def _base(view: View) -> Base | None:
    """The compute of a preset's pretraining: as published, else 6 FLOP a parameter and token.

    6 N D after Kaplan et al. 2020, arXiv:2001.08361, section 2.1.
    """
    from costcalc.catalog.preset import find

    model = view.report["run"].get("model")
    name = model.get("preset") if isinstance(model, Mapping) else None
    parameters = view.figures["active_parameters"].value
    try:
        preset = find(str(name))
    except CostcalcError:
        return None
    told = preset.published
    if told.training_compute is not None:
        source = preset.sources[told.training_compute.source]
        return Base(compute=told.training_compute.si, source=f"{source.title}, {source.url}")
    if told.training_tokens is None or not parameters:
        return None
    tokens, source = told.training_tokens.si, preset.sources[told.training_tokens.source]
    counted = f"6 FLOP × {parameters:.2g} parameters × {tokens:.2g} tokens"
    return Base(compute=6 * parameters * tokens, source=f"{counted} ({source.title}, {source.url})")


def annex_xi(view: View) -> str:
    """Compute in FLOP, energy in MWh with two digits, days; N/A where a figure is not known."""
    mine = own(view)
    return fill(
        "annex-xi.txt.j2",
        view,
        filters={"two": lambda number: plain(number, 2), "power": lambda n: f"{n:.1e}"},
        own=mine,
        general_purpose=_above(mine, GENERAL_PURPOSE),
        systemic=_above(mine, SYSTEMIC),
        parameters=_parameters(view),
        all_runs=_all_runs(view),
        methodology=_methodology(view),
        energy=_word(view),
    )


def _all_runs(view: View) -> str:
    """Of what several runs together are, that nobody says are one model's; empty of one run."""
    number = sum(run.get("number") or 1.0 for run in view.report.get("runs") or ())
    several = view.by_run.get("time") == "of all runs"
    return f" for all {number:,.10g} runs that the report counts" if several else ""


def _word(view: View) -> str:
    """Whether the form's energy is measured or estimated, as it asks."""
    energy, before = view.figures["energy"], view.figures["energy_it"]
    if "measured" in (energy.basis, before.basis):
        most = "" if metered(view) is None else "mostly "
        part = "in part " * mixed(view.parts)
        of = f", {part}{alone(view.parts)}" if alone(view.parts) else ""
        word = "measured" if energy.basis == "measured" else f"{most}measured before PUE"
        return "; ".join(filter(None, (f"{word}{of}", unsampled(view, "energy"))))
    word = "partly measured" if _partly(view) else "estimated"
    return "; ".join(filter(None, (word, unsampled(view, "energy"))))


def _partly(view: View) -> bool:
    """Whether a meter saw a part of the energy: time may have been measured without any."""
    merged = view.details.get("parts")
    wholes = [view.report, *(cast("list[Report]", merged) if isinstance(merged, list) else ())]
    seen = [one for whole in wholes for one in components(whole) if one.get("counted", True)]
    bases = [one.get("basis") for one in seen]
    scopes: list[Report | Stage] = [view.report, *view.measured_parts]
    for part in scopes:
        bases += [one["basis"] for key, one in figures(part).items() if key in _ENERGY]
    return "measured" in bases


def _above(mine: Own, mark: float) -> bool | None:
    return None if mine.compute is None else mine.compute > mark


def _parameters(view: View) -> str | None:
    figure = view.figures["parameters"]
    if figure.value is None:
        return None
    return f"{figure.value:.0f}" if figure.low == figure.high else plain(figure.value, 2)


def _methodology(view: View) -> str:
    """How time, compute and energy came about, in about the hundred words that the form allows."""
    energy = view.said("energy")
    made = [f"{view.how[0].upper()}{view.how[1:]}"]
    if energy.value is not None and energy.by != "modelled":
        made.append(f"energy: {energy.by}")
    if not view.recorded:
        pue = view.shared("site.pue")
        what = "that of the facility over the allocated time, (accelerators + hosts + network)"
        if view.boundary:
            whose = "that of" if mixed(view.parts) else "over the time that was metered,"
            what = f"{whose} ({view.boundary})"
        made.append(
            f"energy is {what}{f' × PUE {pue.text}' if pue else ''}; storage, offices and "
            "inference are not counted"
        )
    if _counted(view) or view.figures["total_compute"].value is not None:
        made.append(
            "compute counts matrix multiplications, 2 FLOP a multiply-add, without recomputation"
        )
    return f"{'; '.join(made)}. {view.source}, report {view.digest}."


def annex_xi_json(view: View) -> str:
    """The form's fields that follow from a report; what only the provider knows is null."""
    mine = own(view)
    model = view.report["run"].get("model")
    preset = model.get("preset") if isinstance(model, Mapping) else None
    made: dict[str, dict[str, object]] = {
        part: dict.fromkeys(keys) for part, keys in _OF_THE_PROVIDER.items()
    }
    made["general_information"] |= {
        "model_name": view.name,
        "model_dependencies": (preset or None) if mine.modified else "N/A",
    }
    made["model_properties"] |= {
        "model_architecture": None,
        "total_model_size": view.figures["parameters"].value,
        "total_model_size_unit": "parameters",
    }
    made["computational_resources_during_training"] = {
        "training_time": _known(mine.band if mine.days is not None else None),
        "wall_clock_days": _two(mine.days),
        "hardware_days": _two(mine.device_days),
        "hardware": view.hardware,
        "amount_of_computation_flop": _two(mine.compute),
        "order_of_magnitude": _known(mine.magnitude),
        "basis": view.figures["training_compute"].basis if mine.compute is not None else None,
        "why": mine.why if mine.compute is None else None,
        "measurement_methodology": _methodology(view),
    }
    made["energy_consumption"] = {
        "training_mwh": _two(mine.mwh),
        "before_pue_kwh": _before(view),
        "basis": view.said(view.energy).by or None,
        "why": view.figures["energy"].why or None,
        "measurement_methodology": _methodology(view),
        "inference_benchmark_flop": None,
    }
    made["thresholds"] = {
        **(_modification(mine) if mine.modified else _marks(mine)),
        "source": "Regulation (EU) 2024/1689, Art. 51(2); Commission guidelines C(2025) 7719",
    }
    whole = {"form": _FORM, "report": view.digest, "of_runs": mine.runs, **made}
    return writing.to_json(whole) + "\n"


def _before(view: View) -> float | None:
    """The energy of the machines, where it is known."""
    return view.figures["energy_it"].value


def _marks(mine: Own) -> dict[str, object]:
    return {
        "above_1e23_flop": _above(mine, GENERAL_PURPOSE),
        "above_1e25_flop": _above(mine, SYSTEMIC),
    }


def _modification(mine: Own) -> dict[str, object]:
    return {
        "modification_flop": _two(mine.compute),
        "third_of_the_original_flop": _two(mine.third),
        "original": mine.base.source if mine.base else "not known: a third of 1e23 FLOP",
        "original_flop": _two(mine.base.compute if mine.base else None),
        "above_a_third": _above(mine, mine.third),
    }


def _known(value: object) -> object:
    return "N/A" if value is None else value


def _two(value: float | None) -> object:
    """With two significant digits, as the form asks for at least."""
    return "N/A" if value is None else float(f"{value:.1e}")
