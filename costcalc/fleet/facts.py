"""One attempt of one job as a source tells it: what was held, for how long, what a meter saw."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: what a meter's joules cover: the boards alone, or the nodes with all that is in them
Scope = Literal["boards", "node"]
State = Literal[
    "completed", "failed", "timeout", "cancelled", "requeued", "node_fail", "running", "suspended"
]
STATES: tuple[State, ...] = (
    "completed", "failed", "timeout", "cancelled", "requeued", "node_fail", "running", "suspended",
)  # fmt: skip
#: those of an attempt that is not over
GOING: tuple[State, ...] = ("running", "suspended")
#: what a source's times are read by: fleet.yaml's timezone, or themselves
Clock = Literal["local", "absolute"]
#: how a row's reason says that its job held more than its nodes have: one of both is wrong
MORE_THAN = "than its nodes have"
#: the meter that a scheduler's own rows speak of
PLUGIN = "Slurm's energy plugin"
#: those whose work was for nothing, unless a checkpoint kept it
WASTED: tuple[State, ...] = ("failed", "timeout", "cancelled", "requeued", "node_fail")
#: who is believed of one job: what measured it from within comes before what scheduled it, and
#: that its nodes drew no more before both
RANK = {"slurm": 1, "lsf": 1, "pbs": 1, "kubernetes": 1, "prometheus": 2, "report": 3,
        "nodes": 4}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a source says of an attempt.  Units: seconds, devices (a MIG instance is its share of
    one), joules; times are seconds since 1970, UTC.  None is unknown, and never 0.

    ``attempt`` tells those of one job apart: by the first time as the source prints it, so that it
    stays the same when the timezone that it is read by is corrected.
    """

    source: str
    cluster: str
    job: str
    attempt: str
    start: float | None
    end: float | None
    seconds: float
    state: State
    raw: str = ""
    name: str | None = None
    user: str | None = None
    account: str | None = None
    partition: str | None = None
    model: str | None = None
    owner: str | None = None  # the job that it is a part of, where a source tells of both
    had: int | None = None  # how many parts its source says that it had
    at_once: int = 1  # and of its devices are so many of them at once
    submit: float | None = None
    devices: float | None = None
    kinds: tuple[str, ...] = ()
    nodes: int | None = None
    node_list: str | None = None
    cpus: float | None = None
    shards: float | None = None
    joules: float | None = None
    scope: Scope | None = None
    meter: str | None = None
    whole_nodes: bool = False  # the joules are of its nodes, whoever else had a part of them
    part: float | None = None  # of such joules that were taken to be its own
    steps: int | None = None  # how many rows told of the joules
    instead: Facts | None = None  # what is known where this meter turns out to be wrong
    faulty: bool = False  # a meter was read, and says what cannot be
    assumed: bool = False  # the source does not name its cluster: fleet.yaml's name is taken
    clock: Clock | None = None  # what the times are read by; None: an older version did not say
    why: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells an attempt apart from all others."""
        return self.cluster, self.job, self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row of a source that is not counted, and why."""

    line: int | None
    row: str
    why: str


#: no text: NUL, which PostgreSQL refuses; what a terminal obeys or that turns what stands around it
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
T = TypeVar("T", bound="DataclassInstance")


def plain(text: str) -> str:
    """A text of a source, with a mark in place of every character that is none.

    >>> plain("näme"), plain("a\\0b\\x1b[31m")
    ('näme', 'a�b�[31m')
    """
    return text if text.isprintable() else _NO_TEXT.sub("\ufffd", text)


def cleaned(one: T) -> T:
    """A record that a source told with :func:`plain` texts: any user may name a job as he likes."""
    held = {name: value for name in _texts(type(one)) if (value := getattr(one, name))}
    odd = {name: plain(value) for name, value in held.items() if not value.isprintable()}
    return replace(one, **odd) if odd else one


@cache
def _texts(kind: type[object]) -> tuple[str, ...]:
    """The fields of a record that are texts."""
    told = fields(cast("type[DataclassInstance]", kind))
    return tuple(f.name for f in told if str(f.type) in ("str", "str | None"))


#: why the last record of a file is refused whose line has no end
CUT = "the file ends within it, without a line end: was it cut off? if it is whole, end the line"


def named_by(job: str, raw: str) -> str:
    """What a part calls the job that it is of: its name, and its number where there is one, for a
    name is given again.

    >>> named_by("physics/train", "u-0"), named_by("physics/train", "")
    ('physics/train#u-0', 'physics/train')
    """
    return f"{job}#{raw}" if raw else job


def pseudonym(name: str, secret: str) -> str:
    """A user's name as a number that stays the same within one ledger.

    ``secret`` is the ledger's own, so that names cannot be guessed by hashing a list of them.

    >>> pseudonym("anna", "a") == pseudonym("anna", "a") != pseudonym("anna", "b")
    True
    """
    return "user-" + hashlib.sha256(f"{secret}\0{name}".encode()).hexdigest()[:12]


def is_pseudonym(name: str) -> bool:
    """Whether a user's name is such a number.

    >>> is_pseudonym(pseudonym("anna", "a")), is_pseudonym("user-anna")
    (True, False)
    """
    return re.fullmatch("user-[0-9a-f]{12}", name) is not None
