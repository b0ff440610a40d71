"""The house keeps its shape: imports go one way, heavy ones are late, files are short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "costcalc"
# Each room imports only what stands above it; rooms on one line do not import one another.
ORDER = [
    ("base",),
    ("runfile",),
    ("catalog",),
    ("workload",),
    ("throughput",),
    ("energy", "price", "carbon"),
    ("resolve",),
    ("calculator",),
    ("report",),
    ("tracking",),
    ("decide", "change"),
    ("fleet",),
    ("validate",),
    ("integrations", "web", "assistant"),
    ("cli",),
    ("__main__",),
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
ASIDE = {"workload.architecture", "workload.work"}  # records that throughput may take
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


def imported(path: Path) -> Iterator[str]:
    """The costcalc modules that a file imports, wherever in it, type checking included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("costcalc"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("costcalc"):
            module = node.module or ""
            for alias in node.names:
                inner = PACKAGE.parent.joinpath(*module.split("."), alias.name)
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield f"{module}.{alias.name}" if is_module else module


def faults_of(path: Path) -> list[str]:
    name = name_of(path)
    own = name.split(".")[0]
    if own == "__init__":
        return []  # loads names on first use
    found = []
    for module in imported(path):
        room = module.removeprefix("costcalc").lstrip(".").split(".")[0]
        if not room:  # costcalc itself: its version
            continue
        if room == own:
            continue
        if RANK[room] >= RANK[own]:
            found.append(f"{name} imports {module}, which does not stand above it")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    assert name_of(path).split(".")[0] in {*RANK, "__init__"}, "a room without a place in ORDER"
    assert faults_of(path) == []


def test_the_check_of_imports_can_fail(tmp_path: Path) -> None:
    assert list(imported(PACKAGE / "calculator" / "calculate.py"))
    assert RANK["cli"] > RANK["base"]
    wrong = tmp_path / "errors.py"
    wrong.write_text("def f():\n    from costcalc.cli import main\n")
    assert list(imported(wrong)) == ["costcalc.cli"]


def test_throughput_takes_records_of_the_workload_and_nothing_else() -> None:
    for path in (PACKAGE / "throughput").glob("*.py"):
        for module in imported(path):
            if module.startswith("costcalc.workload"):
                assert module.removeprefix("costcalc.") in ASIDE, (path.name, module)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def users_of(library: str) -> set[str]:
    """The files that import a library, in any of its modules."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == library for name in names):
                found.add(path.name)
    return found


def test_pint_is_imported_by_units_alone() -> None:
    assert users_of("pint") <= {"units.py"}


def test_templates_are_read_in_one_place() -> None:
    assert users_of("jinja2") == {"filling.py"}


HEAVY = (
    "pint",
    "numpy",
    "yaml",
    "rich",
    "pydantic",
    "typer",
    "codecarbon",
    "torch",
    "pandas",
    "jinja2",
    "logging",
    "importlib.metadata",
    "socket",
)


def loaded(code: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(found.stdout.split())


def test_importing_costcalc_loads_nothing_heavy() -> None:
    assert loaded("import costcalc") & set(HEAVY) <= loaded("pass") & set(HEAVY)


def test_a_plain_estimate_loads_neither_pint_nor_codecarbon() -> None:
    code = (
        "import contextlib, io\nfrom costcalc.cli import run\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    assert run(['estimate', 'examples/llama-3-8b.yaml']) in (0, 3)"
    )
    assert not loaded(code) & {
        "pint",
        "codecarbon",
        "jinja2",
        "pandas",
        "torch",
        "scipy",
        "matplotlib",
    }


def test_the_check_of_what_is_loaded_can_fail() -> None:
    assert "numpy" in loaded("import numpy")


def test_the_profiles_folder_holds_data_alone() -> None:
    """A Python file in it breaks editable installs."""
    kinds = {path.suffix for path in (ROOT / "hardware_profiles").rglob("*") if path.is_file()}
    assert kinds <= {".yaml", ".md"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_public_function_says_what_it_does(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) is not None or not tree.body, "the module"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_dir_and_all_name_the_public_api() -> None:
    import costcalc

    for name in costcalc.__all__:
        assert getattr(costcalc, name) is not None
    assert callable(costcalc.estimate)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = costcalc.nothing


def test_nouns_after_numbers_are_made_in_one_place() -> None:
    """``1 jobs`` is what a plural by hand comes to where it is forgotten: base/human.py has it."""
    by_hand = re.compile(r"""['"]s['"] \* \(|['"]s['"] if [^:]*!= 1|\{\{ ?"s" if""")
    found = [
        str(path)
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".j2") and path.name != "human.py"
        if by_hand.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
