"""``costcalc estimate``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import show

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate

FORMATS = ("table", "json", "yaml", "markdown", "latex")


def command(
    run: options.RunFile = None,
    model: options.Model = None,
    parameters: options.Parameters = None,
    tokens: options.Tokens = None,
    samples: options.Samples = None,
    steps: options.Steps = None,
    epochs: options.Epochs = None,
    sequence_length: options.SequenceLength = None,
    batch: options.Batch = None,
    runs: options.Runs = None,
    flops: options.Flops = None,
    method: options.Method = None,
    precision: options.Precision = None,
    software: options.Software = None,
    accelerator: options.Accelerator = None,
    count: options.Count = None,
    power: options.Power = None,
    instance: options.Instance = None,
    nodes: options.Nodes = None,
    hours: options.Hours = None,
    energy: options.Energy = None,
    energy_it: options.EnergyIt = None,
    region: options.Region = None,
    pue: options.Pue = None,
    grid: options.Grid = None,
    provider: options.Provider = None,
    plan: options.Plan = None,
    price: options.PricePerHour = None,
    set_: options.Set = None,
    limit: options.Limit = None,
    output_format: Annotated[
        str, typer.Option("--format", "-f", help="table, json, yaml, markdown or latex.")
    ] = "table",
    json_: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the report there.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing report.")] = False,
    identify: Annotated[
        bool, typer.Option("--identify", help="Keep links, paths and hosts of the run file.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Every input.")] = False,
) -> int:
    """What a run will cost: days, dollars, kWh and CO2e, with ranges and sources.

    Give a run file, or all by options, or a file and options that change it.
    """
    from costcalc.calculator.calculate import estimate

    given = {name: value for name, value in locals().items() if name != "estimate"}
    given["set"] = given.pop("set_")
    shape = _format("json" if json_ else output_format)
    made = estimate(str(run) if run else {}, changes=options.changes(given))
    if output is not None:
        made.save(output, force=force, identify=identify)
        print(f"wrote {output}", file=sys.stderr)
        if not identify:
            _say_withheld(made)
    if output is None or shape != "yaml":
        show(made, shape, verbose=verbose, identify=identify)
    return OK if made.within_limits else LIMIT


def _format(name: str) -> str:
    if name not in FORMATS:
        message = f'expected one of {", ".join(FORMATS)}; got "{name}"'
        raise options.wrong("--format", message)
    return name


def _say_withheld(made: Estimate) -> None:
    """What of the author's own statements the report does not hold, so that nobody misses it."""
    from costcalc.base.blind import nameless, subject

    lost = [key for key, value in subject(made.subject or {}).items() if value is None]
    found = [f"subject.{key}" for key in lost] + ["name"] * (nameless(made.name) != made.name)
    if found:
        print(
            f"withheld, since it tells who wrote it: {', '.join(found)}; --identify keeps it",
            file=sys.stderr,
        )
