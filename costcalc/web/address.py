"""An address that holds a whole run: each key of the run file is a parameter of the query.

``?model.preset=llama-3-8b&training.tokens=1T&hardware.count=8`` reads as it is; a longer run is
packed into one parameter.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

from costcalc.base.errors import InputError, Problem, wrong
from costcalc.base.reading import read, scalar
from costcalc.runfile.laying import lay_over
from costcalc.web.bounds import ADDRESS, BODY

PACKED = "z"
OPTIONS = ("minimize", "confidence", "tokens_per_parameter", "experts")
"""What of a page's question is no key of the run file."""
_FIELDS = 300
_ROOM = 60
"""Characters that are left for what stands before the query: the host, the page."""

_BRACKETS = ("{", "[", '"')

Run = dict[str, object]


def query(run: Mapping[str, object], options: Mapping[str, str]) -> str | None:
    """The query that holds a run and options; None where none of 2,000 characters does.

    >>> query({"model": {"preset": "gpt2"}, "hardware": {"count": 8}}, {"minimize": "cost"})
    'model.preset=gpt2&hardware.count=8&minimize=cost'
    """
    pairs = [*_leaves(run), *options.items()]
    plain = urlencode(pairs, safe=":/,()")
    if len(plain) <= ADDRESS - _ROOM:
        return plain
    text = json.dumps(run, separators=(",", ":"), ensure_ascii=False)
    made = base64.urlsafe_b64encode(zlib.compress(text.encode("utf-8"), 9)).decode().rstrip("=")
    packed = urlencode([(PACKED, made), *options.items()])
    return packed if len(packed) <= ADDRESS - _ROOM else None


def read_query(text: str) -> tuple[Run, dict[str, str]]:
    """The run and the options of a query.

    Raises:
        InputError: it cannot be read.

    >>> read_query("model.preset=gpt2&hardware.count=8&minimize=cost")
    ({'model': {'preset': 'gpt2'}, 'hardware': {'count': 8}}, {'minimize': 'cost'})
    """
    return of_pairs(pairs_of(text))


def pairs_of(text: str) -> list[tuple[str, str]]:
    """The parameters of a query or of a form that was sent.

    Raises:
        InputError: there are too many, or they are no text.
    """
    if len(text) > BODY:
        raise wrong("", f"expected {BODY:,} characters at most")
    try:
        return parse_qsl(text, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise wrong("", f"expected {_FIELDS} fields of text at most") from None


def of_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[Run, dict[str, str]]:
    """The run and the options that parameters say.

    Raises:
        InputError: a value cannot be read.
    """
    run: Run = {}
    options: dict[str, str] = {}
    for key, text in pairs:
        if key == PACKED:
            run = lay_over(_unpacked(text), run)
        elif key in OPTIONS:
            options[key] = text
        else:
            run = put(run, key, value(text, key))
    return run, options


def put(run: Run, dotted: str, said: object) -> Run:
    """A run with a dotted key set.

    >>> put({"a": {"b": 1}}, "a.c", 2)
    {'a': {'b': 1, 'c': 2}}
    """
    first, _, rest = dotted.partition(".")
    if not rest:
        return {**run, first: said}
    below = run.get(first)
    return {**run, first: put(dict(below) if isinstance(below, Mapping) else {}, rest, said)}


def value(text: str, key: str) -> object:
    """A value as a run file would read it: a word, a number, or a mapping or list in brackets.

    Raises:
        InputError: brackets that are none.

    >>> value("8", "k"), value("8.03B", "k"), value("{data: 8}", "k")
    (8, '8.03B', {'data': 8})
    """
    text = text.strip()
    if text.startswith(_BRACKETS):
        try:
            made: object = read(text, key[:60]).data
        except InputError as error:
            raise InputError(
                Problem(key=key[:60], message=problem.message) for problem in error.problems
            ) from None
        return made
    found: object = scalar(text)
    return found


def _leaves(run: Mapping[str, object], at: str = "") -> Iterator[tuple[str, str]]:
    for key, said in run.items():
        name = f"{at}.{key}" if at else key
        if isinstance(said, Mapping) and said and key != "config" and _plain(said):
            yield from _leaves(said, name)
        elif said is not None:
            yield name, text_of(said)


def _plain(said: Mapping[str, object]) -> bool:
    """Whether keys can stand between dots."""
    return all(key and "." not in key for key in said)


def text_of(said: object) -> str:
    """A value as text that :func:`value` reads again.

    >>> text_of(8), text_of("15T"), text_of([1, 2]), text_of(True), text_of(7.2e23)
    ('8', '15T', '[1,2]', 'true', '7.2e+23')
    """
    if isinstance(said, str) and scalar(said) == said and not said.startswith(_BRACKETS):
        return said
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def _unpacked(text: str) -> Run:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        engine = zlib.decompressobj()
        plain = engine.decompress(raw, BODY)
        if engine.unconsumed_tail:
            raise wrong(PACKED, f"expected {BODY:,} characters at most")
        made = read(plain, PACKED).data
    except (binascii.Error, zlib.error, UnicodeEncodeError):
        raise wrong(PACKED, "the address was cut short or changed") from None
    if not isinstance(made, dict):
        raise wrong(PACKED, "the address was cut short or changed")
    return made
