"""What mkdocs does not: links that leave the documentation's folder lead to copies of the files.

A page links to ``../examples/ci/github.yaml`` as it does on a code host; in the site that file
stands under ``files/``, so that the strict build checks these links like all others.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)((?:#[^)\s]*)?)\)")


def leaving(text: str, page: str) -> dict[str, str]:
    """The targets in a page's text outside of ``docs``, and their path in the repository."""
    found = {}
    for match in LINK.finditer(text):
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), match[1]))
        inside = target == "docs" or target.startswith("docs/")
        if not inside and not target.startswith("..") and (ROOT / target).exists():
            found[match[1]] = target
    return found


def on_files(files: Any, config: Any) -> Any:
    """Every file that a page links to outside of ``docs`` is a file of the site."""
    from mkdocs.structure.files import File

    wanted = set()
    for file in files.documentation_pages():
        text = Path(file.abs_src_path).read_text(encoding="utf-8")
        wanted |= set(leaving(text, file.src_uri).values())
    for path in sorted(wanted):
        source = ROOT / path
        if source.is_dir():
            listed = "".join(f"- {one.name}\n" for one in sorted(source.iterdir()))
            made = File.generated(config, f"files/{path}/index.md", content=f"# {path}\n\n{listed}")
        elif source.suffix == ".md":
            content = f"````markdown\n{source.read_text(encoding='utf-8')}````\n"
            made = File.generated(config, f"files/{path}", content=content)
        else:
            made = File.generated(config, f"files/{path}", abs_src_path=str(source))
        files.append(made)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that leave ``docs`` lead to the copies."""
    here = page.file.src_uri
    if here.startswith("files/"):
        return markdown
    targets = leaving(markdown, here)

    def led(match: re.Match[str]) -> str:
        target = targets.get(match[1])
        if target is None:
            return match[0]
        if (ROOT / target).is_dir():
            target = f"{target}/index.md"
        up = posixpath.relpath(f"files/{target}", posixpath.dirname(here) or ".")
        return f"]({up})"

    return LINK.sub(led, markdown)
