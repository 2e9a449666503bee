"""What a migration costs on a large table: its time, its disk, and what others wait meanwhile.

It works on the running shop's database and calls ``upgrade()`` itself, revision by revision.
``measure`` times, ``felt`` lets a reader and a writer work beside, ``grown`` fills in steps;
``curves``, ``disk`` and ``waits`` show what came out. ``replicated`` says whether a second server
follows the first.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade
from sqlalchemy import URL, Engine, MetaData, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from .charts import GREY, chart
from .frames import Frame
from .kernel import quiet
from .pictures import Rich

if TYPE_CHECKING:
    from psycopg import Connection

SECONDS = 50  # nobody waits longer than this, not even for a lock
# Between two queries of a reader or a writer. With a pause of 2 ms the two keep each other waiting
# on SQLite, up to 180 ms and more without any migration; with 20 ms, hardly ever 40.
PAUSE = 0.02
# SQLite has no generate_series. On PostgreSQL the primary key comes after the rows: twice as fast.
FILL = {
    "sqlite": [
        """
        INSERT INTO products (id, name)
        WITH RECURSIVE numbers (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
        SELECT n, 'Fruit ' || n FROM numbers
        """,
    ],
    "postgresql": [
        # Its housekeeping would come at a moment of its own, and hold a lock.
        "ALTER TABLE products SET (autovacuum_enabled = false)",
        "ALTER TABLE products DROP CONSTRAINT {key}",
        """
        INSERT INTO products (id, name)
        SELECT n, 'Fruit ' || n FROM generate_series(1, :rows) AS n
        """,
        "ALTER TABLE products ADD CONSTRAINT {key} PRIMARY KEY (id)",
    ],
}
# A copy of the first products, on PostgreSQL.
FEW = (
    "DROP TABLE IF EXISTS few",
    "CREATE TABLE few AS SELECT * FROM products WHERE id <= :rows ORDER BY id",
    "ALTER TABLE few ADD PRIMARY KEY (id)",
    "ALTER TABLE few SET (autovacuum_enabled = false)",
)
READ = "SELECT id FROM products WHERE id = 1"
WRITE = "UPDATE products SET price = price + 1 WHERE id = 1"


@dataclass(frozen=True)
class Cost:
    """What ``upgrade`` to one revision cost: milliseconds, and the disk before and after."""

    change: str
    rows: int
    ms: float
    before: int
    after: int


@dataclass(frozen=True)
class Felt:
    """The longest that a reader and a writer waited for an answer during a migration."""

    change: str
    ms: float
    read: float
    write: float


def measure(sizes: Sequence[int], start: str = "0001", to: str = "head") -> list[Cost]:
    """Time each revision after ``start`` up to ``to``, on tables of these sizes.

    Empties the database for each size, and leaves it with the last one's table. The instant
    changes take milliseconds, so what else the computer does shows in them.
    """
    from IPython.display import ProgressBar

    steps = revisions(start, to)
    bar = ProgressBar(len(sizes) * (len(steps) + 1))  # type: ignore[no-untyped-call]
    bar.display()  # type: ignore[no-untyped-call]
    costs = []
    for rows in sizes:
        fill(rows, start)
        bar.progress += 1
        for revision, change in steps:
            before = size()
            costs.append(Cost(change, rows, timed(revision), before, size()))
            bar.progress += 1
    return costs


def felt(revision: str) -> Felt:
    """Upgrade to the next revision while a reader and a writer work on ``products``.

    Each has a connection of its own, and asks again 20 ms after its answer.
    """
    change = dict(revisions("base", revision))[revision]
    reader, writer = Visitor(READ), Visitor(WRITE)
    try:
        for visitor in (reader, writer):
            visitor.answers(5)
            visitor.worst = 0.0
        ms = timed(revision)
        for visitor in (reader, writer):
            visitor.answers(2)  # one that was asked meanwhile
    finally:
        reader.stop()
        writer.stop()
    return Felt(change, ms, reader.worst, writer.worst)


def grown(*statements: str, rows: int = 10_000, steps: int = 10) -> float:
    """Run the statements for one range of numbers after another: how many times the disk then?

    They work on ``few``, a copy of the first products, and know the range as ``:low`` and
    ``:high``. Each is committed at once, so ``VACUUM`` may be one of them. For PostgreSQL.
    """
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in FEW:
            connection.execute(text(statement.replace(":rows", str(rows))))
        before = size("few")
        for step in range(steps):
            ends = {"low": rows * step // steps, "high": rows * (step + 1) // steps}
            for statement in statements:
                connection.execute(text(statement), ends if ":low" in statement else {})
        after = size("few")
        connection.execute(text("DROP TABLE few"))
    return round(after / before, 1)


def curves(costs: Iterable[Cost], title: str) -> Rich:
    """The time of each change over the number of rows, both on logarithmic axes."""
    costs = list(costs)
    rows = [{"change": c.change, "rows": c.rows, "ms": round(c.ms, 1)} for c in costs]
    largest = max(c.rows for c in costs)
    across = {"field": "rows", "type": "quantitative"}
    up = {"field": "ms", "type": "quantitative"}
    kind = {"field": "change", "type": "nominal", "sort": None, "title": "change"}
    ticks = sorted({c.rows for c in costs})
    return chart(
        rows,
        f"{title}\n{times(costs)!r}",
        title=title,
        height=320,
        encoding={
            "x": across
            | {
                "scale": {"type": "log", "domain": [ticks[0] / 1.3, largest * 1.3]},
                "axis": {"values": ticks, "format": ",", "title": "rows"},
            },
            "y": up | {"scale": {"type": "log"}, "axis": {"title": "milliseconds"}},
        },
        # Grey lines: coloured ones would have a legend of their own, without the shapes.
        layer=[
            {"mark": {"type": "line", "color": GREY}, "encoding": {"detail": kind}},
            {
                "mark": {"type": "point", "size": 90, "filled": True, "opacity": 1},
                "encoding": {"shape": kind, "color": kind},
            },
        ],
    )


def ms(costs: Iterable[Cost], rows: int, *changes: str) -> float:
    """The milliseconds of a change at this size; of several, or of all, those of the quickest.

    Whatever else the computer does can only make a change slower.
    """
    return min(c.ms for c in costs if c.rows == rows and (not changes or c.change in changes))


def times(costs: Iterable[Cost]) -> Frame:
    """Milliseconds: a line for each change, a column for each size; empty if not measured."""
    costs = list(costs)
    sizes = sorted({c.rows for c in costs})
    cells = {(c.change, c.rows): round(c.ms) for c in costs}
    changes = dict.fromkeys(c.change for c in costs)
    lines = [(change, *(cells.get((change, size), "") for size in sizes)) for change in changes]
    return Frame(lines, columns=["milliseconds", *(f"{size:,} rows" for size in sizes)])


def disk(costs: Iterable[Cost]) -> Frame:
    """How many times as much disk the database took afterwards, with its largest table."""
    costs = list(costs)
    largest = {c.change: c for c in sorted(costs, key=lambda c: c.rows)}
    changes = dict.fromkeys(c.change for c in costs)
    lines = [(change, round(largest[change].after / largest[change].before)) for change in changes]
    return Frame(lines, columns=["change", "times the disk"])


def waits(felt: Iterable[Felt]) -> Frame:
    """The worst waits, in milliseconds."""
    lines = [(f.change, round(f.ms), round(f.read), round(f.write)) for f in felt]
    return Frame(lines, columns=["change", "took", "worst read", "worst write"])


def connect(uri: str) -> Connection[Any]:
    """A connection to a private server, without SQLAlchemy; each statement is committed at once.

    A subscription of this server that fails tries again in half a second, not in five.
    """
    import psycopg

    server: Connection[Any] = psycopg.connect(address(uri), autocommit=True)
    server.execute("ALTER SYSTEM SET wal_retrieve_retry_interval = '500ms'")
    server.execute("SELECT pg_reload_conf()")
    return server


def address(uri: str) -> str:
    """The URI as PostgreSQL itself reads it, without SQLAlchemy's name of the driver."""
    return uri.replace("+psycopg", "", 1)


def replicated(north: Connection[Any], south: Connection[Any], table: str = "products") -> str:
    """Wait until the south has all rows of the north's table, or its subscription stalls.

    Says which; a stall with the reason that stands in the south's log.
    """
    count = f"SELECT count(*) FROM {table}"
    begun, limit = stalls(south), time.monotonic() + 30
    while time.monotonic() < limit:
        if value(north, count) == value(south, count):
            return "The south has all rows."
        if stalls(south) >= begun + 2:  # the first may be of before
            return f"The south stalls: {reason(south)}"
        time.sleep(0.05)
    raise TimeoutError("the south has neither caught up nor stalled")


def stalls(south: Connection[Any]) -> int:
    """How often the server's subscriptions have failed to apply a change."""
    return int(value(south, "SELECT sum(apply_error_count) FROM pg_stat_subscription_stats") or 0)


def reason(server: Connection[Any]) -> str:
    """The last error in a private server's log, best one that speaks of replication."""
    log = "SELECT pg_read_file(current_setting('data_directory') || '/../log')"
    lines = str(value(server, log)).splitlines()
    errors = [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]
    return ([error for error in errors if "replicat" in error] or errors)[-1]


def value(server: Connection[Any], query: str) -> Any:
    """The first value that a query gives."""
    row = server.execute(query.encode()).fetchone()
    return row[0] if row else None


class Visitor:
    """Somebody who sends the same statement again and again, on a connection of their own."""

    def __init__(self, statement: str) -> None:
        self.statement = text(statement)
        self.worst = 0.0
        self.count = 0
        self.error: Exception | None = None
        self._end = Event()
        self._engine = own_engine(engine().url)
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def answers(self, more: int) -> None:
        """Wait for so many more answers. Raises TimeoutError, or the visitor's own error."""
        wanted, limit = self.count + more, time.monotonic() + SECONDS
        while self.count < wanted:
            if self.error:
                raise self.error
            if time.monotonic() > limit:
                raise TimeoutError(f"no answer to: {self.statement}")
            time.sleep(PAUSE)

    def stop(self) -> None:
        """No more questions."""
        self._end.set()
        self._thread.join(SECONDS)
        self._engine.dispose()

    def _work(self) -> None:
        try:
            with self._engine.connect() as connection:
                while not self._end.wait(PAUSE):
                    asked = time.perf_counter()
                    connection.execute(self.statement)
                    connection.commit()
                    self.worst = max(self.worst, milliseconds(asked))
                    self.count += 1
        except Exception as error:
            self.error = error


def engine() -> Engine:
    """The running shop's engine."""
    found: Engine = current_app.extensions["sqlalchemy"].engine
    return found


def own_engine(url: URL) -> Engine:
    """An engine beside the shop's, whose statements give up after a while."""
    limit: dict[str, Any] = {"timeout": SECONDS}
    if url.get_backend_name() == "postgresql":
        limit = {"options": f"-c statement_timeout={SECONDS}s"}
    return create_engine(url, poolclass=NullPool, connect_args=limit)


def revisions(start: str, to: str) -> list[tuple[str, str]]:
    """The revisions after ``start`` up to ``to``, the first to run first, and their messages."""
    scripts = ScriptDirectory("migrations").iterate_revisions(to, start)
    return [(script.revision, script.doc) for script in scripts][::-1]


def fill(rows: int, revision: str) -> None:
    """Empty the database, upgrade to this revision, and put so many products in."""
    empty()
    with quiet():
        upgrade(revision=revision)
    with engine().begin() as connection:
        key = inspect(connection).get_pk_constraint("products")["name"]
        for statement in FILL[connection.dialect.name]:
            values = {"rows": rows} if ":rows" in statement else {}
            connection.execute(text(statement.format(key=key)), values)


def empty() -> None:
    """Drop all tables, and give their disk back."""
    tables = MetaData()
    tables.reflect(engine())
    tables.drop_all(engine())
    if engine().dialect.name == "sqlite":
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))


def timed(revision: str) -> float:
    """The milliseconds of one upgrade."""
    with quiet():
        begun = time.perf_counter()
        upgrade(revision=revision)
        return milliseconds(begun)


def milliseconds(since: float) -> float:
    """The milliseconds since a moment of time.perf_counter()."""
    return (time.perf_counter() - since) * 1000


def size(table: str = "products") -> int:
    """The bytes of the database: on SQLite its file, on PostgreSQL the table and its indexes."""
    sql = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "postgresql": f"SELECT pg_total_relation_size('{table}')",
    }
    with engine().connect() as connection:
        return int(connection.scalar(text(sql[engine().dialect.name])) or 0)
