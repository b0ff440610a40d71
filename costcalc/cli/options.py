"""The options that describe a run, shared by the commands that take one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.base.reading import scalar

RunFile = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN.yaml]", help="A run file; - reads stdin.", show_default=False),
]


def option(name: str, help_text: str, *, short: str | None = None) -> Any:
    """A text option without a default."""
    names = [short, name] if short else [name]
    return typer.Option(*names, help=help_text, show_default=False)


Model = Annotated[str | None, option("--model", "A preset, a config.json or its folder.")]
Tokens = Annotated[str | None, option("--tokens", "Tokens to train on: 15T.")]
Samples = Annotated[str | None, option("--samples", "Samples to train on.")]
Flops = Annotated[str | None, option("--flops", "The whole training budget: 3.1e23 FLOP.")]
Method = Annotated[str | None, option("--method", "pretrain, finetune, lora, dpo, grpo, …")]
Precision = Annotated[str | None, option("--precision", "fp32, tf32, fp16, bf16, fp8, fp4.")]
Accelerator = Annotated[str | None, option("--accelerator", "See costcalc hardware list.")]
Count = Annotated[str | None, option("--count", "How many, in the profile's unit.")]
Instance = Annotated[str | None, option("--instance", "A cloud instance or a host.")]
Nodes = Annotated[str | None, option("--nodes", "How many instances or hosts.")]
Hours = Annotated[str | None, option("--hours", "Wall-clock hours of a run that is over.")]
Region = Annotated[
    str | None, option("--region", "aws:us-east-1, FR, US-CA; see costcalc regions.")
]
Provider = Annotated[str | None, option("--provider", "Whose prices; any: the median over all.")]
Plan = Annotated[str | None, option("--plan", "on-demand, spot, reserved-1y, reserved-3y, owned.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any key: training.tokens=2T.", show_default=False)
]
Limit = Annotated[
    list[str] | None, typer.Option("--limit", help="A limit: cost=500USD.", show_default=False)
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def wrong(key: str, message: str) -> InputError:
    """What is raised of an option that cannot be read."""
    return InputError(Problem(key=key, message=message))


_KEYS = {
    "tokens": "training.tokens",
    "samples": "training.samples",
    "flops": "model.flops",
    "method": "training.method",
    "precision": "training.precision",
    "accelerator": "hardware.accelerator",
    "count": "hardware.count",
    "instance": "hardware.instance",
    "nodes": "hardware.nodes",
    "region": "site.region",
    "provider": "price.provider",
    "plan": "price.plan",
}


def changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as dotted keys of the run file.

    Raises:
        InputError: ``--set`` or ``--limit`` without ``=``, or of no known limit.
    """
    made: dict[str, Any] = {
        key: scalar(given[name]) for name, key in _KEYS.items() if given.get(name) is not None
    }
    model = given.get("model")
    if model is not None:
        path = Path(model)
        is_file = path.suffix == ".json" or path.exists()
        made["model.config" if is_file else "model.preset"] = (
            str(path.absolute()) if is_file else model
        )
    if given.get("hours") is not None:
        made["measured.wall_clock"] = f"{given['hours']} h"
    for text in given.get("set") or ():
        key, value = pair(text, "--set")
        made[key] = _value(value)
    for text in given.get("limit") or ():
        key, value = pair(text, "--limit")
        made[f"limits.{key}"] = value
    return made


def _value(text: str) -> Any:
    if text.startswith(("{", "[")):
        from costcalc.base.reading import read

        return read(text, "--set").data
    return scalar(text)


def pair(text: str, option_name: str) -> tuple[str, str]:
    """``key=value`` as two words.

    Raises:
        InputError: no key, or no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise wrong(option_name, f'expected key=value; got "{text}"')
    return key.strip(), value.strip()
