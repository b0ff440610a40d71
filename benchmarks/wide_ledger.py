"""The ledger of a job that has run for a month on many ranks, written in seconds: what its writers
would have left of it, folded as they fold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from costcalc.tracking.ledger import FOLD, Writer, encoded
from costcalc.tracking.records import Device, Energy, Place, Sample, Start

DAY = 86_400.0
_WATTS = {"device": 500.0, "cpu": 300.0}


def job(folder: Path, *, ranks: int = 1024, days: float = 30.0, per_node: int = 8) -> list[Start]:
    """Write the files of all ranks; who wrote them."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = [_start(rank, ranks, per_node, began=1.8e9 - days * DAY) for rank in range(ranks)]
    for start in starts:
        lines = [encoded(start)]
        line, number = len(encoded(sample(start, days * DAY))), 0
        while sum(map(len, lines)) + line < FOLD * 0.9:
            number += 1
            lines.append(encoded(sample(start, days * DAY * (1 - 0.9**number))))
        lines.append(encoded(sample(start, days * DAY)))
        Path(folder, Writer(folder, start).name).write_bytes(b"".join(lines))
    return starts


def _start(rank: int, ranks: int, per_node: int, *, began: float) -> Start:
    node, local = divmod(rank, per_node)
    devices = [
        Device(uuid=f"GPU-{node}-{n}", name="NVIDIA H100 80GB HBM3") for n in range(per_node)
    ]
    return Start(
        job="wide",
        writer=f"{rank:08x}",
        time=began,
        boot=f"boot{node}",
        host=f"node{node}",
        interval=10.0,
        devices=tuple(devices) if local == 0 else (),
        place=Place(
            rank=rank,
            local_rank=local,
            world=ranks,
            local_world=per_node,
            node=node,
            nodes=-(-ranks // per_node),
            job="wide",
        ),
    )


def sample(start: Start, elapsed: float) -> Sample:
    """How far a rank is after so many seconds: a step of 5 s, 16,384 tokens each."""
    keys = [f"gpu:{device.uuid}" for device in start.devices]
    keys += [f"cpu:{start.boot}"] if keys else []
    energy = {
        key: Energy(
            joules=elapsed * _WATTS["device" if key.startswith("gpu") else "cpu"],
            basis="measured",
            meter="NVML energy counter (CodeCarbon)" if key.startswith("gpu") else "RAPL",
            component="device" if key.startswith("gpu") else "cpu",
        )
        for key in keys
    }
    steps = int(elapsed / 5)
    one = Sample(time=start.time + elapsed, elapsed=elapsed, energy=energy)
    return replace(one, steps=steps, timed=steps, busy=steps * 5.0, tokens=steps * 16384.0)


def go_on(folder: Path, starts: list[Start], elapsed: float) -> None:
    """One interval of all ranks but the first: a line each."""
    for start in starts[1:]:
        with Path(folder, Writer(folder, start).name).open("ab") as file:
            file.write(encoded(sample(start, elapsed)))
