"""The job for GitLab: its script, run against a server that speaks its two calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from change_runs import GIVEN, git, given, put

ROOT = Path(__file__).parent.parent.parent
NOTES: list[dict[str, Any]] = []


class _Notes(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.command == "POST":
            NOTES.append({"id": 40 + len(NOTES), "body": parse_qs(body)["body"][0]})
        elif self.command == "PUT":
            number = int(self.path.rpartition("/")[2])
            next(n for n in NOTES if n["id"] == number)["body"] = parse_qs(body)["body"][0]
        self.send_response(200 if self.headers["PRIVATE-TOKEN"] == "secret" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(NOTES).encode())

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="the job calls curl")
def test_a_merge_request_is_commented_once_and_anew(tmp_path: Path) -> None:
    NOTES[:] = [{"id": 7, "body": "a word of a person"}]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "bin").mkdir()
    for name, body in (("pip", "true"), ("costcalc", f'exec {sys.executable} -m costcalc "$@"'),
                       ("python", f'exec {sys.executable} "$@"')):  # fmt: skip
        put(tmp_path / "bin", name, f"#!/bin/sh\n{body}\n").chmod(0o755)
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q", "-b", "main")
    for key, value in (("email", "a@example.org"), ("name", "a")):
        git(clone, "config", f"user.{key}", value)
    for run in (GIVEN, given(training__tokens="25B")):
        put(clone, "a.yaml", run)
        git(clone, "add", ".")
        git(clone, "commit", "-qm", "a")
    job = yaml.safe_load((ROOT / "examples/ci/gitlab.yaml").read_text(encoding="utf-8"))["costcalc"]
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
            cwd=clone,
            env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                 "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}",
                 "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "4", "no_proxy": "*",
                 "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD~1", "CI_COMMIT_SHA": "HEAD",
                 "COSTCALC_TOKEN": "secret"},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        # 2.5 × the cost, where a tenth more is allowed
        assert done.returncode == 3, done.stderr
    server.shutdown()
    server.server_close()
    golden = (ROOT / "tests/change/comments/dearer.md").read_text(encoding="utf-8")
    policy = "❌ a.yaml: cost rises by 150 %, more than 10 %\n\n"
    golden = golden.replace("<details>", f"{policy}<details>", 1)
    assert [note["body"] for note in NOTES] == ["a word of a person", golden]
