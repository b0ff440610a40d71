"""The pages: what was asked, from an address or a form, to HTML; all work without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from markupsafe import Markup

from costcalc.base.document import Document
from costcalc.base.errors import CostcalcError, InputError, Problem, wrong
from costcalc.base.filling import page as fill
from costcalc.catalog import host, parts
from costcalc.catalog.index import index
from costcalc.report.renderings import render
from costcalc.web import address, answer, api, bounds, forms, openapi, options, shown, tables
from costcalc.web.address import Run
from costcalc.web.answer import Answer
from costcalc.web.copies import Copy
from costcalc.web.gate import admitted

FOLDER = Path(__file__).parent / "templates"
SEE_OTHER = 303
TITLES = {
    "calculate": "What a training run costs",
    "compare": "Where it is cheaper, faster or cleaner",
    "plan": "What a budget buys",
    "finished": "What a finished job cost",
    "check": "Check a report",
    "api": "The API",
}
PATHS = {"calculate": "/", **{name: f"/{name}" for name in TITLES if name != "calculate"}}
ASKED = ("calculate", "compare", "plan", "finished")
EXAMPLES: Mapping[str, str] = {
    "calculate": "model.preset=llama-3-8b&training.tokens=1T&hardware.accelerator=h100-sxm5-80"
    "&hardware.count=64&site.region=aws:us-east-1",
    "compare": "model.preset=llama-3-8b&training.tokens=1T"
    "&sweep.accelerators=h100-sxm5-80,a100-sxm4-80,h200-sxm-141&sweep.counts=64..512"
    "&sweep.regions=aws:us-east-1,aws:eu-north-1,gcp:europe-west9&sweep.plans=on-demand",
    "plan": "limits.cost=500+USD&limits.time=7+d",
    "finished": "measured.wall_clock=36+h&measured.energy_it=41+kWh"
    "&hardware.accelerator=a100-sxm4-80&hardware.count=4&site.region=FR&price.provider=any",
}
_PAPER = {
    "neurips": "NeurIPS checklist",
    "acl": "ACL Responsible NLP, C1",
    "latex": "LaTeX",
    "model-card": "Model card",
    "markdown": "Markdown",
}


class Result(NamedTuple):
    """What a page shows of its question."""

    kind: str  # the template that shows it
    shown: object
    texts: Sequence[Copy] = ()
    met: bool = True


Solve = Callable[[Run, Mapping[str, str]], Result]


def _calculate(run: Run, given: Mapping[str, str]) -> Result:
    options.read(options.EstimateOptions, given)
    document = Document(run, "run")
    made = api.estimate_of(document, admitted(document))
    return Result("estimate", shown.answer(made, run), met=made.within_limits)


def _finished(run: Run, given: Mapping[str, str]) -> Result:
    options.read(options.EstimateOptions, given)
    if not {"measured", "model", "stages"} & run.keys():
        raise wrong("measured.wall_clock", "missing: how long it took, or its device-hours")
    document = Document(run, "run")
    made = api.estimate_of(document, admitted(document))
    report = made.to_dict()
    texts = [Copy(name, title, render(report, name)) for name, title in _PAPER.items()]
    return Result("estimate", shown.answer(made, run), texts, met=made.within_limits)


def _compare(run: Run, given: Mapping[str, str]) -> Result:
    asked = options.read(options.CompareOptions, given)
    made = api.comparison(admitted(Document(run, "run")), asked)
    return Result("comparison", tables.compared(made, run), met=made.met)


def _plan(run: Run, given: Mapping[str, str]) -> Result:
    asked = options.read(options.PlanOptions, given)
    made = api.plan_of(admitted(Document(run, "run")), asked)
    return Result("plan", (tables.plan(made), shown.cards(made.estimate)))


_SOLVE: Mapping[str, Solve] = {
    "calculate": _calculate,
    "compare": _compare,
    "plan": _plan,
    "finished": _finished,
}
_OPTIONS: Mapping[str, Sequence[str]] = {
    "compare": ("minimize",),
    "plan": ("confidence", "tokens_per_parameter", "experts"),
}


def got(name: str) -> Callable[[bytes, Mapping[str, str]], Answer]:
    """What shows a page by its address."""

    def made(body: bytes, given: Mapping[str, str]) -> Answer:
        text = body.decode("utf-8", "replace")
        try:
            run, asked = address.read_query(text)
        except InputError as error:
            return _page(name, {}, {}, given, problems=error.problems)
        if not run and name == "calculate":
            run, asked = address.read_query(EXAMPLES[name])
        return _solved(name, run, asked, given)

    return made


def sent(name: str) -> Callable[[bytes, Mapping[str, str]], Answer]:
    """What takes a page's form: on to the address that holds it, if one can."""

    def made(body: bytes, given: Mapping[str, str]) -> Answer:
        pairs: list[tuple[str, str]] = []
        try:
            pairs = address.pairs_of(body.decode("utf-8", "replace"))
            run, asked = forms.run_of(pairs)
        except InputError as error:
            return _page(name, {}, {}, given, problems=error.problems, typed=dict(pairs))
        query = address.query(run, asked)
        if query is None or not run:  # an address without a run shows an example
            return _solved(name, run, asked, given)
        place = PATHS[name] + (f"?{query}" if query else "")
        return Answer(body=b"", status=SEE_OTHER, headers={"Location": place})

    return made


def _solved(name: str, run: Run, asked: Mapping[str, str], given: Mapping[str, str]) -> Answer:
    if not run:
        return _page(name, run, asked, given)
    own = {key: text for key, text in asked.items() if key in _OPTIONS.get(name, ())}
    try:
        result = _SOLVE[name](run, own)
    except CostcalcError as error:
        told = error.problems if isinstance(error, InputError) else (answer.of_text(str(error)),)
        return _page(name, run, asked, given, problems=told)
    return _page(name, run, asked, given, result=result)


def _page(
    name: str,
    run: Run,
    asked: Mapping[str, str],
    given: Mapping[str, str],
    *,
    problems: Sequence[Problem] = (),
    result: Result | None = None,
    typed: Mapping[str, str] | None = None,
) -> Answer:
    problems = [_of_a_page(problem) for problem in problems]
    first, behind = forms.filled(name, run, asked, problems)
    if typed is not None:
        first, behind = (forms.typed(fields, typed) for fields in (first, behind))
    query = address.query(run, asked) if run else ""
    text = fill(
        FOLDER,
        "answer.html.j2" if given.get("part") == "answer" else "page.html.j2",
        page=name,
        fleet=bool(given.get("fleet")),
        title=TITLES[name],
        paths=PATHS,
        first=first,
        behind=behind,
        open_=any(field.value or field.problems for field in behind),
        lists=_lists(),
        problems=[(_field_of(problem, (*first, *behind)), problem) for problem in problems],
        result=result,
        run_query=_carried(run),
        query=query,
        example=f"{PATHS[name]}?{EXAMPLES[name]}",
    )
    status = answer.BAD if problems else answer.OK
    return Answer(body=text.encode("utf-8", "replace"), status=status, media=answer.HTML)


def _of_a_page(problem: Problem) -> Problem:
    """A problem without the command that lists names: the field itself does."""
    for way_out in (parts.WAY_OUT, host.WAY_OUT):
        if problem.message.endswith(f"; {way_out}"):
            kept = problem.message.removesuffix(way_out)
            return replace(problem, message=f"{kept}the field lists names as you type")
    return problem


def _carried(run: Run) -> str:
    """The query with which another page goes on; empty where the run is none yet."""
    if not ("model" in run and "hardware" in run):
        return ""
    return address.query({key: said for key, said in run.items() if key != "sweep"}, {}) or ""


def _field_of(problem: Problem, fields: Sequence[forms.Field]) -> str:
    """The id of the field that a problem is of; empty where it has none."""
    return next((field.id for field in fields if problem.message in field.problems), "")


def report(body: bytes, _: Mapping[str, str]) -> Answer:
    """The report of an address, to be kept: YAML, or what ``format`` says."""
    pairs = address.pairs_of(body.decode("utf-8", "replace"))
    shape = dict(pairs).get("format", "yaml")
    run, _ = address.of_pairs(pair for pair in pairs if pair[0] != "format")
    document = Document(run, "run")
    made = api.estimate_of(document, admitted(document))
    text = made.to_yaml() if shape == "yaml" else made.to_json() if shape == "json" else None
    kind = "application/yaml" if shape == "yaml" else answer.JSON
    text, kind = (text, kind) if text else (api.rendered_as(made.to_dict(), shape), answer.TEXT)
    name = "report" + {"yaml": ".yaml", "json": ".json", "html": ".html"}.get(shape, ".txt")
    kept = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(body=text.encode("utf-8"), media=kind, headers=kept)


@cache
def _lists() -> Markup:
    """What completes the names that are typed: ids, and what they stand for."""
    named = {
        kind: [(str(one.shown["id"]), _title(one)) for one in api.entries(kind)]
        for kind in ("models", "hardware", "regions")
    }
    named["software"] = [(head.id, head.id) for head in index().heads("software")]
    return Markup(fill(FOLDER, "lists.html.j2", names=named))  # noqa: S704 - escaped there


def _title(entry: api.Entry) -> str:
    """The name of an entry, and of a model where it stands on the hub."""
    hub = next((name for name in entry.names if "/" in name), "")
    return f"{entry.shown['name']} ({hub})" if hub else str(entry.shown["name"])


def described(_: bytes, given: Mapping[str, str]) -> Answer:
    """The page that says what the API can do."""
    paths = cast("Mapping[str, Mapping[str, object]]", openapi.description()["paths"])
    text = fill(
        FOLDER,
        "api.html.j2",
        page="api",
        fleet=bool(given.get("fleet")),
        title=TITLES["api"],
        paths=PATHS,
        run_query="",
        base=given.get("base", ""),
        operations=[
            (path, way.upper(), told) for path, ways in paths.items() for way, told in ways.items()
        ],
        bounds=bounds,
    )
    return Answer(body=text.encode("utf-8"), media=answer.HTML)
