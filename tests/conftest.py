"""No test reaches the network, and hypothesis draws the same examples on every machine."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test fails because the machine is busy, be it a draw that was slow.
settings.register_profile(
    "costcalc",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
    # suites of several versions run beside one another, whose examples are not each other's
    database=None,
)
settings.load_profile("costcalc")

# Programs that a test starts are of this checkout, also where another copy is installed.
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
# Prices are those that ship, also where somebody keeps newer ones of their own.
os.environ["COSTCALC_PRICES"] = ""
os.environ["COSTCALC_DEFAULTS"] = ""

# A shell that runs tests in the background has interrupts ignored, also in what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

_LOCAL = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to other hosts fail; servers that a test starts on loopback are reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        outside = isinstance(address, tuple) and address[0] not in _LOCAL
        if outside:
            raise OSError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
