"""What the pages are looked at on, and what says whether all can use them."""

from __future__ import annotations

import os
from pathlib import Path

AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WIDE = {"viewport": {"width": 1280, "height": 900}}
