"""Tables of other tools, cell by cell: what cannot be read is a problem at its line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from costcalc.base.errors import InputError, Problem


class Row(dict[str, str]):
    """A row of a table by its columns' names, the line that it stands in, and cells beyond them."""

    line: int = 0
    beyond: tuple[str, ...] = ()


def table(
    text: str,
    name: str,
    needed: Sequence[Sequence[str]],
    what: str,
    *,
    said: str,
    also: Sequence[str] = (),
    delimiter: str = ",",
    quotes: bool = True,
) -> list[Row]:
    """The rows of a table with a header; of each group of ``needed`` one column must be there.

    Names of columns are read whatever their case and the blanks around them, as ``needed`` and
    ``also`` write them; a header that stands again, as in files put together, is passed over.

    Raises:
        InputError: it is no table (``said``), or a column of ``what`` is missing.
    """
    reader = csv.reader(
        io.StringIO(text.replace("\0", "")),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
    )
    wanted = {column.lower(): column for columns in (*needed, also) for column in columns}
    rows: list[Row] = []
    head: list[str] = []
    try:
        for cells in reader:
            plain = [cell.strip() for cell in cells]
            if not head:
                if any(plain):
                    head = [wanted.get(cell.lower(), cell) for cell in plain]
                    _complete(head, name, needed, what, reader.line_num)
                continue
            again = [wanted.get(cell.lower(), cell) for cell in plain]
            if again == head or not any(plain):
                continue
            row = Row(zip(head, plain, strict=False))
            row.line = reader.line_num
            row.beyond = tuple(plain[len(head) :])
            rows.append(row)
    except csv.Error as error:
        raise refuse(name, f"{said}: {error}", reader.line_num) from None
    if not head:
        _complete([], name, needed, what, 1)
    return rows


def _complete(
    head: Iterable[str], name: str, needed: Sequence[Sequence[str]], what: str, line: int
) -> None:
    fields = set(head)
    lacking = [columns[0] for columns in needed if not fields & set(columns)]
    if lacking:
        raise refuse(name, f"expected {what}; missing: {', '.join(lacking)}", line)


def number(text: str | None) -> float | None:
    """A number of a table; None where the cell is empty or none, or not finite, or negative."""
    try:
        value = float((text or "").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 1e15 else None


def at(name: str, row: Row, column: str, expected: str) -> Problem:
    """The problem of a cell that cannot be read."""
    message = f'expected {expected}; got "{row.get(column, "")}"'
    return Problem(key=column, message=message, file=name, line=row.line)


def refuse(name: str, message: str, line: int | None = None) -> InputError:
    """The error of a file that is none of its kind."""
    return InputError(Problem(key="", message=message, file=name, line=line))
