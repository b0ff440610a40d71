"""One self-contained HTML page: figures, charts in inline SVG, every assumption.  No scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from costcalc.base.human import digits, human, percent
from costcalc.report import view

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d8dee4;--page:#fff;
--card:#f6f8fa;--c0:#0969da;--c1:#1a7f37;--c2:#9a6700;--c3:#8250df;--c4:#bf3989;--c5:#57606a}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#3d444d;--page:#0d1117;
--card:#161b22;--c0:#4493f8;--c1:#3fb950;--c2:#d29922;--c3:#ab7df8;--c4:#db61a2;--c5:#8b949e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1.25rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .6rem}
p{margin:.3rem 0}.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));
gap:.75rem;margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.8rem}
.card b{display:block;font-size:1.45rem;line-height:1.25}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{overflow-wrap:break-word;text-align:left;padding:.35rem .6rem;
border-bottom:1px solid var(--line);vertical-align:top}
td.n{text-align:right;white-space:nowrap}svg{display:block;width:100%;height:auto}
.key{list-style:none;padding:0;margin:.4rem 0 1rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:.15em;margin-right:.4em}
.ranges{max-width:32rem}td.n,th.n{text-align:right}
svg text{fill:var(--ink);font-size:13px}svg .axis{stroke:var(--line)}
@media (max-width:40rem){.stack thead{display:none}.stack tr{display:block;padding:.5rem 0;
border-bottom:1px solid var(--line)}.stack td{display:block;border:0;padding:.1rem 0;
text-align:left;white-space:normal}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--page:#fff;--card:#fff;--line:#bbb}
body{max-width:none;padding:0;font-size:10pt}h2,h2+p{break-after:avoid}
.cards{grid-template-columns:repeat(4,1fr)}table{font-size:8.5pt}thead{display:table-header-group}
tr,.card,svg,.key{break-inside:avoid}
svg *,.key i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
_COLOURS = 6
_UNITS = {"cost": "USD", "energy": "kWh", "carbon": "kgCO2e", "step": "s"}
_TITLES = {"cost": "Cost", "energy": "Energy", "carbon": "CO2e", "step": "A training step"}


def render(report: Mapping[str, Any]) -> str:
    """The page; everything that the report says is escaped."""
    title = escape(view.name(report))
    subtitle = " · ".join((view.kind(report), view.hardware(report), view.place(report)))
    body = [
        f"<header><h1>{title}</h1><p class=soft>{escape(subtitle)}</p></header>",
        f"<div class=cards>{''.join(_cards(report))}</div>",
        *_warnings(report),
        *_ranges(report),
        *_breakdowns(report),
        *_stages(report),
        *_figures(report),
        *_drivers(report),
        *_boundary(report),
        *_assumptions(report),
        (
            f"<footer><p class=soft>{escape(view.software(report))} · "
            f"{escape(str(report['digest']))}<br>"
            "Ranges are 5th to 95th percentiles. <code>costcalc report verify</code> checks "
            "that the "
            "report is consistent; it cannot prove that it is honest.</p></footer>"
        ),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang=en><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name=viewport content="width=device-width,initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            *body,
            "</body></html>",
            "",
        ]
    )


def _cards(report: Mapping[str, Any]) -> Iterator[str]:
    for key, label in view.HEADLINE:
        found = view.figure(report, key)
        note = view.between(report, key) if found["value"] is not None else found.get("why") or ""
        basis = "" if found["value"] is None else found["basis"]
        words = " · ".join(str(word) for word in (note, basis) if word)
        yield (
            f"<div class=card><span class=soft>{label}</span><b>{escape(view.text(report, key))}"
            f"</b><span class=soft>{escape(words)}</span></div>"
        )


def _warnings(report: Mapping[str, Any]) -> Iterator[str]:
    for warning in report.get("warnings") or ():
        yield f"<p><strong>Note:</strong> {escape(str(warning))}</p>"


def _ranges(report: Mapping[str, Any]) -> Iterator[str]:
    """Each headline figure's range beside its value, as a share of the value."""
    bars = []
    for key, label in view.HEADLINE:
        found = view.figure(report, key)
        low, value, high = (found[name] for name in ("low", "value", "high"))
        if value and low is not None and high is not None and high > low:
            bars.append((label, low / value, high / value))
    if not bars:
        return
    most = max(2.0, *(high for _, _, high in bars))
    yield "<h2>How sure</h2><p class=soft>From low to high, as multiples of the value.</p>"
    height = 34 * len(bars) + 24
    label = "ranges as multiples of the value"
    yield f'<svg viewBox="0 0 380 {height}" class=ranges role=img aria-label="{label}">'
    at = {share: 62 + 270 * share / most for share in (0.0, 1.0)}
    yield f"<line class=axis x1={at[1.0]:.1f} x2={at[1.0]:.1f} y1=0 y2={height - 20} />"
    yield f"<text x={at[1.0]:.1f} y={height - 4} text-anchor=middle>1×</text>"
    for index, (label, low, high) in enumerate(bars):
        y, left, right = 34 * index + 8, 62 + 270 * low / most, 62 + 270 * high / most
        yield f"<text x=0 y={y + 14}>{label}</text>"
        yield (
            f"<rect x={left:.1f} y={y} width={max(right - left, 1):.1f} height=18 rx=4 "
            f'fill="var(--c{index % _COLOURS})" opacity=.55 />'
        )
        yield f'<circle cx={at[1.0]:.1f} cy={y + 9} r=5 fill="var(--c{index % _COLOURS})" />'
        yield f"<text x={right + 6:.1f} y={y + 14}>{digits(high, 2)}×</text>"
    yield "</svg>"


def _breakdowns(report: Mapping[str, Any]) -> Iterator[str]:
    found = {of: parts for of, parts in (report.get("breakdown") or {}).items() if _shares(parts)}
    if found:
        yield "<h2>Where it goes</h2>"
    for of, parts in found.items():
        unit = _UNITS.get(of, "")
        shares = _shares(parts)
        title = escape(_TITLES.get(of, of))
        words = ", ".join(f"{name} {percent(share)}" for name, share in shares)
        label = escape(f"{of}: {words}", quote=True)
        yield (
            f'<p>{title}</p><svg viewBox="0 0 600 26" preserveAspectRatio="none" role=img '
            f'aria-label="{label}">'
        )
        x = 0.0
        for index, (_, share) in enumerate(shares):
            yield (
                f"<rect x={x:.2f} y=2 width={600 * share:.2f} height=22 "
                f'fill="var(--c{index % _COLOURS})" />'
            )
            x += 600 * share
        yield "</svg><ul class=key>"
        for index, (name, share) in enumerate(shares):
            amount = human(float(parts[name]), unit)
            yield (
                f'<li><i style="background:var(--c{index % _COLOURS})"></i>{escape(name)} '
                f"{percent(share)} <span class=soft>{escape(amount)}</span></li>"
            )
        yield "</ul>"


def _shares(parts: Any) -> list[tuple[str, float]]:
    if not isinstance(parts, Mapping):
        return []
    numbers = {str(k): float(v) for k, v in parts.items() if isinstance(v, (int, float)) and v > 0}
    total = sum(numbers.values())
    ranked = sorted(numbers.items(), key=lambda part: -part[1])
    return [(name, number / total) for name, number in ranked]


def _table(
    head: tuple[str, ...], rows: Iterator[tuple[str, ...]], numbers: tuple[int, ...] = ()
) -> Iterator[str]:
    cells = "".join(
        f"<th{' class=n' if i in numbers else ''}>{escape(text)}</th>"
        for i, text in enumerate(head)
    )
    yield f"<div class=scroll><table class=stack><thead><tr>{cells}</tr></thead><tbody>"
    for row in rows:
        made = "".join(
            f"<td{' class=n' if i in numbers else ''}>{escape(text)}</td>"
            for i, text in enumerate(row)
        )
        yield f"<tr>{made}</tr>"
    yield "</tbody></table></div>"


def _stages(report: Mapping[str, Any]) -> Iterator[str]:
    stages = [s for s in report["stages"] if isinstance(s.get("results"), Mapping)]
    if not stages:
        return
    yield "<h2>Stages</h2>"
    head = ("stage", *(label for _, label in view.HEADLINE))
    rows = (
        (str(stage.get("name") or ""), *(view.text(stage, key) for key, _ in view.HEADLINE))
        for stage in stages
    )
    yield from _table(head, rows, (1, 2, 3, 4))


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Figures</h2>"
    rows = ((label, value, between or why) for label, value, between, why in view.rows(report))
    yield from _table(("figure", "value", "90 % range"), rows, (1,))


def _drivers(report: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (label, d["key"], d["share"])
        for key, label in view.HEADLINE
        for d in [d for d in report["drivers"] if d["of"] == key][:4]
    ]
    if rows:
        yield "<h2>What would narrow the ranges</h2>"
        yield from _table(
            ("of", "assumption", "share of the variance"),
            ((a, b, percent(float(c))) for a, b, c in rows),
            (2,),
        )


def _boundary(report: Mapping[str, Any]) -> Iterator[str]:
    found = report.get("boundary")
    if not found:
        return
    yield "<h2>What is counted</h2>"
    words = {True: "counted", False: "not counted", None: "not known"}
    rows = (
        (str(item["name"]), words[item.get("counted")], str(item.get("why") or ""))
        for item in [*found["stages"], *found["components"]]
    )
    yield from _table(("part", "", ""), rows)


def _assumptions(report: Mapping[str, Any]) -> Iterator[str]:
    for part in [report, *report["stages"]]:
        listed = part.get("assumptions") or ()
        if not listed:
            continue
        of = "" if part is report else f" of {part.get('name') or 'a stage'}"
        yield f"<h2>Assumptions{escape(of)}</h2>"
        rows = (
            (str(item["key"]), view.assumed(item), str(item["basis"]), str(item["source"]))
            for item in listed
        )
        yield from _table(("key", "value", "basis", "source"), rows)
