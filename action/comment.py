"""Write the comment of a pull request, or its own earlier one anew: two calls of GitHub's API.

https://docs.github.com/en/rest/issues/comments: lists the comments of the pull request, then makes
one or changes the one that a bot wrote with our mark.  No comment is made where no run file changed
and none was there.  Without the right to write (a fork's pull request under ``on: pull_request``)
the summary of the job has it all the same.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

MARK = "<!-- costcalc diff -->"
NOTHING = "**No run file changed.**"
PAGE, PAGES, SECONDS = 100, 30, 30


def call(method: str, path: str, body: object = None) -> object:
    """One request to the API, and what it answers."""
    base = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    request = urllib.request.Request(
        f"{base}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def own(number: int) -> int | None:
    """The id of our comment, if there is one; a person's with the same mark is not ours."""
    for page in range(1, PAGES + 1):
        found = call("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}")
        if not isinstance(found, list):
            return None
        for one in found:
            is_bot = (one.get("user") or {}).get("type") == "Bot"
            if is_bot and str(one.get("body") or "").startswith(MARK):
                return int(one["id"])
        if len(found) < PAGE:
            return None
    return None


def main() -> int:
    """Write the comment; the exit code."""
    text = Path(os.environ["COMMENT"]).read_text(encoding="utf-8")
    number = int(os.environ["NUMBER"])
    try:
        before = own(number)
        if before is None and NOTHING in text:
            print("no run file changed: no comment")
        elif before is None:
            call("POST", f"issues/{number}/comments", {"body": text})
            print("wrote the comment")
        else:
            call("PATCH", f"issues/comments/{before}", {"body": text})
            print("wrote the comment anew")
    except urllib.error.HTTPError as error:
        if error.code == 403:
            print("::notice::costcalc may not comment here (pull-requests: write); see the summary")
            return 0
        print(f"::error::the comment could not be written: {error.code} {error.reason}")
        return 1
    except OSError as error:
        print(f"::error::the comment could not be written: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
