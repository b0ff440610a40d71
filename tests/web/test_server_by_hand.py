"""What the server is started with: who may ask, what is written down, how long it waits."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.web import server


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What a server would be started with; it ends at once."""
    kept: dict[str, Any] = {"told": []}

    class Ends:
        def __init__(self, config: Any, ready: Any) -> None:
            kept["config"], kept["ready"] = config, ready

        def run(self, sockets: list[socket.socket]) -> None:
            kept["port"] = sockets[0].getsockname()[1]
            kept["ready"]()
            raise KeyboardInterrupt  # Ctrl-C ends it without a traceback

    def app(pool: Any, hosts: set[str], embed: Any, fleet: Any) -> Any:
        kept.update(workers=pool, hosts=hosts, embed=embed, fleet=fleet)
        return lambda *_: None

    monkeypatch.setattr(server, "_Server", Ends)
    monkeypatch.setattr(server, "Pool", lambda number: number)
    monkeypatch.setattr(server, "app", app)
    before = sys.getswitchinterval()
    yield kept
    sys.setswitchinterval(before)


def test_nothing_of_a_request_is_written_down_and_no_proxy_is_believed(
    started: dict[str, Any],
) -> None:
    server.serve("127.0.0.1", 0, workers=3, ready=started["told"].append)
    config = started["config"]
    assert (config.access_log, config.server_header, config.proxy_headers) == (False, False, False)
    assert (config.log_level, config.ws) == ("warning", "none")
    assert config.limit_concurrency == server._CONNECTIONS
    assert config.timeout_graceful_shutdown == 3  # seconds
    assert sys.getswitchinterval() == pytest.approx(0.0005)  # threads only carry
    assert started["told"] == [f"http://127.0.0.1:{started['port']}"]
    assert (started["workers"], started["embed"], started["fleet"]) == (3, (), None)


def test_hosts_that_may_be_asked_for(started: dict[str, Any]) -> None:
    server.serve("127.0.0.1", 0, hosts=["calc.example"], embed=["a"], ready=lambda _: None)
    assert started["hosts"] == {"calc.example", "127.0.0.1"}
    assert started["embed"] == ["a"]
    server.serve("0.0.0.0", 0, hosts=["calc.example"], ready=lambda _: None)
    assert started["hosts"] == {"calc.example"}  # everywhere is no name


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_of_ipv6_stands_in_brackets(started: dict[str, Any]) -> None:
    try:
        server.serve("::1", 0, ready=started["told"].append)
    except InputError:
        pytest.skip("no ::1 here")
    assert started["told"] == [f"http://[::1]:{started['port']}"]


def test_a_port_that_is_taken_is_told() -> None:
    with server._listen("127.0.0.1", 0) as held:
        assert held.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert held.proto == socket.IPPROTO_TCP
        port = held.getsockname()[1]
        with pytest.raises(InputError) as caught:
            server._listen("127.0.0.1", port)
    assert str(caught.value) == (
        f"--port: 127.0.0.1:{port} cannot be listened on: Address already in use"
    )
    with pytest.raises(InputError, match=r"--port: a\.\.b:1 cannot be listened on: "):
        server._listen("a..b", 1)  # no name of a host
