"""The ledger: opened, brought up to date, written in batches that two importers cannot tangle.

A batch is one transaction that holds the ledger's only writing lock: what stands there is read,
compared and added to within it, so that nothing is counted twice and a failure leaves nothing half.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from costcalc.base.errors import InputError, Problem
from costcalc.fleet import tables

DEFAULT = "sqlite:///fleet.db"
PATIENCE = 60.0  # seconds that a writer waits for another
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class LedgerError(InputError):
    """The database of a ledger is away, or does not do what is asked of it."""


#: databases of SQLite that are in no file
_MEMORY = (None, "", ":memory:")


class Ledger:
    """An open ledger.

    >>> with Ledger.open("sqlite://", create=True) as ledger:
    ...     ledger.about("currency")
    'USD'
    """

    def __init__(self, engine: Engine, shown: str) -> None:
        self.engine: Engine = engine
        self.shown: str = shown
        of_file = engine.dialect.name == "sqlite" and engine.url.database not in _MEMORY
        self._file = Path(str(engine.url.database)) if of_file else None
        self._place: tuple[int, int] | None = None  # of its file: device and inode

    @classmethod
    def open(cls, url: str = DEFAULT, *, create: bool = False, currency: str = "USD") -> Ledger:
        """The ledger at a URL, brought to this version; ``create`` makes one that is not there.

        Raises:
            InputError: no ledger is there, it is of a later version, or cannot be reached.
        """
        parsed = _parsed(url)
        shown = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite" and not create:
            file = parsed.database
            if not file or not Path(file).is_file():
                message = "no ledger is there; costcalc fleet init makes one"
                raise InputError(Problem(key="ledger", message=message, file=shown))
        ledger = cls(_engine(parsed), shown)
        try:
            with ledger.faults():
                ledger._migrate(create=create, currency=currency)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def _migrate(self, *, create: bool, currency: str) -> None:
        if self._is_of_this_version():
            return  # so that whoever may only read can, and nobody waits for an importer
        with self.writing() as connection:
            there = inspect(connection).has_table(tables.about.name)
            if not there and not create:
                message = "no ledger is there; costcalc fleet init makes one"
                raise InputError(Problem(key="ledger", message=message, file=self.shown))
            found = _about(connection) if there else {}
            version = int(found.get("version", "0"))
            if version > tables.VERSION:
                message = (
                    f"the ledger is of version {version}, and this costcalc knows "
                    f"{tables.VERSION} and earlier: a newer one wrote it"
                )
                raise InputError(Problem(key="ledger", message=message, file=self.shown))
            for step in tables.MIGRATIONS[version:]:
                step(connection)
            if not found:
                made = {"currency": currency, "secret": secrets.token_hex(16)}
                rows = [{"key": key, "value": value} for key, value in made.items()]
                connection.execute(tables.about.insert(), rows)
                connection.execute(tables.about.insert(), {"key": "version", "value": "0"})
            if version < tables.VERSION:
                connection.execute(
                    tables.about.update()
                    .where(tables.about.c.key == "version")
                    .values(value=str(tables.VERSION))
                )

    def _is_of_this_version(self) -> bool:
        with self.reading() as connection:
            if not inspect(connection).has_table(tables.about.name):
                return False
            return _about(connection).get("version") == str(tables.VERSION)

    def about(self, key: str) -> str:
        """What the ledger says of itself: ``version``, ``currency``, ``secret``."""
        with self.reading() as connection:
            return _about(connection)[key]

    def counts_in(self, currency: str) -> None:
        """See that money in this currency may stand in the ledger, which an empty one has none of.

        Raises:
            InputError: its money is in another.
        """
        with self.reading() as connection:
            self._may_count_in(connection, currency)

    def counting_in(self, connection: Connection, currency: str) -> None:
        """Within a transaction that writes: its money is in this currency from now on.

        Raises:
            InputError: it has money in another.
        """
        if not self._may_count_in(connection, currency):
            own = tables.about.update().where(tables.about.c.key == "currency")
            connection.execute(own.values(value=currency))

    def _may_count_in(self, connection: Connection, currency: str) -> bool:
        """Whether its money is in a currency; False: it has none yet, and is said to be another."""
        own = _about(connection)["currency"]
        if currency == own:
            return True
        if connection.execute(select(tables.jobs.c.id).limit(1)).first() is None:
            return False
        message = (
            f"its jobs are costed in {own}, and fleet.yaml's currency is {currency}: give "
            f"currency: {own} there, or make another ledger and import into it"
        )
        raise InputError(Problem(key="ledger", message=message, file=self.shown))

    @contextmanager
    def faults(self) -> Iterator[None]:
        """What the database says went wrong, as an error that names the ledger."""
        try:
            yield
        except SQLAlchemyError as error:
            origin = getattr(error, "orig", None) or error
            said = str(origin).strip().splitlines()[0]
            hint = "" if isinstance(error, OperationalError) else f" ({type(error).__name__})"
            message = f"the database does not do it: {said}{hint}"
            raise LedgerError(Problem(key="ledger", message=message, file=self.shown)) from error

    def _in_place(self) -> None:
        """See that a ledger stands there still, the same or another that was put in its place.

        Raises:
            LedgerError: none is there any more, or one that is not of this version.
        """
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except OSError:
            if self._place is None:
                return  # it is made by the first connection
            message = "the ledger's file is gone: was it moved away?"
            raise LedgerError(Problem(key="ledger", message=message, file=self.shown)) from None
        place = found.st_dev, found.st_ino
        if self._place is not None and place != self._place:
            with self.engine.connect() as connection:
                there = inspect(connection).has_table(tables.about.name)
                version = _about(connection).get("version") if there else None
            if version != str(tables.VERSION):
                message = "another file was put in its place, which is no ledger of this version"
                raise LedgerError(Problem(key="ledger", message=message, file=self.shown))
        self._place = place

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by."""
        with self.faults():
            self._in_place()
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer of the ledger runs beside."""
        with self.reading() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(7237452)"))
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _about(connection: Connection) -> Mapping[str, str]:
    rows = connection.execute(select(tables.about.c.key, tables.about.c.value))
    return {row.key: row.value for row in rows}


def _parsed(url: str) -> URL:
    """A URL of a database; a bare file name is SQLite's."""
    text_ = url if "://" in url else f"sqlite:///{url}"
    try:
        made = make_url(text_)
        driver = _DRIVERS.get(made.drivername)
        made = made.set(drivername=driver) if driver else made
        known = made.get_backend_name() in ("sqlite", "postgresql")
    except (ArgumentError, NoSuchModuleError, ValueError):
        known = False
    if not known:
        message = f'expected sqlite:///FILE or postgresql://USER@HOST/NAME; got "{url[:60]}"'
        raise InputError(Problem(key="ledger", message=message))
    return made


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        from costcalc.base.errors import MissingExtraError

        try:
            return create_engine(url, connect_args={"connect_timeout": 10}, pool_pre_ping=True)
        except ImportError as error:
            raise MissingExtraError("a ledger on PostgreSQL", "psycopg", "fleet") from error
    from sqlalchemy.pool import NullPool, StaticPool

    memory = url.database in _MEMORY
    engine = (
        create_engine(url, poolclass=StaticPool)
        if memory
        # none is held open between questions: the log (-wal) of a file that was replaced meanwhile
        # would be read as that of the one in its place
        else create_engine(url, connect_args={"timeout": PATIENCE}, poolclass=NullPool)
    )

    @event.listens_for(engine, "connect")
    def _(raw: object, _record: object) -> None:
        connection = raw
        connection.isolation_level = None  # type: ignore[attr-defined]  # BEGIN is ours
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
