"""Every scenario of a comparison as a file, chunk by chunk: CSV, or Parquet by pyarrow."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from costcalc.base.errors import MissingExtraError, wrong
from costcalc.calculator.result import COMPARED, UNITS
from costcalc.decide.chunk import Columns

AXES = ("accelerator", "count", "region", "plan")
HEAD = ("precision", *AXES, *(f"{name} ({UNITS[name]})" for name in COMPARED))


def _pyarrow() -> tuple[Any, Any]:
    import importlib

    return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")


class Rows:
    """A CSV or Parquet file that chunks are written to; whole when it is closed.

    An unknown figure is an empty cell, or null.
    """

    def __init__(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".csv", ".parquet"):
            raise wrong(
                "--output", f"expected a name that ends in .csv or .parquet; got {self.path.name}"
            )
        if self.path.exists() and not force:
            raise wrong("--output", f"{self.path} exists; --force overwrites it")
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._writer: Any = None
        self._file: IO[str] | None = None
        try:
            self._open()
        except OSError as error:
            raise wrong("--output", f"cannot write {self.path}: {error.strerror}") from error

    def _open(self) -> None:
        if self.path.suffix == ".csv":
            self._file = self._part.open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(HEAD)
            return
        try:
            pa, pq = _pyarrow()
        except ImportError as error:
            raise MissingExtraError("a Parquet file", "pyarrow", "parquet") from error
        text = pa.dictionary(pa.int32(), pa.string())
        kinds = [text, text, pa.int64(), text, text, *[pa.float64()] * len(COMPARED)]
        self._schema = pa.schema(list(zip(HEAD, kinds, strict=True)))
        self._writer = pq.ParquetWriter(self._part, self._schema)

    def __call__(self, table: Columns) -> None:
        """Write one chunk's rows."""
        if self.path.suffix == ".csv":
            self._csv(table)
        else:
            self._parquet(table)

    def _csv(self, table: Columns) -> None:
        names = [
            [words[i] for i in codes] for words, codes in zip(table.words, table.codes, strict=True)
        ]
        figures = [
            ["" if np.isnan(value) else value for value in table.figures[name].tolist()]
            for name in COMPARED
        ]
        first = [table.precision or ""] * len(names[0])
        self._writer.writerows(zip(first, *names, *figures, strict=True))

    def _parquet(self, table: Columns) -> None:
        pa, _ = _pyarrow()
        number = len(table.codes[0])
        columns: list[object] = []
        words = ((str(table.precision),), *table.words)
        codes = (np.zeros(number, dtype=np.int32), *table.codes)
        for at, (listed, picked) in enumerate(zip(words, codes, strict=True)):
            if at == 0 and table.precision is None:
                columns.append(pa.array([None] * number, type=self._schema.field(0).type))
            elif AXES[at - 1] == "count" and at:
                columns.append(pa.array(np.asarray(listed, dtype=np.int64)[picked]))
            else:
                columns.append(
                    pa.DictionaryArray.from_arrays(
                        pa.array(picked, pa.int32()), pa.array(list(listed))
                    )
                )
        columns += [pa.array(table.figures[name], from_pandas=True) for name in COMPARED]
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        (self._file or self._writer).close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)
