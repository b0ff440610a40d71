"""``costcalc plan``: from limits to a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from costcalc.base.human import bare, digits, human, number_of, percent, plural, span
from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import print_json, print_rest, screen, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

    from costcalc.decide.planning import Planned, Search, SpotCosts
    from costcalc.decide.preempted import Spot
    from costcalc.decide.scaling import Predicted


ROWS = 12  # of a curve of expected scores; a longer one is thinned


TokensPerParameter = Annotated[
    float | None,
    typer.Option(
        "--tokens-per-parameter", show_default=False, help="Over-train, for cheap inference: 200."
    ),
]
Experts = Annotated[
    bool, typer.Option("--experts", help="The nearest mixture of experts, not a dense model.")
]
Confidence = Annotated[
    float, typer.Option("--confidence", help="The chance that each limit is kept with.")
]
Interruptions = Annotated[
    float | None,
    typer.Option(
        "--interruptions-per-day",
        show_default=False,
        min=0,
        help="Of the whole job, on spot instances; else what public traces say.",
    ),
]
Checkpoint = Annotated[str | None, options.option("--checkpoint-time", "To save; else a minute.")]
Restart = Annotated[
    str | None, options.option("--restart-time", "To start again; else ten minutes.")
]
Interval = Annotated[str | None, options.option("--checkpoint-interval", "Else the best one.")]
Scores = Annotated[
    str | None, options.option("--scores", "Of past trials, more is better: 0.71,0.74,….")
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", show_default=False, help="Write the planned run file."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]


def command(
    run: options.RunFile = None,
    model: options.Model = None,
    tokens: options.Tokens = None,
    accelerator: options.Accelerator = None,
    count: options.Count = None,
    region: options.Region = None,
    provider: options.Provider = None,
    plan: options.Plan = None,
    limit: options.Limit = None,
    set_: options.Set = None,
    tokens_per_parameter: TokensPerParameter = None,
    experts: Experts = False,
    confidence: Confidence = 0.8,
    interruptions: Interruptions = None,
    no_interruptions: options.NoInterruptions = False,
    checkpoint: Checkpoint = None,
    restart: Restart = None,
    interval: Interval = None,
    scores: Scores = None,
    output: Output = None,
    force: Force = False,
    json: options.Json = False,
) -> int:
    """From limits to a run: the model and data that they buy, or a model's best ways within them.

    With --limit cost=500USD --limit time=7d alone, hardware and model are chosen.
    """
    from costcalc.decide.buying import UnmetError
    from costcalc.decide.planning import plan as planned

    given = {
        "model": model, "tokens": tokens, "accelerator": accelerator, "count": count,
        "region": region, "provider": provider, "plan": plan, "limit": limit, "set": set_,
    }  # fmt: skip
    try:
        made = planned(
            str(run) if run else None,
            changes=options.changes(given),
            tokens_per_parameter=tokens_per_parameter,
            experts=experts,
            scores=_scores(scores),
            spot=_spot(interruptions, checkpoint, restart, interval),
            confidence=confidence,
            interruptions=not no_interruptions,
        )
    except UnmetError as error:
        print(error, file=sys.stderr)
        return LIMIT
    if output is not None:
        _save(made, output, force=force)
    if json:
        print_json(made.to_dict())
    else:
        _show(made)
    return OK


def _save(made: Planned, output: Path, *, force: bool) -> None:
    """The run file that was planned, as a file."""
    from costcalc.base.writing import save, to_yaml

    save(to_yaml(dict(made.run), first_line="# planned by costcalc plan"), output, force=force)
    print(f"wrote {output}", file=sys.stderr)


def _scores(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        found = [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        found = []
    if not found:
        raise options.wrong("--scores", f'expected numbers as 0.71,0.74; got "{text[:40]}"')
    return found


def _spot(
    a_day: float | None, checkpoint: str | None, restart: str | None, interval: str | None
) -> Spot | None:
    """What is said of spot instances; None where nothing is."""
    from costcalc.base.units import parse, to_si
    from costcalc.decide.preempted import Spot

    given = {"checkpoint": checkpoint, "restart": restart, "interval": interval}
    said = {name: parse(text, "s") for name, text in given.items() if text is not None}
    if a_day is not None:
        said["rate"] = a_day / to_si(1.0, "d")
    return Spot(**said) if said else None


def _heading(made: Planned) -> str:
    """What trains on how much, on what and where: a line."""
    from costcalc.decide.sweep import section

    hardware = section(made.run, "hardware")
    named = hardware.get("accelerator") or hardware.get("instance")
    tokens = section(made.run, "training").get("tokens")
    shown = f" on {_tokens(tokens)}" if tokens else ""
    model = section(made.run, "model")
    place = section(made.run, "site").get("region")
    return (
        f"{model.get('preset') or model.get('config') or 'the model'}{shown}, "
        f"{hardware.get('count', '')} × {named}{f' in {place}' if place else ''}: "
        f"{made.flop:.3g} FLOP"
    )


def _show(made: Planned) -> None:
    console = screen()
    console.print(_heading(made))
    layout = made.estimate.details.get("layout")
    if layout:
        console.print(f"layout: {_layout(layout)}")
    _show_limits(console, made)
    console.print("What it takes (5 – 95 %)")
    console.print(_headline(made))
    if made.predicted:
        console.print(f"Predicted loss, nats a token: {'; '.join(map(_loss, made.predicted))}")
    if made.laws:
        console.print("What the compute should train")
        console.print(_laws(made))
        for law in made.laws:
            said = [law[key] for key in ("spread", "spread_why") if law.get(key)]
            console.print(f"  {law['law']}: {'; '.join(said)}")
    if made.ways:
        console.print("Ways within the limits")
        console.print(_ways(made))
    if made.spot:
        _show_spot(console, made.spot, made.currency)
    if made.search:
        _show_search(console, made.search)
    print_rest(console, made.notes, made.sources)


def _show_limits(console: Console, made: Planned) -> None:
    """Each limit, what is used of it, and the chance of keeping it."""
    from costcalc.calculator.limits import LIMITED

    console.print(f"Within the limits with a chance of {percent(made.confidence)} each")
    used = table("Limit", "holds", "used", "left", "kept")
    for key, most in made.limits.items():
        unit, left = made.estimate.results[LIMITED[key]].unit, made.left[key]
        word = "closest" if made.ways else "binding"
        binding = f" ({word})" if key == made.binding else ""
        chance = made.chances.get(key)
        used.add_row(
            f"{key}{binding}",
            human(most, unit),
            human(most - left, unit),
            human(left, unit),
            "unknown" if chance is None else percent(chance),
        )
    console.print(used)


HEADLINE = (
    ("wall_clock", "Time"),
    ("device_hours", "Device-hours"),
    ("cost", "Cost"),
    ("energy", "Energy"),
    ("water", "Water"),
    ("carbon_total", "CO2e"),
)


def _headline(made: Planned) -> Table:
    """Every headline figure with its range, whatever the limits are of; why where unknown."""
    shown = table("Figure", "Value", "Range")
    for name, head in HEADLINE:
        one = made.estimate.results[name]
        said = span(one.low, one.high, one.value, one.unit) if one.value is not None else one.why
        shown.add_row(head, human(one.value, one.unit), said)
    return shown


def _loss(one: Predicted) -> str:
    low, high = one["low"], one["high"]
    ends = f" ({low:.3f} – {high:.3f})" if low is not None and high is not None else ""
    return f"{digits(one['value'], 4)}{ends} by {one['law'].replace(' et al. ', ' ')}"


def _tokens(value: object) -> str:
    return f"{human(value, '1')} tokens" if isinstance(value, float) else f"{value} tokens"


def _laws(made: Planned) -> Table:
    shown = table("Law", "Parameters", "Tokens", "Loss")
    for law in made.laws:
        cells = [
            _with_spread(law["parameters"], law["parameters_low"], law["parameters_high"]),
            _with_spread(law["tokens"], law["tokens_low"], law["tokens_high"]),
        ]
        low, high = law["loss_low"], law["loss_high"]
        spread = f" ({low:.3f} – {high:.3f})" if low else ""
        shown.add_row(law["law"].replace(" et al. ", " "), *cells, digits(law["loss"], 4) + spread)
    return shown


def _with_spread(value: float, low: float | None, high: float | None) -> str:
    spread = span(low, high, value, "1")
    return human(value, "1") + (f" ({spread})" if spread else "")


def _layout(layout: Mapping[str, Any]) -> str:
    """The axes that are more than one, and how they were chosen."""
    axes = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in layout.items()
        if isinstance(value, int) and value > 1 and name not in ("walked", "micro_batch")
    ]
    rest = [
        f"micro-batch {layout.get('micro_batch')}",
        *(
            f"{name} {layout[name]}"
            for name in ("sharding", "recompute", "offload")
            if layout.get(name) not in (None, "none")
        ),
    ]
    how = (
        f" (the fastest of {layout['walked']} walked)" if layout.get("chosen_by") == "auto" else ""
    )
    return ", ".join([*(axes or ["one device"]), *rest]) + how


def _ways(made: Planned) -> Table:
    heads = ("", "Hardware", "Where", "Time", made.currency, "kWh", "kgCO2e")
    shown = table(*heads, whole=("", "Hardware", "Where"))
    for name, row in made.ways.items():
        shown.add_row(
            name,
            f"{row['count']} × {row['accelerator']}",
            row["region"],
            human(row["wall_clock"], "h"),
            bare(row["cost"]),
            bare(row["energy"]),
            bare(row["carbon_total"]),
        )
    return shown


def _show_spot(console: Console, spot: SpotCosts, currency: str = "USD") -> None:
    often = (
        f"a checkpoint every {digits(spot['interval_minutes'])} min"
        if spot["interval_minutes"] < 60 * spot["work_hours"] * (1 - 1e-9)
        else "so short that no checkpoint pays"
    )
    console.print(
        f"Spot: {human(spot['expected_hours'], 'h')} billed for {human(spot['work_hours'], 'h')} "
        f"of work ({digits(spot['interruptions'])} interruptions; {often}); "
        f"{human(spot['spot_cost'], currency)} against "
        f"{human(spot['on_demand_cost'], currency)} on demand"
    )
    without = spot["without_checkpoints_hours"]
    console.print(f"  without checkpoints: {human(without, 'h') if without else 'never done'}")


def _show_search(console: Console, search: Search) -> None:
    best, of = search["expected_best"], search["expected_best_of"]
    said = f"; expected best score of {of}: {digits(best, 4)}" if best is not None else ""
    console.print(f"Search: the limits hold {number_of(search['trials'], 'trial')}{said}")
    if search["beyond"] is not None:
        console.print(
            f"  of all {search['trials']:,}: at least about "
            f"{digits(search['beyond'], 4)}; {search['beyond_why']}"
        )
    rows = search["curve"]
    for row in rows if len(rows) <= ROWS else [row for row in rows if _kept(row["trials"], of)]:
        number = f"{row['trials']:>4} {plural('trial', row['trials'])}"
        console.print(f"  {number}: {digits(row['expected_best'], 4)}")


def _kept(trials: int, last: int) -> bool:
    """Of a long curve 1, 2, 4, 8, … and the last."""
    return trials & (trials - 1) == 0 or trials == last
