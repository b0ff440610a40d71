"""Run files, and files that carry one: found in two files, two folders, or two revisions of git.

What a file carries is read by :mod:`costcalc.runfile.carried`.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from costcalc.base.errors import InputError, Problem, wrong

SUFFIXES = (".yaml", ".yml", ".toml")
#: what of a revision is taken out of git: run files, and what they may name
_TAKEN = (*SUFFIXES, ".json")
_SECONDS = 60.0
_ALIKE = "--find-renames=50%"  # so much alike is a file that was renamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One path before and after; None where it is not there."""

    path: str
    before: Path | None
    after: Path | None
    was: str = ""  # the path before, of a file that was renamed
    within: tuple[Path, Path] | None = None  # of revisions: the folders that runs may read in


@contextmanager
def pairs(base: str, head: str, only: Sequence[str] = ()) -> Iterator[list[Pair]]:
    """The files of two files, folders or revisions that differ; ``only`` of these paths.

    Raises:
        InputError: they are neither, or git cannot say.
    """
    one, two = Path(base), Path(head)
    if one.is_file() and two.is_file():
        yield [Pair(path=str(two), before=one, after=two)]
    elif one.is_dir() and two.is_dir():
        for name in only:
            if not (one / name).exists() and not (two / name).exists():
                raise _nowhere(name, base, head)
        yield list(_between(one, two, only))
    elif one.exists() != two.exists():
        raise wrong("diff", _half(one, two))
    else:
        with tempfile.TemporaryDirectory(prefix="costcalc-") as folder:
            changed = _changed(base, head, only)
            _all_there(base, head, only)
            before, after = (
                _taken(revision, Path(folder) / name)
                for revision, name in ((base, "before"), (head, "after"))
            )
            within = (before, after)
            yield [_pair(name, before, after, within, was) for name, was in changed]


def _half(one: Path, two: Path) -> str:
    """What is wrong with a path beside a name that is none, and what to write in its place."""
    there, lacking = (one, two) if one.exists() else (two, one)
    if not there.is_file() or not _is_revision(str(lacking)):
        return f"{there} is there, {lacking} is not: give two files, folders or revisions"
    return (
        f"{there} is a file, {lacking} a revision: give two of a kind. Write the file of the "
        f"revision first: git show {lacking}:./{os.path.relpath(there)} > before{there.suffix}"
    )


def _is_revision(name: str) -> bool:
    try:
        return not name.startswith("-") and bool(_git("rev-parse", "--verify", "-q", name))
    except InputError:
        return False


def _all_there(base: str, head: str, only: Sequence[str]) -> None:
    """Refuse a path that neither revision has: of it nothing can have changed, and nobody looked.

    Raises:
        InputError: there is one.
    """
    for name in only:
        for revision in (base, head):
            empty = _git("hash-object", "-t", "tree", os.devnull).decode().strip()
            if _git("diff", "--name-only", "-z", empty, revision, "--", name):
                break
        else:
            raise _nowhere(name, base, head)


def _nowhere(name: str, base: str, head: str) -> InputError:
    return wrong("diff", f"{name} is neither in {base} nor in {head}: name paths that one has")


def files(paths: Iterable[str]) -> list[Path]:
    """Every file that may be or carry a run file, of files and folders.

    Raises:
        InputError: a path is not there.
    """
    made: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            made += sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        elif path.is_file():
            made.append(path)
        else:
            raise InputError(Problem(key="", message="is not there", file=name))
    return made


def _between(one: Path, two: Path, only: Sequence[str]) -> Iterator[Pair]:
    names = {
        str(path.relative_to(folder))
        for folder in (one, two)
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and path.is_file()
    }
    for name in sorted(names):
        if not only or any(Path(name).is_relative_to(path) for path in only):
            found = _pair(name, one, two)
            if not (found.before and found.after and _same(found.before, found.after)):
                yield found


def _pair(
    name: str, before: Path, after: Path, within: tuple[Path, Path] | None = None, was: str = ""
) -> Pair:
    one, two = before / (was or name), after / name
    there = [path if path.is_file() else None for path in (one, two)]
    return Pair(path=name, before=there[0], after=there[1], within=within, was=was)


def _same(one: Path, two: Path) -> bool:
    return one.stat().st_size == two.stat().st_size and one.read_bytes() == two.read_bytes()


def _changed(base: str, head: str, only: Sequence[str]) -> list[tuple[str, str]]:
    """The paths that changed, each with what it was before if it was renamed.

    A file that was renamed is one file: taken for one removed and one added it would pass any
    policy on what may rise.
    """
    for revision in (base, head):
        if revision.startswith("-"):
            raise wrong("diff", f'expected a revision; got "{revision}"')
    listed = _git("diff", "--name-status", "-z", _ALIKE, base, head, "--", *only)
    words = iter(listed.decode("utf-8", "replace").split("\0"))
    found: list[tuple[str, str]] = []
    for status in words:
        if status.startswith("R"):
            old, new = next(words), next(words)
            if old.endswith(SUFFIXES) and new.endswith(SUFFIXES):
                found.append((new, old))
            else:
                found += [(old, ""), (new, "")]
        elif status:
            found.append((next(words), ""))
    return sorted(pair for pair in found if pair[0].endswith(SUFFIXES))


def _taken(revision: str, folder: Path) -> Path:
    """The files of a revision that a run may rest on, in a folder."""
    folder.mkdir()
    listed = _git("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision).decode()
    names = listed.split("\0")
    kinds = [kind for kind in _TAKEN if any(name.endswith(kind) for name in names)]
    if not kinds:
        return folder
    archive = folder.with_suffix(".tar")
    globs = [f":(glob)**/*{kind}" for kind in kinds]
    archive.write_bytes(_git("archive", "--format=tar", revision, "--", *globs, top=True))
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter=_kept)  # noqa: S202 - by the filter
    return folder


def _kept(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """A member of an archive; none that would lie, or leads, outside of the folder."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _git(*arguments: str, top: bool = False) -> bytes:
    where = Path()
    if top:
        where = Path(_git("rev-parse", "--show-toplevel").decode().strip())
    try:
        done = subprocess.run(  # noqa: S603 - no shell; revisions do not begin with a dash
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            cwd=where,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise wrong("diff", "git is not installed: give two files or folders") from None
    except subprocess.TimeoutExpired:
        raise wrong("diff", f"git {arguments[0]} took longer than {_SECONDS:g} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise wrong("diff", _refused(arguments[0], said[0] if said else "failed"))
    return done.stdout


def _refused(command: str, said: str) -> str:
    """What git said, and what helps."""
    told = f"git {command}: {said}"
    if "bad revision" in said and _answers("--is-shallow-repository", "true"):
        return f"{told}; this clone is shallow: fetch the revision, or all with fetch-depth: 0"
    if not _answers("--is-inside-work-tree", "true"):
        return f"{told}; this folder is in no git repository: give two files or folders"
    return told


def _answers(option: str, expected: str) -> bool:
    done = subprocess.run(  # noqa: S603 - options of our own
        ["git", "rev-parse", option],  # noqa: S607
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )
    return done.stdout.decode("utf-8", "replace").strip() == expected
