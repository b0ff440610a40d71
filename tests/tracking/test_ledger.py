"""The ledger keeps all that was whole: whatever is torn, killed, full or stale."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.tracking import follow, ledger
from costcalc.tracking.follow import Follower, read
from costcalc.tracking.ledger import Writer, Written
from costcalc.tracking.records import Energy, Place, Sample, Start, to_line


def start(job: str = "a", writer: str = "w", rank: int = 0, at: float = 0.0) -> Start:
    return Start(
        job=job, writer=writer, time=at, place=Place(rank=rank, node=0, job=job), boot="b", host="h"
    )


def sample(number: int, status: str = "running") -> Sample:
    energy = {
        "cpu:b": Energy(joules=10.0 * number, basis="measured", meter="rapl", component="cpu")
    }
    return Sample(
        time=100.0 + number,
        elapsed=float(number),
        steps=number,
        tokens=8.0 * number,
        energy=energy,
        status=status,
    )  # type: ignore[arg-type]


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "new" / "folder", start())
    writer.append(start())
    for number in (1, 2, 3):
        writer.append(sample(number))
    (found,) = read(tmp_path / "new" / "folder")
    assert found.start == start()
    assert found.last == sample(3)
    assert found.faults == ()


def test_a_sample_alone_brings_its_start(tmp_path: Path) -> None:
    Writer(tmp_path, start()).append(sample(1))
    assert read(tmp_path)[0].start == start()


@given(cut=st.integers(0, 3000))
def test_whatever_is_cut_off_the_whole_lines_are_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    writer = Writer(folder, start())
    for number in range(1, 8):
        writer.append(sample(number))
    path = folder / writer.name
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    whole = data.count(b"\n")  # the start, then a sample a line
    cut_at_its_end = path.read_bytes() + b"\n"
    found = read(folder)
    if whole == 0 and not _reads(data):
        assert found == []
        return
    steps = found[0].last.steps if found[0].last else 0
    assert steps in (max(whole - 1, 0), cut_at_its_end.count(b"\n") - 1)


def _reads(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def test_after_a_torn_line_the_next_one_is_whole(tmp_path: Path) -> None:
    writer = Writer(tmp_path, start())
    writer.append(sample(1))
    with (tmp_path / writer.name).open("ab") as file:
        file.write(b'{"kind":"sam')  # a full disk took half a line
    writer._torn = True
    writer.append(sample(2))
    (found,) = read(tmp_path)
    assert found.last == sample(2)
    assert found.faults == (f"{writer.name}: line 3 cannot be read",)


def test_a_full_disk_raises_and_the_next_line_tells_all(tmp_path: Path) -> None:
    writer = Writer(tmp_path, start())
    writer.append(sample(1))
    path = tmp_path / writer.name
    kept = path.read_bytes()
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        writer.append(sample(2))
    path.unlink()
    path.write_bytes(kept)
    writer.append(sample(3))
    assert read(tmp_path)[0].last == sample(3)


def test_two_jobs_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    for job in ("a", "b"):
        for rank in (0, 1):
            Writer(tmp_path, start(job, f"w{rank}", rank)).append(sample(rank + 1))
    assert [w.start.job for w in read(tmp_path)] == ["a", "a", "b", "b"]
    assert [w.start.place.rank for w in read(tmp_path, job="b")] == [0, 1]
    assert read(tmp_path, job="c") == []


def test_files_of_others_and_files_that_vanish_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Writer(tmp_path, start()).append(sample(1))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "other.jsonl").write_text('{"kind": "start", "schema": "other/v1"}\n[]\n')
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    listed = [*(path.name for path in tmp_path.iterdir()), "gone.jsonl"]
    monkeypatch.setattr(
        Follower, "_listed_files", lambda _: iter([(name, (1, 2, 3)) for name in listed])
    )
    assert len(read(tmp_path)) == 1


@pytest.mark.frameworks
def test_an_object_store_holds_one_object_a_writer(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    url = f"memory://{tmp_path.name}"
    writer = Writer(url, start())
    for number in (1, 2, 3):
        writer.append(sample(number))
    (found,) = read(url)
    assert found.last == sample(3)


KILLED = """
import sys
from costcalc.tracking.ledger import Writer
from costcalc.tracking.records import Place, Sample, Start
start = Start(job="a", writer="w", time=0.0, place=Place(job="a"), boot="b", host="h")
writer = Writer(sys.argv[1], start)
number = 0
while True:
    number += 1
    writer.append(Sample(time=0.0, elapsed=float(number), steps=number))
    print(number, flush=True)
"""


def test_a_kill_loses_at_most_the_line_that_was_being_written(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], text=True, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        said = [int(child.stdout.readline()) for _ in range(30)]
        child.send_signal(signal.SIGKILL)
        said += [int(line) for line in child.stdout.read().split()]
    last = read(tmp_path)[0].last
    assert last is not None
    assert last.steps >= said[-1]


def test_a_line_of_a_mebibyte_is_read_and_a_longer_one_is_not(tmp_path: Path) -> None:
    Writer(tmp_path, start()).append(sample(1))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for spare, steps in ((0, 2), (1, 1)):
        line = json.dumps(to_line(sample(2))).encode()
        path.write_bytes(whole + line + b" " * (2**20 + spare - len(line)) + b"\n")
        (found,) = read(tmp_path)
        assert found.last is not None
        assert found.last.steps == steps


def test_only_a_last_line_may_be_unfinished(tmp_path: Path) -> None:
    writer = Writer(tmp_path, start())
    writer.append(sample(1))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "sam')  # is being written, or was when the job was killed
    assert read(tmp_path)[0].faults == ()
    path.write_bytes(whole + b'{"kind": "sam\n')
    assert read(tmp_path)[0].faults == (f"{path.name}: line 3 cannot be read",)


def test_a_long_file_is_folded_and_its_last_line_is_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path, start(), fold=4000)
    line = len(ledger.encoded(sample(10)))
    for number in range(1, 1001):
        writer.append(sample(number))
        (path,) = tmp_path.iterdir()
        assert path.stat().st_size <= 4000 + line + 10
        assert read(tmp_path)[0].last == sample(number)
    steps = [json.loads(text).get("steps") for text in path.read_text().splitlines()[1:]]
    assert steps == sorted(steps)
    # something of the past is there, ever more widely spaced: the newest alone were not as old
    assert steps[0] < 1000 - len(steps)
    assert path.name == f"{ledger.job_hash('a')}-n0-r0-w.jsonl"
    assert ledger.FOLD == 64 * 1024  # a month of eight ranks: half a megabyte a node


def test_a_file_that_cannot_be_folded_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = Writer(tmp_path, start(), fold=1)
    monkeypatch.setattr(Path, "replace", full)
    for number in (1, 2, 3):
        writer.append(sample(number))
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]
    assert read(tmp_path)[0].last == sample(3)


def test_files_of_an_earlier_version_that_began_a_new_one_are_read_as_one(tmp_path: Path) -> None:
    for part, numbers in (("", (1, 2)), (".1", (3, 4))):
        lines = [ledger.encoded(item) for item in (start(), *map(sample, numbers))]
        (tmp_path / f"{ledger.job_hash('a')}-n0-r0-w{part}.jsonl").write_bytes(b"".join(lines))
    (found,) = read(tmp_path)
    assert found.last == sample(4)


def test_each_byte_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers = [Writer(tmp_path, start(writer=f"w{rank}", rank=rank)) for rank in range(4)]
    for writer in writers:
        for number in (1, 2, 3):
            writer.append(sample(number))
    taken: list[tuple[str, int]] = []
    real = Follower._take

    def counting(self: Follower, name: str, known: Any, data: bytes, *, whole: bool) -> None:
        taken.append((name, len(data)))
        real(self, name, known, data, whole=whole)

    monkeypatch.setattr(Follower, "_take", counting)
    follower = Follower(tmp_path, job="a")
    assert len(follower.look()) == 4
    assert sum(size for _, size in taken) == sum(p.stat().st_size for p in tmp_path.iterdir())
    taken.clear()
    assert len(follower.look()) == 4
    assert taken == []  # nothing is new
    writers[2].append(sample(4))
    assert [w.last.steps for w in follower.look() if w.last] == [3, 3, 4, 3]
    assert taken == [(writers[2].name, len(ledger.encoded(sample(4))))]


def test_a_file_of_gigabytes_is_read_at_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_PIECE", 3000)
    writer = Writer(tmp_path, start(), fold=2**40)
    for number in range(1, 100):
        writer.append(sample(number))
    taken: list[int] = []
    real = Follower._take

    def counting(self: Follower, name: str, known: Any, data: bytes, *, whole: bool) -> None:
        taken.append(len(data))
        real(self, name, known, data, whole=whole)

    monkeypatch.setattr(Follower, "_take", counting)
    (found,) = read(tmp_path)
    assert (found.last, found.faults) == (sample(99), ())
    assert sum(taken) <= 6000


def test_a_follower_sees_a_folded_file_anew(tmp_path: Path) -> None:
    writer = Writer(tmp_path, start(), fold=2000)
    follower = Follower(tmp_path)
    for number in range(1, 60):
        writer.append(sample(number))
        (found,) = follower.look()
        assert (found.last, found.faults) == (sample(number), ())


def test_a_rank_looks_at_its_own_node(tmp_path: Path) -> None:
    for node in (0, 1):
        place = Place(rank=node, node=node, world=2, job="a")
        one = replace(start(), place=place, writer=f"w{node}")
        Writer(tmp_path, one).append(sample(1))
    assert [w.start.writer for w in Follower(tmp_path, job="a", node=1).look()] == ["w1"]
    assert len(Follower(tmp_path, job="a").look()) == 2


def test_a_protocol_that_nobody_knows_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"rotocol|fsspec"):
        read("nosuch://bucket/ledger")


def test_checkpoints_of_an_earlier_version_are_read() -> None:
    lines = [to_line(start()), to_line(sample(3))]
    written = Written(start=start(), last=sample(3))
    assert Written.from_lines(json.loads(json.dumps(lines))) == written
    assert Written.from_lines([to_line(start())]) == Written(start=start())
    for records in ([sample(1)], [sample(1), sample(2)], [start(), start()]):
        with pytest.raises(ValueError, match="expected a start and a sample"):
            Written.from_lines([to_line(record) for record in records])
