"""How much one request may ask for; what is larger is for the command line."""

from __future__ import annotations

BODY = 200_000
"""Bytes of a run file, with a config.json in it."""
REPORT = 2_000_000
"""Bytes of a report."""
NODES = 50_000
"""Values of a report."""
STAGES = 20
STEPS = 20
"""Measured steps of a calibration."""
SCENARIOS = 120_000
HARDWARE = 1_024
"""Accelerators times counts times precisions of a comparison: each is a search for a layout."""
SWEEP = 8.0
"""Seconds that a comparison may search; drawing ranges and the answer take the rest."""
SCORES = 1_000
ADDRESS = 2_000
"""Characters of an address that holds a run."""
SECONDS = 10.0
"""What one answer may take; then its process is ended."""
ARRIVAL = 15.0
"""Seconds in which a body has to arrive."""
WAITING = 128
"""Requests that wait for a free process; more are told to come again."""
