"""The tables of a ledger, and the steps from each of its versions to the next.

Columns are in the units of a report: hours, device-hours, kWh, kgCO2e, litres, the cluster's
currency; times are seconds since 1970 (UTC).  NULL is unknown.  Nothing is changed in place but
``current``: a correction is a new row with the next ``revision``.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    inspect,
    true,
)

#: figures with a low and a high end, as a report's results name them
FIGURES = (
    "energy_it", "energy", "cost", "carbon_operational", "carbon_embodied", "carbon_total", "water",
)  # fmt: skip

metadata = MetaData()

#: one row: which version the ledger is, what its money is in, what names are hashed with
about = Table("about", metadata, Column("key", String, primary_key=True), Column("value", Text))

imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),  # NULL: it did not come to its end
    Column("until", Float),  # a scheduler was asked for all jobs until then; NULL: a file told
    Column("added", Integer, nullable=False, default=0),
    Column("corrected", Integer, nullable=False, default=0),
    Column("known", Integer, nullable=False, default=0),
    Column("refused", Integer, nullable=False, default=0),
)

refused = Table(
    "refused",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("import_id", ForeignKey("imports.id"), nullable=False, index=True),
    Column("line", Integer),
    Column("row", Text, nullable=False),
    Column("why", Text, nullable=False),
)

#: what jobs are costed by: a run file and the assumptions that follow from it
kinds = Table(
    "kinds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("run", Text, nullable=False),
    Column("known", Text, nullable=False),
    Column("scope", String),
    Column("version", String, nullable=False),
)

#: what meters say of a job: joules over seconds
readings = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", String, nullable=False),
    Column("job", String, nullable=False),
    Column("attempt", String, nullable=False),  # empty: of all attempts
    Column("revision", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("meter", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("joules", Float),  # NULL: it names the model alone
    Column("seconds", Float),  # that the joules were counted in
    Column("coverage", Float),
    Column("model", Text),
    Column("part", Float),  # of its nodes' devices, where it is a part of their meters
    Column("import_id", ForeignKey("imports.id"), nullable=False),
    UniqueConstraint("cluster", "job", "attempt", "meter", "revision"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", String, nullable=False),
    Column("job", String, nullable=False),
    Column("attempt", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("digest", String, nullable=False),
    Column("import_id", ForeignKey("imports.id"), nullable=False),
    Column("source", String, nullable=False),
    Column("raw", String),
    Column("name", Text),
    Column("user", String),
    Column("account", String),
    Column("partition", String),
    Column("model", Text),
    Column("state", String, nullable=False),
    Column("month", String(7), nullable=False),
    Column("submit", Float),
    Column("start", Float),
    Column("end", Float),
    Column("seconds", Float, nullable=False),
    Column("devices", Float),
    Column("device", String),
    Column("kinds", Text),
    Column("counted", Float),  # devices as the source counts them: of an MI250X its dies
    Column("shards", Float),
    Column("nodes", Integer),
    Column("node_list", Text),
    Column("cpus", Float),
    Column("device_hours", Float),
    Column("kind", ForeignKey("kinds.id")),
    Column("scope", String),
    Column("meter", String),
    Column("metered", Float),
    Column("part", Float),  # of its nodes' meter that is the job's; NULL: what it says is the job's
    Column("steps", Integer),  # how many rows of its source told of its meter
    Column("owner", String),  # of a part of a job: the job's name, and its number after a #
    Column("clock", String),  # local: its times were read by fleet.yaml's timezone; or absolute
    Column("utilization", Float),
    Column("mean_power", Float),
    Column("pue", Float),
    Column("grid", Float),
    *[Column(f"{name}{end}", Float) for name in FIGURES for end in ("", "_low", "_high")],
    Column("carbon_annual", Float),
    Column("carbon_market", Float),
    Column("hourly", Float),  # share of its time that grid.hourly tells; NULL: there is none
    Column("why", Text),
    UniqueConstraint("cluster", "job", "attempt", "revision"),
)
#: of a month all, and those that began before it
BY_START = Index(
    "jobs_of_a_month_by_start",
    jobs.c.month,
    jobs.c.start,
    sqlite_where=jobs.c.current == true(),
    postgresql_where=jobs.c.current == true(),
)

#: what jobs can be told apart by in sums
DIMENSIONS = (
    "month", "account", "user", "partition", "model", "device", "state", "cluster", "meter",
)  # fmt: skip
#: what is added up of them
SUMMED = ("device_hours", "metered", *FIGURES, "carbon_annual", "carbon_market")
#: whose squares are added up too: what a forecast is unsure by (fleet/budgets.py)
SQUARED = ("device_hours", "energy", "cost", "carbon_total")
#: of jobs whose CO2e is by the hours of grid.hourly, and of those that it lacks
BY_HOURS = (
    "energy_by_hours", "carbon_by_hours", "jobs_by_year", "energy_by_year", "carbon_by_year",
    "hours_lacking",
)  # fmt: skip
#: of jobs that held more than their nodes have, so that one of both is wrong: how many, and hours
CROWDED = ("jobs_crowded", "hours_crowded")
#: the sums of a month's current jobs, made anew of the rows when some of them have changed
sums = Table(
    "sums",
    metadata,
    Column("month", String(7), nullable=False, index=True),
    *[Column(name, Text) for name in DIMENSIONS[1:]],
    Column("kind", ForeignKey("kinds.id")),
    Column("jobs", Integer, nullable=False),
    *[Column(name, Float) for name in SUMMED],
    *[Column(f"n_{name}", Integer, nullable=False) for name in ("device_hours", *FIGURES)],
    Column("trained", Float),
    Column("seen", Float),
    *[Column(f"{name}_squares", Float) for name in SQUARED],
    *[Column(name, Float) for name in (*BY_HOURS, *CROWDED)],
)
#: what of the sums is counted for Prometheus
COUNTED = ("jobs", "device_hours", "energy", "cost", "carbon_total", "water")
#: months whose sums are those of the rows
fresh = Table("fresh", metadata, Column("month", String(7), primary_key=True))

#: for the pace of late, and for what jobs had of a span of time
BY_END = Index(
    "jobs_by_end",
    jobs.c.end,
    sqlite_where=jobs.c.current == true(),
    postgresql_where=jobs.c.current == true(),
)

#: for the parts of a job that a source tells of after them
OWNED = Index(
    "jobs_by_owner",
    jobs.c.owner,
    sqlite_where=jobs.c.owner.is_not(None),
    postgresql_where=jobs.c.owner.is_not(None),
)


def _first(connection: Connection) -> None:
    """Version 1: jobs, what they are costed by, what meters say, imports and what they refused."""
    metadata.create_all(
        connection,
        tables=[about, imports, refused, kinds, readings, jobs, sums, fresh],
        checkfirst=True,
    )


def _ends(connection: Connection) -> None:
    """Version 2: jobs are found by their end."""
    BY_END.create(connection, checkfirst=True)


#: what nodes' meters say of days, and what of it their jobs have: the rest is idle
meters = Table(
    "meters",
    metadata,
    Column("cluster", String, primary_key=True),
    Column("node", String, primary_key=True),
    Column("at", Float, primary_key=True),  # the day's beginning, where the cluster is
    Column("partition", String, nullable=False),
    Column("meter", String, nullable=False),
    Column("joules", Float, nullable=False),
    Column("given", Float, nullable=False),
    Column("seconds", Float, nullable=False),  # of the day, that the meter covers
    Column("import_id", ForeignKey("imports.id"), nullable=False),
)


def _parts(connection: Connection) -> None:
    """Version 3: of a node's meter a job that shares the node has a part, and the rest is named."""
    meters.create(connection, checkfirst=True)
    for table in (jobs.name, readings.name):  # an empty database has them from the first step
        there = {column["name"] for column in inspect(connection).get_columns(table)}
        if "part" not in there:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN part FLOAT")


def _grid_hours(connection: Connection) -> None:
    """Version 4: whose CO2e is by the grid's hours, until when a source was asked, squares."""
    for table, column in ((jobs, "hourly"), (imports, "until")):
        there = {one["name"] for one in inspect(connection).get_columns(table.name)}
        if column not in there:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column} FLOAT")
    sums.drop(connection, checkfirst=True)  # made anew of the rows by whoever looks first
    sums.create(connection)
    connection.execute(fresh.delete())


#: what Prometheus is told of each account: the most that the sums have come to, which a correction
#: does not take back, for a counter that falls is read as one that began again
counters = Table(
    "counters",
    metadata,
    Column("account", String, primary_key=True),
    Column("partition", String, primary_key=True),
    Column("own", Boolean, nullable=False),  # has a series of its own; else it is among the others
    *[Column(name, Float) for name in COUNTED],
)


def _known_by(connection: Connection) -> None:
    """Version 5: what a row knows of its times and meter; counters that never fall."""
    counters.create(connection, checkfirst=True)
    there = {column["name"] for column in inspect(connection).get_columns(jobs.name)}
    for name, kind in {"steps": "INTEGER", "clock": "VARCHAR"}.items():
        if name not in there:
            connection.exec_driver_sql(f"ALTER TABLE {jobs.name} ADD COLUMN {name} {kind}")
    connection.execute(delete(fresh))  # so that the sums are made, and counted, anew


def _owners(connection: Connection) -> None:
    """Version 6: of which job a row is a part."""
    there = {column["name"] for column in inspect(connection).get_columns(jobs.name)}
    if "owner" not in there:
        connection.exec_driver_sql(f"ALTER TABLE {jobs.name} ADD COLUMN owner VARCHAR")
    OWNED.create(connection, checkfirst=True)


def _by_start(connection: Connection) -> None:
    """Version 7: jobs that began before their month are found without those that did not."""
    BY_START.create(connection, checkfirst=True)
    connection.exec_driver_sql("DROP INDEX IF EXISTS jobs_of_a_month")


def _crowded(connection: Connection) -> None:
    """Version 8: sums say of how many jobs more is told than their nodes have."""
    sums.drop(connection, checkfirst=True)
    sums.create(connection)
    connection.execute(delete(fresh))


#: from an empty database up; a version is the number of steps that were made
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _ends,
    _parts,
    _grid_hours,
    _known_by,
    _owners,
    _by_start,
    _crowded,
)
VERSION = len(MIGRATIONS)
