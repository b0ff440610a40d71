"""The GitHub Action: its own steps, run against a git repository and a server of two calls."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from change_runs import GIVEN, git, given, put

ROOT = Path(__file__).parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
MARK = "<!-- costcalc diff -->"


class Api(ThreadingHTTPServer):
    """The calls of api.github.com that the action makes, and what was asked of them."""

    comments: list[dict[str, Any]]
    asked: list[str]
    code = 200


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        made: object = self.server.comments
        if self.headers["Authorization"] != "Bearer secret":
            self.server.code = 401
        elif self.server.code != 200:
            pass
        elif self.command == "POST":
            number = len(self.server.comments) + 1
            made = {"id": number, "user": {"type": "Bot"}, "body": body["body"]}
            self.server.comments.append(made)
        elif self.command == "PATCH":
            number = int(self.path.rpartition("/")[2])
            made = next(c for c in self.server.comments if c["id"] == number)
            made["body"] = body["body"]
        elif "page=1" not in self.path:
            made = []
        self.send_response(self.server.code)
        self.end_headers()
        self.wfile.write(json.dumps(made).encode())

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api(("127.0.0.1", 0), _Handler)
    server.comments, server.asked = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Runner:
    """A job on a pull request: a clone of the base's repository, and the steps run in it."""

    def __init__(self, folder: Path, api: Api) -> None:
        self.origin, self.clone, self.temp = (folder / n for n in ("origin", "clone", "temp"))
        self.api = api
        self.temp.mkdir()
        self.outputs: dict[str, str] = {}
        self.origin.mkdir()
        git(self.origin, "init", "-q", "-b", "main")
        for key, value in (("email", "a@example.org"), ("name", "a")):
            git(self.origin, "config", f"user.{key}", value)
        put(self.origin, "readme.txt", "nothing")
        self.fork = ""

    def commit(self, runs: Mapping[str, object]) -> str:
        for old in self.origin.rglob("*.yaml"):
            old.unlink()
        for name, run in runs.items():
            put((self.origin / name).parent, Path(name).name, run)
        git(self.origin, "add", "-A")
        git(self.origin, "commit", "-q", "--allow-empty", "-m", "a")
        return text("git", "-C", str(self.origin), "rev-parse", "HEAD")

    def pull(self, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """A pull request: a branch of the base, whose base has moved on since."""
        self.commit(before)
        git(self.origin, "checkout", "-q", "-b", "change")
        self.commit(after)
        git(self.origin, "update-ref", "refs/pull/7/head", "HEAD")
        git(self.origin, "checkout", "-q", "main")
        self.base = self.commit({**before, "since.yaml": given(name="since")})
        git(self.origin.parent, "clone", "-q", "--depth", "1", f"file://{self.origin}", "clone")

    def python(self) -> None:
        """In place of the first step, which needs a network: an environment of what is here."""
        made = self.temp / "costcalc"
        venv.create(made, with_pip=False)
        (folder,) = (made / "lib").glob("python*/site-packages")
        lines = [str(ROOT), *site.getsitepackages(), *sys.path[1:]]
        (folder / "costcalc.pth").write_text("\n".join(lines), encoding="utf-8")

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        summary, output = self.temp / "summary", self.temp / "output"
        given = {key: value.get("default", "") for key, value in ACTION["inputs"].items()} | inputs
        values = {
            "github.action_path": str(ROOT),
            "github.event.pull_request.number": "7",
            "github.event.pull_request.base.sha": self.base,
            "github.token": "secret",
            **{f"inputs.{key}": value for key, value in given.items()},
            **{f"steps.diff.outputs.{key}": value for key, value in self.outputs.items()},
        }

        def filled(text: str) -> str:
            return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values[found[1]], text)

        step = STEPS[name]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.clone,
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.temp),
                "RUNNER_TEMP": str(self.temp), "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY": "lab/project",
                "GITHUB_API_URL": f"http://127.0.0.1:{self.api.server_port}",
                "no_proxy": "*",
                **{key: filled(filled(value)) for key, value in step["env"].items()},
            },
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if output.exists():
            lines = output.read_text(encoding="utf-8").splitlines()
            self.outputs = dict(line.split("=", 1) for line in lines)
        return done


def text(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def runner(tmp_path: Path, api: Api) -> Runner:
    made = Runner(tmp_path, api)
    made.python()
    return made


def test_a_pull_request_is_commented_once_and_anew(runner: Runner, api: Api) -> None:
    runner.pull({"a.yaml": GIVEN}, {"a.yaml": given(training__tokens="25B")})
    done = runner.step("diff")
    assert (done.returncode, done.stderr) == (0, "")
    assert runner.outputs["code"] == "0"
    comment = Path(runner.outputs["comment"]).read_text(encoding="utf-8")
    assert comment == (ROOT / "tests/change/comments/dearer.md").read_text(encoding="utf-8")
    assert (runner.temp / "summary").read_text(encoding="utf-8") == comment
    # a person has written our mark: not ours to change
    api.comments.append({"id": 1, "user": {"type": "User"}, "body": f"{MARK} mine"})
    assert runner.step("comment").stdout == "wrote the comment\n"
    assert runner.step("comment").stdout == "wrote the comment anew\n"
    assert [c["body"] for c in api.comments] == [f"{MARK} mine", comment]
    listed = "GET /repos/lab/project/issues/7/comments?per_page=100&page=1"
    assert api.asked == [listed, "POST /repos/lab/project/issues/7/comments",
                         listed, "PATCH /repos/lab/project/issues/comments/2"]  # fmt: skip
    assert runner.step("policy").returncode == 0


def test_past_a_limit_or_a_policy_the_check_fails(runner: Runner) -> None:
    runner.pull({"a.yaml": GIVEN}, {"a.yaml": given(training__tokens="25B")})
    done = runner.step("diff", **{"fail-over": "time=9\ncost=10%\n"})
    assert runner.outputs["code"] == "3"
    assert "a.yaml: cost rises by 150 %, more than 10 %" in done.stderr
    assert runner.step("policy").returncode == 3
    done = runner.step("diff", **{"fail-over": "loss=1"})
    assert done.returncode == 2
    assert "costcalc diff failed with 2" in done.stdout


def test_a_limit_that_is_passed(runner: Runner) -> None:
    runner.pull({"a.yaml": GIVEN}, {"a.yaml": given(limits={"cost": "50 USD"})})
    assert runner.step("diff").returncode == 0
    assert runner.outputs["code"] == "3"


def test_only_the_paths_that_were_asked_for(runner: Runner, api: Api) -> None:
    both = {"runs/b.yaml": GIVEN}
    runner.pull({"a.yaml": GIVEN, **both}, {"a.yaml": given(training__tokens="25B"), **both})
    done = runner.step("diff", paths="runs\nrnus")
    assert done.returncode == 2
    assert done.stderr.startswith("diff: rnus is neither in ")
    assert "costcalc diff failed with 2" in done.stdout
    runner.step("diff", paths="runs\nruns/b.yaml")
    assert "**No run file changed.**" in Path(runner.outputs["comment"]).read_text()
    assert runner.step("comment").stdout == "no run file changed: no comment\n"
    assert api.comments == []


def test_without_the_right_to_comment_the_summary_has_it(runner: Runner, api: Api) -> None:
    runner.pull({}, {"a.yaml": GIVEN})
    runner.step("diff")
    api.code = 403
    done = runner.step("comment")
    assert done.returncode == 0
    assert "::notice::costcalc may not comment here" in done.stdout
    api.code = 500
    done = runner.step("comment")
    assert (done.returncode, done.stderr) == (1, "")
    assert "::error::the comment could not be written: 500" in done.stdout


def test_nothing_of_a_fork_is_run_and_no_file_beside_it_is_read(
    runner: Runner, tmp_path: Path
) -> None:
    secret = put(tmp_path, "secret.yaml", {"price": {"device_hour": "2 USD"}})
    run = {key: value for key, value in GIVEN.items() if key != "price"}
    runner.pull({}, {"a.yaml": {**run, "defaults": str(secret)}})
    # code that a careless action would import or run, at the head and in the clone
    marks = tmp_path / "was-run"
    code = f"open({str(marks)!r}, 'w').close()\n"
    git(runner.origin, "checkout", "-q", "change")
    for name in ("costcalc.py", "yaml.py", "sitecustomize.py"):
        put(runner.origin, name, code)
        put(runner.clone, name, code)
    put(runner.origin, ".gitattributes", "*.yaml filter=run diff=run\n")
    (runner.origin / "link.yaml").symlink_to(secret)
    git(runner.origin, "add", "-A")
    git(runner.origin, "commit", "-qm", "code")
    git(runner.origin, "update-ref", "refs/pull/7/head", "HEAD")
    done = runner.step("diff")
    assert (done.returncode, runner.outputs["code"]) == (0, "3")
    comment = Path(runner.outputs["comment"]).read_text(encoding="utf-8")
    assert not marks.exists()
    assert (
        "a.yaml:1:1: defaults: expected a path within the folder of the run files; got"
        in comment.replace(re.findall(r"a\.yaml:(\d+:\d+)", comment)[0], "1:1")
    )
    assert "2 USD" not in comment


def test_it_is_told_where_it_has_no_pull_request(runner: Runner) -> None:
    runner.pull({}, {"a.yaml": GIVEN})
    script = f"NUMBER= BASE= PATHS= FAIL_OVER= bash {ROOT}/action/diff.sh"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (
        2, "::error::costcalc runs on pull requests: there is none\n")  # fmt: skip


def test_no_text_of_a_pull_request_is_put_into_a_script() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"]
        assert "uses" not in step
    # the token is known to the step that comments alone
    assert [name for name, step in STEPS.items() if "token" in json.dumps(step["env"])] == [
        "comment"
    ]


def test_what_is_installed_is_pinned_by_hash() -> None:
    asked = (ROOT / "action" / "requirements.in").read_text(encoding="utf-8")
    pinned = (ROOT / "action" / "requirements.txt").read_text(encoding="utf-8")
    for name in re.findall(r"^(\w+)>=", asked, re.MULTILINE):
        assert re.search(rf"^{name}==\S+.*\\\n    --hash=sha256:", pinned, re.MULTILINE), name
    assert "--require-hashes" in (ROOT / "action" / "install.sh").read_text(encoding="utf-8")


def test_the_example_workflow_has_the_least_rights_and_pins_what_it_uses() -> None:
    path = ROOT / "examples" / "ci" / "github.yaml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"]]
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", used[0])
    assert used[1].endswith("/costcalc@COMMIT")
    given = workflow["jobs"]["costcalc"]["steps"][1]["with"]
    assert set(given) <= set(ACTION["inputs"])


@pytest.mark.frameworks
def test_the_first_step_installs_what_the_second_runs(tmp_path: Path, api: Api) -> None:
    made = Runner(tmp_path, api)
    made.pull({}, {"a.yaml": GIVEN})
    done = made.step("install", python=sys.executable)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("costcalc ")
    assert made.step("diff").returncode == 0
    assert "is new" in Path(made.outputs["comment"]).read_text(encoding="utf-8")
