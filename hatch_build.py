"""Puts the index of profiles, presets, regions and constants into the wheel."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class IndexHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the index from the files of this very tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """An editable install has none: its files change, and a checkout keeps its own."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from costcalc.catalog import index

        self.folder = tempfile.TemporaryDirectory()  # lives as long as the hook does
        made = Path(self.folder.name) / index.FILE
        made.write_bytes(index.build())
        build_data["force_include"][str(made)] = f"costcalc/data/{index.FILE}"
