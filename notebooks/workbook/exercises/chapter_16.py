"""The exercises of chapter 16, Without downtime."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, current_thread
from time import monotonic
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial

LIMIT = 0.4  # seconds that a migration may wait for a lock; it is told 0.2
PATIENCE = 0.6  # seconds until the reader gives way to a script that tries again by itself
TIMEOUT = 5  # seconds, for what should not take one

SHELF = "    shelf: Mapped[str | None] = mapped_column(String(1), index=True)\n"
UNIQUE_NAME = NAME.replace("String(50)", "String(50), index=True, unique=True")
NAMES = {1: "Apple", 2: "Orange", 3: "Banana", 4: "Green Apple"}
OTHERS = {1: "Fig", 3: "Apple", 4: "Durian", 5: "Blue Fig"}

HEAD = '''"""{message}

Revision ID: 0002
Revises: 0001

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


'''
ADD_SHELF = """def upgrade():
    op.add_column("products", sa.Column("shelf", sa.String(1)))
    op.execute("UPDATE products SET shelf = left(name, 1)")
    op.create_index("ix_products_shelf", "products", ["shelf"])


def downgrade():
    op.drop_index("ix_products_shelf")
    op.drop_column("products", "shelf")
"""
UNIQUE_NAMES = """def upgrade():
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_products_name", "products", ["name"], unique=True, postgresql_concurrently=True
        )


def downgrade():
    op.drop_index("ix_products_name")
"""

# At both ends of whatever ranges somebody may fill, and a product without a name.
MANY = """
    INSERT INTO products (id, name)
    SELECT n, nullif('Fruit ' || n, 'Fruit 10') FROM generate_series(10, 12010, 100) n
    UNION ALL SELECT n, 'Nut ' || n FROM generate_series(999, 11999, 500) n
"""
# For the table, with all visitors behind it.
WAIT = """
    SELECT coalesce(extract(epoch FROM max(clock_timestamp() - waitstart)), 0) FROM pg_locks
    WHERE NOT granted AND relation = CAST('products' AS regclass)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# For the end of this transaction, with nobody behind it: CONCURRENTLY does so.
WAITS_ALONE = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND virtualxid = (
        SELECT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid() LIMIT 1
    ))
"""
LIMITS_LEFT = """
    SELECT name FROM pg_settings
    WHERE name IN ('lock_timeout', 'statement_timeout') AND setting NOT IN ('0', reset_val)
"""
INDEXES = """
    SELECT CAST(indexrelid AS regclass) AS name, indisvalid, indisunique
    FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = CAST('products' AS regclass) AND indnatts = 1 AND attname = :column
"""
# It stops whoever writes rows in a transaction in which nobody else can read them.
STRICT = """
    CREATE FUNCTION strict() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid()
                   AND relation = CAST('products' AS regclass) AND mode = 'AccessExclusiveLock')
        THEN RAISE EXCEPTION 'nobody can read'; END IF;
        RETURN NEW;
    END $$
"""
CUT = """
    CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the connection is lost'; END $$
"""
BUILDS = re.compile(r"\s*(CREATE\s+(UNIQUE\s+)?INDEX|REINDEX)\b", re.IGNORECASE)
OF_INDEXES = re.compile(r"\b(CREATE|DROP|REINDEX)\b.*\bINDEX\b", re.IGNORECASE | re.DOTALL)


def write_script(message: str, body: str) -> None:
    """Revision 0002, as somebody wrote it by hand."""
    file = Path("migrations", "versions", f"0002_{message.replace(' ', '_')}.py")
    file.write_text(HEAD.format(message=message) + body, "utf-8")


@contextmanager
def connected(database: URL, **options: Any) -> Iterator[Connection]:
    """Another connection to a database; what it does not commit is taken back."""
    engine = create_engine(database, poolclass=NullPool, **options)
    with engine.connect() as connection:
        yield connection


class Reader(Thread):
    """Somebody whose transaction has read the products and stays open.

    It sees how long others wait for the table: ``longest``. It ends at the end of its block,
    when somebody has waited too long, or waits for it alone, or when its patience is out.
    """

    def __init__(self, database: URL) -> None:
        super().__init__(daemon=True)
        self.database, self.longest = database, 0.0
        self.began, self.done = Event(), Event()

    def run(self) -> None:
        """Read, and look who waits; if others keep it from reading, they wait for nobody."""
        limit = {"options": "-c lock_timeout=100ms"}
        with connected(self.database, connect_args=limit) as connection:
            try:
                connection.execute(text("SELECT count(*) FROM products"))
            except OperationalError:
                return
            finally:
                self.began.set()
            self.watch(connection)

    def watch(self, connection: Connection) -> None:
        """Look who waits, until it is enough."""
        end = monotonic() + TIMEOUT
        while not self.done.wait(0.02) and self.longest < LIMIT and monotonic() < end:
            waits = float(connection.scalar(text(WAIT)))
            if waits and not self.longest:
                end = monotonic() + PATIENCE
            self.longest = max(self.longest, waits)
            if not waits and connection.scalar(text(WAITS_ALONE)):
                return

    def __enter__(self) -> "Reader":
        self.start()
        if not self.began.wait(TIMEOUT):
            raise NotYet("The check cannot read the products.")
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(TIMEOUT)


@contextmanager
def before_each(note: Callable[[str], None]) -> Iterator[None]:
    """Within the block, tell of each statement of this thread, before it runs.

    On any engine: env.py may make its own.
    """
    own = current_thread()

    def listener(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if current_thread() is own:
            note(statement)

    event.listen(Engine, "before_cursor_execute", listener)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", listener)


@contextmanager
def need_concurrently() -> Iterator[None]:
    """Within the block, indexes are built, and each so that others can write meanwhile."""
    sent: list[str] = []
    with before_each(lambda statement: sent.append(statement.upper())):
        yield
    beside = ["CONCURRENTLY" in statement for statement in sent if BUILDS.match(statement)]
    line = "Nobody can write to the table while its index is built."
    need(beside and all(beside), line)


def upgrade_past_an_invalid_index(trial: Trial) -> None:
    """While a script drops an index, or builds it, somebody reads, and nobody waits long."""
    readers: list[Reader] = []

    def leave() -> None:
        for reader in readers[-1:]:
            reader.__exit__()

    def note(statement: str) -> None:
        leave()
        if OF_INDEXES.search(statement):
            readers.append(Reader(trial.db.engine.url).__enter__())

    with before_each(note), suppress(NotYet):
        trial.upgrade()
    leave()
    line = (
        "While somebody reads the products for long, dropping the invalid index"
        " holds all visitors up."
    )
    need(all(reader.longest < LIMIT for reader in readers), line)
    trial.upgrade()  # a limit may have ended the first one


def need_index(trial: Trial, column: str, *, unique: bool = False) -> str:
    """There is a valid index on the column, and no other; returns its name."""
    found = trial.sql(INDEXES, column=column)
    for name, valid, _ in found:
        line = f"The index {name} is there, but it is not valid (pg_index.indisvalid)."
        need(valid, line)
    kinds = [is_unique for _, _, is_unique in found]
    kind = "valid unique index" if unique else "valid index"
    need(kinds and (not unique or True in kinds), f"The table has no {kind} on {column}.")
    return str(found[0][0])


def leave_invalid(trial: Trial, index: str, column: str, kind: str = "INDEX") -> None:
    """Let the building of an index fail: it waits for somebody who writes, and has a limit."""
    url, limit = trial.db.engine.url, {"options": "-c lock_timeout=50ms"}
    statement = f"CREATE {kind} CONCURRENTLY {index} ON products ({column})"
    with (
        connected(url) as writer,
        connected(url, isolation_level="AUTOCOMMIT", connect_args=limit) as other,
        suppress(DBAPIError),
    ):
        writer.execute(text("LOCK products IN ROW EXCLUSIVE MODE"))
        other.execute(text(statement))


def with_a_script_that_locks(shop: Workspace) -> None:
    """0002 is there, not run: a column, its values and its index in one transaction."""
    shop.edit(MODELS, NAME, NAME + SHELF)
    shop.restart()
    write_script("add shelf", ADD_SHELF)


def judge_shelf(trial: Trial) -> None:
    """The script gives up behind a reader, holds nobody up, and can be run again."""
    need_shelves(trial)
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        trial.need_no_column("products", "shelf")
    trial.sql(MANY)
    need_short_wait(trial)
    need_nobody_held_up(trial)
    trial.need_rows_kept(columns=["id", "name"])
    with where("Run again after it has failed at its end"):
        need_second_run(trial)
    trial.need_from_empty()


def need_shelves(trial: Trial) -> str:
    """Each product has its shelf, and the index is valid; returns its name."""
    trial.need_text("products", "shelf", 1)
    wrong = "SELECT id, name FROM products WHERE shelf IS DISTINCT FROM left(name, 1) ORDER BY id"
    for key, name in trial.sql(wrong):
        raise NotYet(f"Product {key}, {name}, has not its first letter as its shelf.")
    return need_index(trial, "shelf")


def need_short_wait(trial: Trial) -> None:
    """Behind somebody who reads for long, the migration gives up soon (or tries again)."""
    with Reader(trial.db.engine.url) as reader, suppress(NotYet):
        trial.upgrade()
    line = (
        "While somebody reads the products for long, the migration waits for its lock longer"
        " than 200 ms, and all visitors wait behind it."
    )
    need(reader.longest < LIMIT, line)


def need_nobody_held_up(trial: Trial) -> None:
    """The rows are filled while others can read, the index is built while others can write."""
    trial.downgrade("0001")
    pages = trial.sql("SELECT pg_relation_filenode('products')")
    trial.sql(STRICT)
    trial.sql("CREATE TRIGGER strict BEFORE UPDATE ON products EXECUTE FUNCTION strict()")
    line = "The rows get their shelves while the lock of add_column is held: nobody can read."
    with need_concurrently():
        try:
            trial.upgrade()
        except NotYet as stopped:
            need("nobody can read" not in str(stopped), line)
            raise
        with where("After a downgrade to 0001 and upgrade"):
            need_shelves(trial)
    # A new file: the whole table was written anew, under that lock.
    need(trial.sql("SELECT pg_relation_filenode('products')") == pages, line)
    trial.sql("DROP FUNCTION strict CASCADE")
    left = "After the upgrade, the app's connection still has the limit: SET LOCAL, or RESET."
    need(not trial.sql(LIMITS_LEFT), left)


def need_second_run(trial: Trial) -> None:
    """After a first run that failed halfway, and left an invalid index, the next one succeeds."""
    index, head = need_shelves(trial), trial.need_one_head()
    trial.downgrade("0001")
    trial.sql(CUT)
    trial.sql(
        "CREATE TRIGGER cut BEFORE INSERT OR UPDATE ON alembic_version FOR EACH ROW"
        f" WHEN (NEW.version_num = '{head}') EXECUTE FUNCTION cut()"
    )
    with suppress(NotYet):
        trial.upgrade()
    trial.sql("DROP FUNCTION cut CASCADE")
    trial.sql(f"DROP INDEX IF EXISTS {index}")
    leave_invalid(trial, index, "shelf")
    upgrade_past_an_invalid_index(trial)
    need_shelves(trial)


def with_an_index_that_is_not_one(shop: Workspace) -> None:
    """0002 has failed over a second Apple, and left an invalid index."""
    shop.edit(MODELS, NAME, UNIQUE_NAME)
    shop.restart()
    from flask_app import Product, db

    db.session.add(Product(name="Apple"))
    db.session.commit()
    write_script("unique names", UNIQUE_NAMES)
    with suppress(IntegrityError):
        upgrade()


def judge_names(trial: Trial) -> None:
    """The names are unique, here and where the script has failed before."""
    need_names(trial, NAMES)
    need_unique(trial)
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        need(not trial.sql(INDEXES, column="name"), "The index is still there.")
    trial.upgrade()
    with where("After a downgrade to 0001 and upgrade"):
        need_names(trial, NAMES)
        need_unique(trial)
    trial.downgrade("0001")
    with where("Another database, where it has failed before"):
        need_after_failure(trial)
    trial.need_from_empty()


def need_names(trial: Trial, wanted: dict[int, str]) -> None:
    """The products of these ids have these names."""
    found = {row["id"]: row["name"] for row in trial.rows("products")}
    for key, name in wanted.items():
        need(key in found, f"Product {key}, {name}, is gone.")
        line = f"Product {key} should be called {name}; it is called {found.get(key)}."
        need(found[key] == name, line)


def need_unique(trial: Trial) -> None:
    """A valid index keeps second ones out."""
    need_index(trial, "name", unique=True)
    try:
        trial.sql("INSERT INTO products (id, name) SELECT 900, max(name) FROM products")
    except IntegrityError:
        return
    raise NotYet("The table takes a name that is there already.")


def need_after_failure(trial: Trial) -> None:
    """Where the script left an invalid index, and names are settled since, it runs."""
    trial.sql("DELETE FROM products")
    for key, name in OTHERS.items():
        trial.sql("INSERT INTO products (id, name) VALUES (:key, :name)", key=key, name=name)
    leave_invalid(trial, "ix_products_name", "name", "UNIQUE INDEX")
    with need_concurrently():
        upgrade_past_an_invalid_index(trial)
    need_names(trial, OTHERS)
    need_unique(trial)
    trial.need_models_agree()


EXERCISES = (
    Exercise(
        "16.1",
        "Without waiting",
        judge_shelf,
        "It gives up soon, lets others read and write meanwhile, and can be run again.",
        (
            "Take the three lines one by one: which lock does each need, how long does it wait for"
            " it, and when does it give it back?",
            "First a limit, then the column. `autocommit_block` ends the transaction, and with it"
            " the column's lock: what belongs into the block? And each step must stand being run"
            " twice.",
            "`SET LOCAL lock_timeout = '200ms'`; `add_column` with `if_not_exists=True`; in the"
            " block the `UPDATE`, then `drop_index` with `if_exists=True`, then `create_index`,"
            " both with `postgresql_concurrently=True`.",
        ),
        with_a_script_that_locks,
        home="PostgreSQL",
    ),
    Exercise(
        "16.2",
        "An index that is not one",
        judge_names,
        "What a failed run leaves behind is cleared away first, so the next one succeeds.",
        (
            "Two things are in the way: what made the first run fail, and what that run left.",
            "An index that failed stays, invalid: `SELECT indexrelid::regclass, indisvalid FROM"
            " pg_index`. To skip it because it exists would keep it as it is.",
            "Rename the second Apple and commit. In `0002`, in the block before `create_index`:"
            ' `op.drop_index("ix_products_name", if_exists=True, postgresql_concurrently=True)`.',
        ),
        with_an_index_that_is_not_one,
        home="PostgreSQL",
    ),
)
