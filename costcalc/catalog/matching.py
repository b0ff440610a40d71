"""Which entry of the catalogue a name stands for, as people type it and drivers report it.

In this order, the first that finds something deciding:

1. an id, an alias, or the name that it is shown by, but for case and blanks;
2. the same without blanks, hyphens and the words that say only who made it (``rtx4090``);
3. of boards: the entries that say all of the name's words, and no word that makes another chip
   (``L40S 48 GB``, but never a laptop's chip for the desktop's). A size of memory is said by the
   boards that have it.

Of 2 and 3 a unique entry is taken and said (:func:`said`); several are refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from costcalc.base.errors import NotFoundError, Problem, listing, nearest
from costcalc.catalog.index import index, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from costcalc.catalog.index import Head

# Words of a name that do not tell one board of a maker from another.
_MAKERS = {"nvidia", "amd", "intel", "apple", "google", "huawei", "corporation", "r", "tm"}
_MAKERS |= {"gpu", "graphics", "generation", "geforce", "tesla", "instinct", "habana", "cloud"}
_MAKERS |= {"oam", "developer", "kit", "engineering", "reference", "card", "collectors", "edition"}
_MAKERS |= {"nvgpu", "lhr"}
SLUGS = ("nvidia-", "nvidia_")  # a cloud's own word for one board: a name as it stands, or none

# Words that make another chip of a name.
_VARIANTS = {"ti", "super", "laptop", "maxq", "d", "s", "a", "xt", "xtx", "gre", "nvl"}
_VARIANTS |= {"ultra", "pro", "max", "mini", "ada", "blackwell", "orin"}
# Lines of boards, whose word is left out where a number says enough ("3080").
_LINES = {"rtx", "gtx", "rx", "arc", "radeon"}

# Apple's machines, which are called by their chip too: "MacBook Pro M1" has an M1, no M1 Pro.
_MACS = re.compile(
    r"\b(?:macbook(?: pro| air)?|mac (?:studio|mini|pro)|imac(?: pro)?)\b(?=.*\bm\d)"
)

# What tools print around a name: nvidia-smi -L, rocm-smi, lspci, and ROCm behind its targets.
_LISTED = re.compile(
    r"^gpu ?\[?\d+\]?\s*: *(?:card (?:series|model) *: *)?|^device name *: *|\(uuid: [^)]*\)"
    r"|^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] .*?controller(?: \[\w+\])?: "
    r"|(?: \[[0-9a-f]{4}:[0-9a-f]{4}\])? \(rev [0-9a-f]{2}\)|:(?:sramecc|xnack)[+-]"
)
_SIZE = re.compile(r"\b(\d+) ?g(?:i?b)?\b")
_MEMORY = re.compile(r"(\d+)gb")
SOLD = 1.08  # a board's memory as it is sold, at most, over what software can use of it
_BRACKETED = re.compile(r".*\[(?:(?:amd|radeon) )*(.+)\]")
_GLUED = re.compile(r"\b(?:rtx|gtx|rx)(?=\d)|(?<=\d)(?=(?:ti|super|xt|xtx)\b)")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
SHORTEST = 4  # of a name that is matched by its words; shorter ones say too little
MOST, CLOSE, LONGEST = 4, 12, 200  # ids that a refusal names; names and letters looked at
RARE = 6  # entries that a word may stand in to tell one from another

_COUNTED = re.compile(r"(\d{1,7}) ?[x×*] ?(?=\D*\S)(.+)|(.+?)(?: ?[×*:] ?| x ?)(\d{1,7})")


def words(name: str) -> tuple[str, ...]:
    """The words of a name, those left out that say only who made it.

    >>> words("NVIDIA GeForce RTX 4070Ti SUPER"), words("A100-SXM4-80GB")
    (('rtx', '4070', 'ti', 'super'), ('a100', 'sxm4', '80gb'))
    """
    text = unlisted(name).replace("max-q", "maxq").replace("mobile", "laptop")
    text = _MACS.sub(" ", text.replace("lite hash rate", "lhr"))
    text = _GLUED.sub(r"\g<0> ", text)
    text = _SIZE.sub(r"\1gb", re.sub(r"[-_/(),®™]+", " ", text))
    return tuple(word for word in _WORD.findall(text) if word not in _MAKERS)


def unlisted(name: str) -> str:
    """A name as it is compared, without what tools print around it.

    >>> unlisted("GPU 0: NVIDIA L40S (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)")
    'nvidia l40s'
    """
    return _LISTED.sub("", plain(name)).strip()


def letters(name: str) -> str:
    """A name by its letters and digits alone.

    >>> letters("UK-South"), letters("us-east-1")
    ('uksouth', 'useast1')
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def compact(name: str) -> str:
    """A name without blanks, hyphens and makers.

    >>> compact("GeForce RTX 4090") == compact("rtx4090")
    True
    """
    return "".join(words(name))


def entries(name: str, heads: Iterable[Head], *, by_words: bool = False) -> list[Head]:
    """The entries that a name may stand for; one where it stands for no other."""
    listed, wanted = list(heads), plain(name)
    exact = [head for head in listed if wanted in head.names]
    exact = exact or _alone([head for head in listed if plain(head.name) == wanted])
    if exact or not (short := compact(name)):
        return exact[:1]
    same = [head for head in listed if short in _compacted(head)]
    if same or not by_words or len(short) < SHORTEST:
        return same
    asked = words(name)
    sizes = {word for word in asked if _MEMORY.fullmatch(word)}
    rest = "".join(word for word in asked if word not in sizes)
    bare = [head for head in listed if rest in _compacted(head) if _has_all(head, sizes)]
    found = bare or [head for head in listed if says(set(asked), head)]
    found = [head for head in found if _sizes(head) & sizes] or found
    return _of_its_line(set(asked), found) or found


def _alone(heads: list[Head]) -> list[Head]:
    """One head, where it is one: two that are shown alike are not told apart by it."""
    return heads if len(heads) == 1 else []


def _of_its_line(asked: set[str], found: Sequence[Head]) -> list[Head]:
    """The one of several boards that a number is the whole name of but for its line: RTX 3080."""
    if len(found) < 2 or not any(map(str.isdigit, "".join(asked))):
        return []
    named = [
        head
        for head in found
        if any(
            len(more := set(words(each)) - asked) == 1
            and more <= _LINES
            and asked <= set(words(each))
            for each in head.names
        )
    ]
    return named if len(named) == 1 else []


def _compacted(head: Head) -> set[str]:
    return {compact(each) for each in head.names if not each.startswith(SLUGS)}


def says(asked: set[str], head: Head) -> bool:
    """Whether an entry says all of the words; and by one name at least, no other variant."""
    named = [set(words(each)) for each in head.names]
    every: set[str] = set().union(*named)
    if not _has_all(head, asked - every):
        return False
    if all(word.startswith("gfx") for word in asked):  # ROCm's target of a chip, in all its boards
        return True
    return any(not (each & _VARIANTS) - asked for each in named)


def _sizes(head: Head) -> set[str]:
    """The sizes of memory that an entry is called by: of 94 and 96 GB, "96GB" is the latter."""
    return {word for name in head.names for word in words(name) if _MEMORY.fullmatch(word)}


def _has_all(head: Head, sizes: Iterable[str]) -> bool:
    """Whether words are each the size of an entry's memory."""
    memory = head.gigabytes or 0.0
    found = (_MEMORY.fullmatch(word) for word in sizes)
    return all(one and memory * 0.99 <= int(one[1]) <= memory * SOLD for one in found)


@lru_cache(maxsize=1024)
def shipped_as(name: str, kinds: tuple[str, ...], *, by_words: bool = False) -> tuple[Head, ...]:
    """What a name may stand for among what ships."""
    wanted = plain(name)
    for kind in kinds:
        file = index().names(kind).get(wanted)
        if file is not None:
            return tuple(head for head in index().heads(kind) if head.file == file)
    every = [head for kind in kinds for head in index().heads(kind)]
    found = entries(name, every, by_words=by_words)
    if not found and by_words:
        found = [head for one in bracketed(name) for head in shipped_as(one, kinds, by_words=True)]
    return tuple(dict.fromkeys(found))


def bracketed(name: str) -> list[str]:
    """The names that a listing of PCI devices has in brackets behind the chip's.

    >>> bracketed("Navi 31 [Radeon RX 7900 XT/7900 XTX]"), bracketed("RTX 4090")
    (['rx 7900 xt', 'rx 7900 xtx'], [])
    """
    match = _BRACKETED.fullmatch(unlisted(name))
    if match is None:
        return []
    first, *others = (one.strip() for one in match[1].split("/"))
    line = re.match(r"\D*", first)
    before = line[0] if line else ""
    others = [one for one in others if not set(words(one)) <= _VARIANTS]  # "Mobile / Max-Q"
    return [first, *(before + one if one[:1].isdigit() else one for one in others)]


def said(name: str, taken: str, names: Iterable[str]) -> str | None:
    """What a result says where a name is not an entry's own; None where it is.

    >>> said("rtx4090", "rtx-4090", ["rtx-4090"])
    '"rtx4090" is taken as rtx-4090'
    """
    return None if plain(name) in set(names) else f'"{name}" is taken as {taken}'


def counted(name: str) -> tuple[int, str] | None:
    """The number and the device that a name such as ``8xA100`` says.

    >>> counted("8xA100"), counted("H100:8"), counted("RTX 4090"), counted("L40S x2")
    ((8, 'A100'), (8, 'H100'), None, (2, 'L40S'))
    """
    match = _COUNTED.fullmatch(name.strip())
    if match is None:
        return None
    before, first, last, after = match.groups()
    return (int(before), first.strip()) if before else (int(after), last.strip())


# Names that drivers give to many boards, and what tells them apart.
_UNTOLD = {
    "radeon": "write the target that rocminfo prints (gfx1151), or the board's or processor's name",
    "device": "the driver did not know the board: write its name",
    "arc": "write the processor's graphics by number (Arc 140V), or the board",
    "orin": "write the module: jetson-agx-orin-64, jetson-orin-nx-16, jetson-orin-nano-8, ...",
}


# What software calls whatever device there is, and what says its name.
_ANY = {
    **dict.fromkeys(("cuda", "gpu", "cuda:0", "nvidia.com/gpu", "nvidia"), "nvidia-smi -L says it"),
    **dict.fromkeys(("hip", "rocm", "amd.com/gpu"), "rocm-smi --showproductname says it"),
    **dict.fromkeys(("mps", "metal"), "About This Mac says it: M4 Max"),
    **dict.fromkeys(("cpu",), "lscpu says it: AMD EPYC 9654"),
    **dict.fromkeys(("tpu", "google.com/tpu"), "v5e, or a slice: v4-128"),
    **dict.fromkeys(("xpu", "hpu", "npu"), "Max 1550, Gaudi 2, Ascend 910B"),
}


def refusal(
    key: str, kind: str, name: str, heads: Sequence[Head], candidates: Sequence[Head], way_out: str
) -> NotFoundError:
    """The error of a name that stands for none, or for several; ``way_out``: what else to do."""
    boards = kind == "accelerator"
    of_it = _of_architecture(name, heads) if boards else []
    untold = _UNTOLD.get(compact(name)) if boards else None
    if boards and plain(name) in _ANY:
        message = f'"{name[:60]}" is any device: write its name ({_ANY[plain(name)]}); {way_out}'
    elif untold:
        message = f'"{name[:60]}" is what several chips are called: {untold}; {way_out}'
    elif of_it:
        more = ", …" * (len(of_it) == MOST)
        message = f'"{name[:60]}" is a family of boards ({", ".join(of_it)}{more}): write which'
    elif candidates:
        several = listing(sorted({head.id for head in candidates}))
        message = f'"{name[:60]}" may be {several}: write which'
    else:
        near = alike(name, heads)
        hint = f"nearest: {', '.join(near)}; " if near else ""
        otherwise = way_out if near else way_out.removeprefix("or ")
        message = f"no {kind} {name[:60]}; {hint}{otherwise}"
    return NotFoundError(Problem(key=key, message=message))


def _of_architecture(name: str, heads: Iterable[Head]) -> list[str]:
    """The boards of a generation of chips that go by the most names; none of another name."""
    wanted = plain(name)
    shipped = {head.file for kind in ("accelerators", "cpus") for head in index().heads(kind)}
    found = [head for head in heads if head.file in shipped and _generation(head) == wanted]
    return [head.id for head in sorted(found, key=lambda head: -len(head.aliases))[:MOST]]


def _generation(head: Head) -> str:
    told = index().data(head.file)
    return str(told.get("generation", "")) if isinstance(told, dict) else ""


def alike(name: str, heads: Sequence[Head]) -> list[str]:
    """Ids most like a name that is none: spelt alike, the more so for words that few others say."""
    from difflib import SequenceMatcher

    ids = {each: head.id for head in heads for each in head.names}
    by_id = {head.id: {word for each in head.names for word in words(each)} for head in heads}
    common = Counter(word for said in by_id.values() for word in said)
    asked, wanted = set(words(name)), plain(name)[:LONGEST]
    shared = {
        each: min(1.0, sum(1 / common[word] for word in asked & said))
        for each, said in by_id.items()
    }
    likeness: dict[str, float] = {}
    near = set(nearest(name, ids, at_most=CLOSE))
    for each, one in ids.items():
        if each in near or shared[one] >= 1 / RARE:
            score = SequenceMatcher(None, each, wanted).ratio() + shared[one] / 2
            likeness[one] = max(likeness.get(one, 0.0), score)
    return sorted(likeness, key=lambda one: (-likeness[one], one))[:MOST]
