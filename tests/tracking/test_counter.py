"""Steps are counted whatever is passed, and pauses are not taken for training."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc.tracking import counter as module
from costcalc.tracking.counter import Counter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def test_pauses_and_the_first_step_are_no_training_time(clock: list[float]) -> None:
    counter = Counter()
    # compile 60 s, ten steps of 1 s, an evaluation of 30 s, ten steps of 1 s
    for seconds in (60.0, *[1.0] * 10, 30.0, *[1.0] * 10):
        clock[0] += seconds
        counter.step(tokens=100)
    assert counter.steps == 22
    assert counter.tokens == 2200
    assert (counter.timed, counter.busy) == (20, 20.0)


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (7, 7.0),
        (7.5, 7.5),
        (np.int64(7), 7.0),
        (np.float32(7), 7.0),
        (Decimal(7), 7.0),
        (0, 0.0),
        (True, 1.0),
    ],
)
def test_numbers_of_any_kind_are_counted(value: Any, counted: float) -> None:
    counter = Counter()
    counter.step(tokens=value)
    counter.settle()
    assert counter.tokens == counted
    assert not counter.notes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-1, "tokens: expected a number, 0 or more; got -1.0"),
        (float("nan"), "tokens: expected a number, 0 or more; got nan"),
        ("many", "tokens: expected a number; got str (could not convert string to float: 'many')"),
        (
            [1],
            "tokens: expected a number; got list (float() argument must be a string or a real "
            "number, not 'list')",
        ),
    ],
)
def test_what_is_no_number_is_noted_once_and_raises_nothing(value: Any, said: str) -> None:
    counter = Counter()
    for _ in range(3):
        counter.step(tokens=value)
        counter.settle()
    assert list(counter.notes) == [said]
    assert counter.tokens is None
    assert counter.steps == 3


def test_a_value_that_must_be_waited_for_is_waited_for_elsewhere() -> None:
    class OnDevice:
        asked = 0

        def __float__(self) -> float:
            OnDevice.asked += 1
            return 5.0

    counter = Counter()
    counter.step(tokens=OnDevice())
    assert OnDevice.asked == 0
    counter.settle()
    assert counter.tokens == 5.0


def test_steps_of_several_threads_are_all_counted() -> None:
    counter = Counter()

    def work() -> None:
        for _ in range(5000):
            counter.step(tokens=2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counter.steps, counter.tokens) == (20_000, 40_000)


def test_each_count_adds_up_on_its_own() -> None:
    counter = Counter()
    for number in (3, 0, 4.5):
        counter.step(tokens=number, samples=2 * number, total_tokens=10 * number)
    # 3 + 0 + 4.5 = 7.5
    assert (counter.tokens, counter.samples, counter.total_tokens) == (7.5, 15.0, 75.0)


@pytest.mark.parametrize("name", ["tokens", "samples", "total_tokens"])
def test_nothing_counted_is_not_known_and_zero_is_zero(name: str) -> None:
    counter = Counter()
    counter.step()
    assert getattr(counter, name) is None
    counter.step(**{name: 0})
    assert getattr(counter, name) == 0.0


def test_a_pause_is_more_than_ten_times_the_usual_step(clock: list[float]) -> None:
    def after(*seconds: float) -> tuple[int, float]:
        counter = Counter()
        for each in seconds:
            clock[0] += each
            counter.step()
        return counter.timed, counter.busy

    assert after(9.0, 1.0, 10.0) == (
        2,
        pytest.approx(11.0),
    )  # ten times is a slow step, the first is no step
    assert after(9.0, 1.0, 10.5) == (1, pytest.approx(1.0))  # more than that is a pause
    # The usual moves by a twentieth: 1, then 1 + (5 - 1) / 20 = 1.2; 12 s is no pause of it.
    assert after(9.0, 1.0, 5.0, 11.9) == (3, pytest.approx(17.9))
    assert after(9.0, 1.0, 5.0, 12.1) == (2, pytest.approx(6.0))
    # One long step is a pause, two of four are how the job goes; of 200 steps 2 % are 4.
    assert after(9.0, 1.0, 20.0, 1.0, 20.0) == (4, pytest.approx(42.0))
    steps = [9.0, *[1.0] * 196, *[30.0] * 4]
    assert after(*steps) == (196, pytest.approx(196.0))
    assert after(*steps[:-5], *[30.0] * 5) == (200, pytest.approx(195.0 + 150.0))


def test_a_loss_that_is_read_each_ten_steps_is_no_pause(clock: list[float]) -> None:
    """Nine launches of 2 ms, and one that waits for all of them until a second is over."""
    counter = Counter()
    for _ in range(30):
        for seconds in (*[0.002] * 9, 0.982):
            clock[0] += seconds
            counter.step(tokens=100)
    assert counter.busy == pytest.approx(30.0 - 0.002)
    assert counter.tokens / (counter.busy + 0.002) == pytest.approx(1000.0)  # type: ignore[operator]


def test_quick_calls_at_first_do_not_make_pauses_of_the_rest(clock: list[float]) -> None:
    counter = Counter()
    for seconds in (*[0.001] * 4, *[2.0] * 100):
        clock[0] += seconds
        counter.step()
    assert counter.timed == 103
    assert counter.busy / counter.timed == pytest.approx(200.003 / 103)
    assert counter.pace == pytest.approx(1000.0)  # at the most: a stop is told far enough ahead


def test_a_pause_with_a_name_is_no_steps_time(clock: list[float]) -> None:
    counter = Counter()
    for number in range(5):
        clock[0] += 1.0
        counter.step()
        with counter.pause("evaluation"):
            clock[0] += 3.0
        if number == 2:
            with counter.pause("checkpoint"):
                clock[0] += 0.5
    assert (counter.timed, counter.busy) == (4, pytest.approx(4.0))
    assert counter.pauses == {"evaluation": 15.0, "checkpoint": 0.5}


def test_a_pause_within_a_pause_counts_once(clock: list[float]) -> None:
    counter = Counter()
    counter.step()
    clock[0] += 2.0
    with counter.pause("evaluation"):
        clock[0] += 3.0
        with counter.pause("checkpoint"):
            clock[0] += 5.0
        with counter.pause("evaluation"):  # a framework's and the user's own
            clock[0] += 7.0
    counter.step()
    assert (counter.timed, counter.busy) == (1, 2.0)  # 17 s, of which 3 + 5 + 7 are pauses
    assert counter.pauses == {"evaluation": 10.0, "checkpoint": 5.0}  # 15 s, as a clock says


def test_pauses_of_several_threads_count_once_for_the_loop(clock: list[float]) -> None:
    """From 1 s to 4 s in one thread and from 2 s to 6 s in another: 5 s of the 8."""
    counter = Counter()
    counter.step()
    first, second = counter.pause("upload"), counter.pause("upload")
    for at, then in ((1.0, first.__enter__), (2.0, second.__enter__)):
        clock[0] = at
        then()
    for at, pause in ((4.0, first), (6.0, second)):
        clock[0] = at
        pause.__exit__(None, None, None)
    clock[0] = 8.0
    counter.step()
    assert counter.busy == 3.0
    assert counter.pauses == {"upload": 5.0}  # the threads' 3 and 4 s, which are 5 of the loop's


def test_of_a_pause_each_step_has_its_own_part(clock: list[float]) -> None:
    """Steps at 2, 4 and 6 s, and a pause from 1 to 5 s: the second is all pause."""
    counter = Counter()
    counter.step()
    clock[0] = 1.0
    with counter.pause("profiling"):
        clock[0] = 2.0
        counter.step()
        clock[0] = 4.0
        counter.step()
        clock[0] = 5.0
    clock[0] = 6.0
    counter.step()
    assert (counter.timed, counter.busy) == (3, 2.0)


def test_the_clock_of_threads_does_not_run_backwards(clock: list[float]) -> None:
    counter = Counter()
    for at in (10.0, 9.0, 8.0, 11.0):
        clock[0] = at
        counter.step()
    assert counter.busy >= 0


class Tensor:
    """As torch's on a device: ``float`` waits, adding does not, and a buffer is filled in place."""

    waited = 0

    def __init__(self, value: float, kind: str = "cuda") -> None:
        self.value, self.device = value, type("D", (), {"type": kind})()

    def __add__(self, other: Tensor) -> Tensor:
        return Tensor(self.value + other.value)

    def __float__(self) -> float:
        Tensor.waited += 1
        return self.value

    def detach(self) -> Tensor:
        return self

    def double(self) -> Tensor:
        return self

    def clone(self) -> Tensor:
        return Tensor(self.value)


def test_a_buffer_that_is_filled_in_place_counts_what_it_held() -> None:
    counter, buffer = Counter(), Tensor(0.0)
    Tensor.waited = 0
    for number in (10.0, 20.0, 30.0, 40.0):
        buffer.value = number
        counter.step(tokens=buffer)
    assert Tensor.waited == 0
    counter.settle()
    assert counter.tokens == 100.0
    assert Tensor.waited == 1  # of all of them together


class Array:
    """As JAX's, CuPy's or TensorFlow's: no ``clone``, whole numbers of 32 bits, filled in place."""

    device = "TFRT_GPU_0"

    def __init__(self, value: int) -> None:
        self.value = value

    def __add__(self, other: Array | int) -> Array:
        whole = self.value + (other if isinstance(other, int) else other.value)
        return Array((whole + 2**31) % 2**32 - 2**31)

    def __float__(self) -> float:
        return float(self.value)


def test_a_buffer_without_clone_counts_what_it_held() -> None:
    counter, buffer = Counter(), Array(0)
    for number in (10, 20, 30, 40):
        buffer.value = number
        counter.step(tokens=buffer)
    counter.settle()
    assert counter.tokens == 100.0


def test_many_tokens_a_step_do_not_pass_the_end_of_32_bits() -> None:
    """Of 4,096 × 1,024 tokens 512 are as many as 32 bits hold."""
    counter = Counter()
    for _ in range(1000):
        counter.step(tokens=Array(4096 * 1024))
    counter.settle()
    assert counter.tokens == 1000 * 4096 * 1024
    assert not counter.notes


def test_a_sum_goes_on_after_it_was_counted() -> None:
    counter = Counter()
    for _ in range(2):
        for _ in range(300):
            counter.step(tokens=Array(7), samples=Array(1))
        counter.settle()
    assert (counter.tokens, counter.samples) == (4200.0, 600.0)


def test_tensors_of_the_host_and_numpys_buffers_are_read_at_once() -> None:
    counter, buffer, array = Counter(), Tensor(0.0, "cpu"), np.zeros(())
    for number in (10.0, 20.0, 30.0):
        buffer.value, array[...] = number, number
        counter.step(tokens=buffer, samples=array)
    assert (counter.tokens, counter.samples) == (60.0, 60.0)
    assert not counter.notes


def test_none_of_many_steps_of_numpy_is_lost() -> None:
    counter = Counter()
    for _ in range(40_000):
        counter.step(tokens=np.int64(1))
    assert counter.tokens == 40_000


def test_a_number_that_is_no_float_is_noted() -> None:
    counter = Counter()
    counter.step(tokens=10**400)
    counter.settle()
    (note,) = counter.notes
    assert note.startswith("tokens: expected a number; got int")
    assert counter.tokens is None


class Gone:
    """A buffer that was donated, as JAX has it: nothing can be asked of it."""

    def __init__(self, number: float | None = None) -> None:
        self._number = number

    @property
    def device(self) -> Any:
        raise RuntimeError("Array has been deleted")

    def __float__(self) -> float:
        if self._number is None:
            raise UnspokenError
        return self._number


class UnspokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class Unnamed:
    """Of no module, as a type that is made by hand."""

    __module__ = None  # type: ignore[assignment]

    def __float__(self) -> float:
        return 7.0


def test_whatever_cannot_be_asked_raises_nothing_in_the_loop() -> None:
    counter = Counter()
    for value in (Gone(), Gone(5.0), Unnamed()):
        counter.step(tokens=value)
    counter.settle()
    assert (counter.steps, counter.tokens) == (3, 12.0)  # 5 and 7
    assert list(counter.notes) == ["tokens: expected a number; got Gone"]


class Waiting:
    """A number of a kind that cannot be added."""

    def __float__(self) -> float:
        return 1.0


def test_values_that_wait_are_bounded_and_what_is_lost_is_told() -> None:
    counter = Counter()
    for _ in range(10_002):
        counter.step(tokens=Waiting())
    counter.settle()
    assert counter.tokens == 10_000
    assert list(counter.notes) == ["tokens: over 10000 values waited to be counted: some are lost"]


def test_steps_done_at_once_took_as_long_as_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps in 1 s, and ten in 20 s: 20 times as long each, which is a pause."""
    now = [0.0]
    monkeypatch.setattr("costcalc.tracking.counter.perf_counter", lambda: now[0])
    counter = Counter()
    counter.step(steps=10)
    for later in (*range(1, 101), 120):
        now[0] = float(later)
        counter.step(tokens=5, steps=10)
    assert (counter.steps, counter.tokens) == (1020, 505.0)
    assert (counter.timed, counter.busy) == (1000, pytest.approx(100.0))
    now[0] = 121.0
    counter.step(tokens=7, steps=0)  # what was computed and came to no step
    assert (counter.steps, counter.tokens, counter.timed) == (1020, 512.0, 1000)


def test_batches_that_come_to_no_step_are_in_the_time_of_the_next(clock: list[float]) -> None:
    """Four batches of 2 s a step (accumulated gradients): 8 s a step, however it is told."""
    counter = Counter()
    for batch in range(1, 41):
        clock[0] += 2.0
        counter.step(samples=5, steps=int(batch % 4 == 0))
    assert (counter.steps, counter.samples) == (10, 200.0)
    assert (counter.timed, counter.busy) == (9, 9 * 8.0)  # the first is not timed
    with counter.pause("evaluation"):  # within a step
        clock[0] += 30.0
    for batch in range(1, 5):
        clock[0] += 2.0
        counter.step(samples=5, steps=int(batch % 4 == 0))
    assert (counter.timed, counter.busy) == (10, 10 * 8.0)


def test_what_counts_within_a_count_does_not_wait_for_itself() -> None:
    """As a signal's handler does, which saves a checkpoint in the middle of a step."""
    counter = Counter()

    class Interrupted:
        device = SimpleNamespace(type="cpu")

        def __float__(self) -> float:
            with counter.pause("checkpoint"):
                counter.step(tokens=1)
            return 5.0

    # A daemon: where it waits for ever the test fails, and ends.
    loop = threading.Thread(target=counter.step, args=(Interrupted(),), daemon=True)
    loop.start()
    loop.join(10.0)
    assert not loop.is_alive()
    assert (counter.steps, counter.tokens) == (2, 6.0)


@pytest.mark.parametrize("steps", [None, "a", -3, 2.5, [1]])
def test_a_number_of_steps_that_is_none_is_one_step_and_told(steps: Any) -> None:
    counter = Counter()
    counter.step(tokens=5, steps=steps)
    assert (counter.steps, counter.tokens) == (1, 5.0)
    said = f"steps: expected a whole number, 0 or more; got {type(steps).__name__}"
    assert list(counter.notes) == [said]


def test_numbers_of_steps_of_numpy_are_whole_ones() -> None:
    counter = Counter()
    for steps in (np.int64(3), np.array(4), True, 0):
        counter.step(steps=steps)
    assert (counter.steps, list(counter.notes)) == (8, [])
    assert type(counter.steps) is int


def test_names_of_pauses_are_few_and_short_whatever_is_given() -> None:
    """30 names of their own, then one for the rest: each stands in every record of a month."""

    class Silent:
        def __str__(self) -> str:
            raise ValueError

    counter = Counter()
    for name in (None, ["x"], Silent(), "y" * 1000, *(f"evaluation {n}" for n in range(1000))):
        with counter.pause(name):
            pass
    assert [*counter.pauses][:4] == ["None", "['x']", "Silent", "y" * 60]
    assert len(counter.pauses) == 31
    assert [*counter.pauses][-1] == "other pauses"
    assert list(counter.notes) == ["pauses have over 30 names: the rest are other pauses"]


def test_a_forked_child_waits_for_no_lock_of_its_parents() -> None:
    """The parent's thread counts as the child begins: in the child nobody would ever let go."""
    tracker = costcalc.track(progress=False).start()
    thread = tracker._thread
    assert thread is not None
    thread.finish("completed", 10.0)
    counter = tracker._counter
    with ThreadPoolExecutor(1) as another:
        another.submit(counter._lock.acquire).result()
        tracker.disarm()  # as in the child
        with tracker.pause("evaluation"):
            tracker.step(tokens=1)
        another.submit(counter._lock.release).result()
    assert tracker._counter.steps == 0


def test_a_step_is_one_step() -> None:
    counter = Counter()
    counter.step()
    assert counter.steps == 1
    counter.step(steps=4)
    assert counter.steps == 5
