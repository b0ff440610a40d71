"""What ships for a cluster's manager: templates, rules, a dashboard, scripts."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from costcalc.base.errors import nearest, wrong

if TYPE_CHECKING:
    from costcalc.fleet.cluster import Cluster


def text(name: str) -> str:
    """The text of a file of ``costcalc/data/fleet``.

    >>> "budgets:" in text("fleet.yaml")
    True
    """
    return (files("costcalc") / "data" / "fleet" / name).read_text(encoding="utf-8")


#: what is printed by name
PLUGIN = "job_submit.lua"
NAMES = ("alerts.yml", "epilog.sh", "grafana.json", PLUGIN)


def named(name: str, cluster: Cluster | None = None) -> str:
    """The text of a file that ships, by its name; ``cluster``: whose prices are put into it.

    Raises:
        InputError: none of that name ships.

    >>> named("alerts.yml").startswith("#")
    True
    """
    if name not in NAMES:
        near = nearest(name, NAMES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise wrong("--file", f'expected one of {", ".join(NAMES)}; got "{name[:40]}"{hint}')
    if cluster is None or name != PLUGIN:
        return text(name)
    from costcalc.fleet.plugging import filled

    return filled(text(name), cluster)


def template() -> str:
    """A fleet.yaml to fill in; its first line names the schema where it is installed.

    >>> template().splitlines()[1][:6]
    'name: '
    """
    lines = text("fleet.yaml").splitlines(keepends=True)
    return "".join(lines[1:]) if lines[0].startswith("# yaml-language-server") else "".join(lines)
