"""How ``costcalc serve`` holds up on loopback: start, open arrivals, clients that wait, a sweep.

Server and clients share the machine, as they would not elsewhere. Bodies differ: tokens are drawn,
models, machines, counts and places go round. Each part is bounded in seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from costcalc.catalog.region import codes

RATE, SECONDS, CLIENTS = 150.0, 8.0, 32
MODELS = ("llama-3-8b", "qwen2.5-7b", "gpt2", "llama-2-13b", "mistral-7b", "bert-base-uncased")
MACHINES = ("h100-sxm5-80", "a100-sxm4-80", "h200-sxm-141", "l40s")
PLACES = ("aws:us-east-1", "FR", "gcp:europe-west4", "US-CA")


def bodies(seed: int) -> Iterator[bytes]:
    """Estimates with ranges, none like another."""
    draw = random.Random(seed)
    for number in count():
        run = {
            "model": {"preset": MODELS[number % len(MODELS)]},
            "training": {"tokens": f"{draw.uniform(1, 900):.3f}B"},
            "hardware": {
                "accelerator": MACHINES[number % len(MACHINES)],
                "count": 8 * 2 ** draw.randint(0, 6),
            },
            "site": {"region": PLACES[number % len(PLACES)]},
        }
        yield json.dumps(run).encode()


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> int:
        """The status of one request, its body read; a connection that was idle is made anew."""
        try:
            return await self._post(path, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.stream = None
            return await self._post(path, body)

    async def _post(self, path: str, body: bytes) -> int:
        if self.stream is None:
            self.stream = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.stream
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(answer.split()[1])


async def arriving(port: int, rate: float, seconds: float) -> list[tuple[float, int]]:
    """Requests at random times, whoever waits: seconds from arrival to answer, and status."""
    draw, free, found = random.Random(1), [Client(port) for _ in range(64)], []
    given, tasks = bodies(1), []

    async def one(due: float, body: bytes) -> None:
        client = free.pop() if free else Client(port)
        status = await client.post("/api/v1/estimate", body)
        found.append((time.perf_counter() - due, status))
        free.append(client)

    start = due = time.perf_counter()
    while due - start < seconds:
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(one(due, next(given))))
        due += draw.expovariate(rate)
    await asyncio.gather(*tasks)
    return found


async def waiting(port: int, clients: int, seconds: float) -> list[tuple[float, int]]:
    """Clients that ask again as soon as they are answered."""
    found: list[tuple[float, int]] = []
    end = time.perf_counter() + seconds

    async def one(seed: int) -> None:
        client, given = Client(port), bodies(seed)
        while time.perf_counter() < end:
            start = time.perf_counter()
            status = await client.post("/api/v1/estimate", next(given))
            found.append((time.perf_counter() - start, status))

    await asyncio.gather(*(one(100 + number) for number in range(clients)))
    return found


def sweep() -> bytes:
    """100,000 scenarios: 10 accelerators × 10 counts × 500 regions × 2 plans."""
    run: dict[str, Any] = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1T"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
        "sweep": {
            "accelerators": "h100-sxm5-80,a100-sxm4-80,h200-sxm-141,b200-sxm-180,mi300x,tpu-v5p,"
            "l40s,gh200-96,h100-pcie-80,a100-pcie-80",
            "counts": "64..32768",
            "regions": list(codes())[:500],
            "plans": "on-demand,spot",
        },
    }
    return json.dumps(run).encode()


def memory(parent: int) -> tuple[float, float]:
    """MiB of a process and those below it: as their shares add up, and with what they share."""
    pids = [parent]
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += map(int, task.read_text().split())
    own = whole = 0.0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        own += sum(map(int, re.findall(r"^Pss: +(\d+)", text, re.MULTILINE))) / 1024
        whole += sum(map(int, re.findall(r"^Rss: +(\d+)", text, re.MULTILINE))) / 1024
    return own, whole


def said(name: str, found: list[tuple[float, int]], seconds: float, target: float) -> None:
    """One line: how many, how fast, how late."""
    times = sorted(late for late, _ in found)
    at = {share: times[int(share * (len(times) - 1))] * 1e3 for share in (0.5, 0.95, 0.99)}
    wrong = sum(status != 200 for _, status in found)
    print(
        f"{name}: {len(found) / seconds:.0f} a second, p50 {at[0.5]:.0f} ms, "
        f"p95 {at[0.95]:.0f} ms, p99 {at[0.99]:.0f} ms, {wrong} refused; target: p95 {target:g} ms"
    )


def main() -> None:
    """Print each figure with its target."""
    command = [sys.executable, "-m", "costcalc", "serve", "--port", "0"]
    # with compiled modules, as an installed package has them
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):  # the first start compiles modules
        start = time.perf_counter()
        served = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert served.stderr is not None
        found = re.search(r":(\d+) ", served.stderr.readline())
        assert found
        listening, port = time.perf_counter() - start, int(found[1])
        body = next(bodies(0))
        assert asyncio.run(Client(port).post("/api/v1/estimate", body)) == 200
        first = time.perf_counter() - start
        if _ == 0:
            served.terminate()
            served.wait()
    print(f"listens after {listening:.2f} s, answers first after {first:.2f} s; target: 1.5 s")
    try:
        asyncio.run(waiting(port, 4, 3.0))  # models and machines are read once by each process
        said("open arrivals", asyncio.run(arriving(port, RATE, SECONDS)), SECONDS, 60)
        said(f"{CLIENTS} clients", asyncio.run(waiting(port, CLIENTS, SECONDS)), SECONDS, 250)
        times = []
        for _ in range(4):  # each of the processes once or more
            start = time.perf_counter()
            assert asyncio.run(Client(port).post("/api/v1/compare", sweep())) == 200
            times.append(time.perf_counter() - start)
        print(f"100,000 scenarios: {min(times):.2f} s, first {times[0]:.2f} s; target: 1 s")
        own, whole = memory(served.pid)
        print(f"memory: {own:.0f} MiB ({whole:.0f} with what is shared counted each time); "
              "target: 200 MiB")  # fmt: skip
    finally:
        served.terminate()
        served.wait()


if __name__ == "__main__":
    main()
