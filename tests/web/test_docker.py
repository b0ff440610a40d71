"""The steps of the Dockerfile, run one by one by a user without rights.

The image itself is not built here: there is no Docker, and its base is not at hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
NOBODY = 65534


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, in order."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    split = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in split]


def test_it_is_run_by_a_user_without_rights() -> None:
    """What follows USER is that user's, and nothing goes back to root."""
    words = [word for word, _ in steps()]
    assert [rest for word, rest in steps() if word == "USER"] == ["costcalc"]
    assert words[0] == "FROM"
    assert words.index("USER") < min(words.index("COPY"), words.index("CMD"))
    before = steps()[: words.index("USER")]
    assert before[1:] == [("RUN", "useradd --create-home --uid 1000 costcalc")]
    assert ("COPY", "--chown=costcalc . source") in steps()
    (command,) = (json.loads(rest) for word, rest in steps() if word == "CMD")
    assert command[1:] == ["serve", "--host", "0.0.0.0", "--port", "7860"]
    assert ("EXPOSE", "7860") in steps()


def copied(place: Path) -> None:
    """What COPY takes: all but what .dockerignore leaves out."""
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    ignore = shutil.ignore_patterns(*(word.removeprefix("**/") for word in left_out))
    shutil.copytree(ROOT, place, ignore=ignore)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user can reach: pytest's own are closed again by its next start."""
    with tempfile.TemporaryDirectory(prefix="costcalc-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.frameworks
def test_its_steps_do_as_such_a_user(home: Path) -> None:
    copied(home / "source")
    as_user: dict[str, Any] = {"cwd": home}
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        as_user |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COSTCALC", "PYTHONPATH", "VIRTUAL_ENV"))
    }
    environment |= {"HOME": str(home), "TMPDIR": str(home)}
    place = [word for word, _ in steps()].index("COPY")
    for word, rest in steps()[place + 1 :]:
        if word == "RUN":
            made = subprocess.run(
                rest, shell=True, env=environment, capture_output=True, text=True,
                check=False, **as_user,
            )  # fmt: skip
            assert made.returncode == 0, (rest, made.stderr[-2000:])
    assert not (home / "source").exists()
    (command,) = (json.loads(rest) for word, rest in steps() if word == "CMD")
    here = [{"0.0.0.0": "127.0.0.1", "7860": "0"}.get(word, word) for word in command]
    environment["COSTCALC_ALLOW_HOST"] = "calc.example a.example"
    if os.geteuid() == 0:
        home.chmod(0o555)  # nothing is written beside it
        os.chown(home, 0, 0)
    with subprocess.Popen(
        here, env=environment, stderr=subprocess.PIPE, text=True, **as_user
    ) as served:
        assert served.stderr is not None
        said = served.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + served.stderr.read()
        asked = urllib.request.Request(f"{found[0]}/", headers={"Host": "a.example"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert b"Llama 3 8B" in answer.read()
        served.terminate()
