"""Write what is generated in the documentation: printed output, and the reference pages.

``python scripts/docs.py`` after a change of commands, keys, the Python API, data or output;
``--check`` says whether all is up to date.  Blocks of output look as in the README
(``scripts/readme.py``).
"""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import readme

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NOTE = "<!-- written by scripts/docs.py -->\n"


#: as readme.BLOCK, of what is refused: ``<!-- refused: costcalc … -->``
REFUSED = re.compile(r"(<!-- refused: (costcalc [^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Every page that holds something generated, as it should be."""
    made = {}
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if readme.BLOCK.search(text) or REFUSED.search(text):
            made[path] = REFUSED.sub(_refused, readme.updated(text))
    made[DOCS / "pictures" / "terminal.svg"] = terminal()
    reference = DOCS / "reference"
    made[reference / "run-file.md"] = "".join(run_file())
    made[reference / "commands.md"] = "".join(commands())
    made[reference / "python.md"] = "".join(python())
    return made


def terminal() -> str:
    """What a terminal shows of an estimate, in its colours; nothing in it is asked of a host."""
    from io import StringIO

    from rich.console import Console

    import costcalc
    from costcalc.report.table import render

    console = Console(record=True, width=80, file=StringIO(), highlight=False, markup=False)
    console.print(render(costcalc.estimate(str(ROOT / "examples" / "llama-3-8b.yaml"))))
    title = "costcalc estimate examples/llama-3-8b.yaml"
    made = console.export_svg(title=title, unique_id="terminal")
    made = re.sub(r"@font-face \{.*?\}\s*", "", made, flags=re.DOTALL)
    return made.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")


def _refused(block: re.Match[str]) -> str:
    """What a command that is refused says, 80 columns wide."""
    words = shlex.split(block[2])
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 2:
        raise SystemExit(f"{block[2]}: exit code {done.returncode}, not 2")
    lines = done.stderr.strip().splitlines()
    said = "\n".join(textwrap.fill(line, 80, break_on_hyphens=False) for line in lines)
    return f"{block[1]}```\n{said}\n```\n{block[3]}"


def run_file() -> Iterator[str]:
    """Each key of the run file with what it takes, by the schema that editors use."""
    from costcalc.runfile.schema import schema

    yield f"{NOTE}# Keys of the run file\n\n"
    yield "By the JSON Schema that `costcalc schema run` prints. No key but what is trained (or "
    yield "measured) and on what has to be said; what is not said is listed in the result.\n"
    whole: Any = schema()
    yield from _section(whole, whole["$defs"], "", seen=set())


def _section(part: Any, defs: Any, above: str, seen: set[str]) -> Iterator[str]:
    rows, inner = [], []
    for name, value in part["properties"].items():
        key = f"{above}{name}"
        kinds = value.get("anyOf", [value])
        refs = [k["$ref"].rpartition("/")[2] for k in kinds if "$ref" in k]
        words = value.get("description") or next(
            (k["description"] for k in kinds if "description" in k), ""
        )
        rows.append(f"| `{key}` | {_takes(kinds, defs)} | {_cell(words)} |\n")
        inner += [(key, ref) for ref in refs if ref not in seen and "properties" in defs[ref]]
    title = f"`{above.rstrip('.')}`" if above else "The top"
    yield f"\n## {title}\n\n| key | takes | |\n| --- | --- | --- |\n"
    yield from rows
    for key, ref in inner:
        if ref not in seen:
            seen.add(ref)
            yield from _section(defs[ref], defs, f"{key}.", seen)


def _takes(kinds: list[Any], defs: Any) -> str:
    told = []
    for kind in kinds:
        name = kind.get("$ref", "").rpartition("/")[2]
        if name:
            told.append("keys" if "properties" in defs[name] else name)
        elif "enum" in kind:
            told.append(", ".join(f"`{one}`" for one in kind["enum"]))
        elif "const" in kind:
            told.append(f"`{kind['const']}`")
        elif kind.get("type") != "null":
            types = kind.get("type", "anything")
            told.append(" or ".join(types) if isinstance(types, list) else str(types))
    return _cell("; ".join(dict.fromkeys(told)))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("``", "`").split())


def commands() -> Iterator[str]:
    """The help of each command, as it is printed."""
    from costcalc.cli import COMMANDS, GROUPS

    yield f"{NOTE}# Commands\n\nExit codes: 0 done, 1 a bug, 2 wrong use or a bad file, 3 a limit, "
    yield "deadline or check not met.\n"
    for word in COMMANDS:
        told = _help(word)
        yield f"\n## costcalc {word}\n\n```\n{told}```\n"
        for inner in _words(told) if word in GROUPS else ():
            yield f"\n### costcalc {word} {inner}\n\n```\n{_help(f'{word} {inner}')}```\n"


def _help(words: str) -> str:
    return re.sub(r"[ \t]+\n", "\n", readme.printed(f"costcalc {words} --help"))


def _words(told: str) -> list[str]:
    listed = told.partition("Commands:\n")[2]
    return re.findall(r"^  (\S+)", listed, re.MULTILINE)


def python() -> Iterator[str]:
    """The public names with signature and docstring."""
    import costcalc

    yield f"{NOTE}# Python\n\nAll names of `import costcalc`; each is loaded on first use.\n"
    for name in costcalc.__all__:
        made = getattr(costcalc, name)
        if name == "__version__":
            continue
        if inspect.ismodule(made):
            yield f"\n## costcalc.{name}\n\n{_doc(made)}\n"
            continue
        yield f"\n## costcalc.{name}\n\n"
        if inspect.isclass(made):
            yield f"{_doc(made)}\n"
            for member, text in _members(made).items():
                yield f"\n**`{member}`** {text}\n"
        else:
            yield f"```text\n{name}{_signature(made)}\n```\n\n{_doc(made)}\n"


def _members(made: type) -> Mapping[str, str]:
    told = {}
    for name, member in vars(made).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            told[name] = _first(member)
        elif callable(member) or isinstance(member, classmethod):
            told[f"{name}{_signature(getattr(made, name))}"] = _first(member)
    return told


def _signature(made: Any) -> str:
    """Parameters with their types; a module's own name for a type is told as what it stands for."""
    text = str(inspect.signature(made)).replace("'", "")
    known = vars(sys.modules[made.__module__])
    text = re.sub(r"\b_[A-Z]\w*", lambda name: str(known.get(name[0], name[0])), text)
    text = text.replace("'", "")
    return re.sub(r"\b(?:collections\.abc|costcalc|typing|os)\.(?:\w+\.)*", "", text)


def _first(made: Any) -> str:
    return (inspect.getdoc(made) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _doc(made: Any) -> str:
    """A docstring as Markdown: its examples as code."""
    text = inspect.getdoc(made) or ""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    lines, inside = [], False
    for line in text.replace("::\n", ":\n").splitlines():
        is_code = line.startswith((">>> ", "... ", "    ")) or (inside and bool(line.strip()))
        if is_code != inside:
            lines += ["```python"] if is_code else ["```"]
            if not is_code:
                lines.append("")
        inside = is_code
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)


def main() -> int:
    """Write the pages, or check them."""
    sys.path.insert(0, str(ROOT))
    stale = []
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv:
        said = f"not up to date: {', '.join(stale)}: python scripts/docs.py"
        print(said if stale else "up to date")
        return int(bool(stale))
    print(f"wrote {len(stale)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
