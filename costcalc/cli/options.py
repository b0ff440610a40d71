"""The options that describe a run, shared by the commands that take one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.base.numerals import NUMBER
from costcalc.base.reading import scalar
from costcalc.catalog.parts import slice_of
from costcalc.runfile.flags import FLAGS

RunFile = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN.yaml]", help="A run file; - reads stdin.", show_default=False),
]


def option(
    name: str,
    help_text: str,
    *,
    short: str | None = None,
    values: Callable[[str], list[str]] | None = None,
) -> Any:
    """A text option without a default; ``values`` completes what is typed of one."""
    names = [short, name] if short else [name]
    return typer.Option(*names, help=help_text, show_default=False, autocompletion=values)


def beginning(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """For the shell: the names that go on as what is typed begins."""

    def complete(incomplete: str) -> list[str]:
        return sorted(name for name in known() if name.startswith(incomplete.lower()))

    return complete


def ids(*kinds: str) -> Callable[[], Iterable[str]]:
    """The ids of what ships, by kind of file."""

    def known() -> Iterable[str]:
        from costcalc.catalog.index import index

        return [head.id for kind in kinds for head in index().heads(kind)]

    return known


def _regions(incomplete: str) -> list[str]:
    from costcalc.catalog.region_names import codes

    return [code for code in codes() if code.lower().startswith(incomplete.lower())]


def _providers() -> Iterable[str]:
    from costcalc.catalog.provider import names

    return [*names(), "any"]


def _words(name: str) -> Callable[[], Iterable[str]]:
    def known() -> Iterable[str]:
        from costcalc.runfile import section, workload

        return {**vars(section), **vars(workload)}[name]  # type: ignore[no-any-return]

    return known


Model = Annotated[
    str | None,
    option("--model", "A preset, a config.json or its folder.", values=beginning(ids("presets"))),
]
Parameters = Annotated[str | None, option("--parameters", "Of a model that has no preset: 7B.")]
Tokens = Annotated[str | None, option("--tokens", "Tokens to train on: 15T.")]
Samples = Annotated[str | None, option("--samples", "Samples to train on.")]
Steps = Annotated[str | None, option("--steps", "Optimizer steps.")]
Epochs = Annotated[str | None, option("--epochs", "Passes over training.dataset_tokens.")]
SequenceLength = Annotated[str | None, option("--sequence-length", "Tokens of a sequence.")]
Batch = Annotated[str | None, option("--batch", "A step's sequences in all; or 4M tokens.")]
Runs = Annotated[str | None, option("--runs", "Runs of this size in all.")]
Flops = Annotated[str | None, option("--flops", "The whole training budget: 3.1e23 FLOP.")]
Method = Annotated[
    str | None,
    option(
        "--method", "pretrain, finetune, lora, dpo, grpo, …", values=beginning(_words("METHODS"))
    ),
]
Precision = Annotated[
    str | None,
    option(
        "--precision", "fp32, tf32, fp16, bf16, fp8, fp4.", values=beginning(_words("PRECISIONS"))
    ),
]
Software = Annotated[
    str | None,
    option(
        "--software", "What runs the step: costcalc software.", values=beginning(ids("software"))
    ),
]
Accelerator = Annotated[
    str | None,
    option(
        "--accelerator",
        "See costcalc hardware list.",
        values=beginning(ids("accelerators", "cpus")),
    ),
]
Count = Annotated[str | None, option("--count", "How many, in the profile's unit; 1 if not said.")]
Power = Annotated[str | None, option("--power", "What a device's board draws: 300 W.")]
Instance = Annotated[
    str | None, option("--instance", "A cloud instance or a host.", values=beginning(ids("hosts")))
]
Nodes = Annotated[str | None, option("--nodes", "How many instances or hosts.")]
Hours = Annotated[str | None, option("--hours", "Time of a run that is over: 36, 1.5d, 36:00:00.")]
Energy = Annotated[str | None, option("--energy", "Energy of a run that is over, behind PUE.")]
EnergyIt = Annotated[str | None, option("--energy-it", "The same at the plug, before PUE.")]
Pue = Annotated[str | None, option("--pue", "Energy of the facility over its computers'.")]
Grid = Annotated[str | None, option("--grid", "Emissions of electricity: 390 gCO2e/kWh.")]
PricePerHour = Annotated[str | None, option("--price", "A device-hour: 2.49 USD, $2.49.")]
Region = Annotated[
    str | None,
    option("--region", "aws:us-east-1, FR, US-CA; see costcalc regions.", values=_regions),
]
Provider = Annotated[
    str | None,
    option("--provider", "Whose prices; any: the median over all.", values=beginning(_providers)),
]
Plan = Annotated[str | None, option("--plan", "on-demand, spot, reserved-1y, reserved-3y, owned.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any key: training.tokens=2T.", show_default=False)
]
Limit = Annotated[
    list[str] | None, typer.Option("--limit", help="A limit: cost=500USD.", show_default=False)
]

NoInterruptions = Annotated[
    bool, typer.Option("--no-interruptions", help="Leave those of spot instances out.")
]
Search = Annotated[
    str | None, typer.Option("--search", help="Words in any column.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def holds(search: str | None, *columns: object) -> bool:
    """Whether every word that is searched for stands in one of the columns, in any case.

    >>> holds("ada nvidia", "rtx-6000-ada", "NVIDIA RTX 6000 Ada"), holds("amd", "l40s")
    (True, False)
    """
    said = " ".join(str(column) for column in columns).lower()
    return all(word in said for word in (search or "").lower().split())


def entry(name: str | None, shown: str | None) -> str | None:
    """The entry that is asked for by ``NAME`` or ``show NAME``; None: all of them are listed.

    >>> entry("show", "resnet-50"), entry("resnet-50", None), entry("list", None)
    ('resnet-50', 'resnet-50', None)
    """
    return shown if name == "show" else None if name == "list" else name


def wrong(key: str, message: str) -> InputError:
    """What is raised of an option that cannot be read."""
    return InputError(Problem(key=key, message=message))


def changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as dotted keys of the run file.

    Raises:
        InputError: ``--set`` or ``--limit`` without ``=``, or of no known limit.
    """
    made: dict[str, Any] = {
        key: scalar(given[name]) for name, key in FLAGS.items() if given.get(name) is not None
    }
    model = given.get("model")
    if model is not None:
        path = Path(model)
        is_file = path.suffix == ".json" or path.exists()
        made["model.config" if is_file else "model.preset"] = (
            str(path.absolute()) if is_file else model
        )
    if given.get("hours") is not None:
        made["measured.wall_clock"] = _duration(str(given["hours"]))
    if _alone(given):
        made["hardware.count"] = 1
    for text in given.get("set") or ():
        key, value = pair(text, "--set")
        made[key] = _value(value)
    for text in given.get("limit") or ():
        key, value = pair(text, "--limit")
        made[f"limits.{key}"] = value
    return made


def _duration(text: str) -> str:
    """Hours, where no unit is said: of a bare number."""
    match = NUMBER.fullmatch(text)
    return text if match is None or match["unit"] else f"{text} h"


def _alone(given: Mapping[str, Any]) -> bool:
    """Whether a run is told by options alone, and of its accelerator no number."""
    named = given.get("accelerator")
    said = given.get("run") or given.get("count") or given.get("nodes") or slice_of(str(named))
    keys = [text.partition("=")[0].strip() for text in given.get("set") or ()]
    return named is not None and not said and not {"hardware.count", "hardware.share"} & {*keys}


def _value(text: str) -> Any:
    if text.startswith(("{", "[", '"')):
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
