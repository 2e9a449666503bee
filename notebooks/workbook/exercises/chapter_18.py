"""The exercises of chapter 18, Many databases."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import flask_migrate
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import current_app
from flask_migrate import upgrade
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError

from ..comparison import VERSIONS
from ..errors import WorkbookError
from ..frames import Frame
from ..workspace import Workspace
from .definition import MODELS, Exercise, NotYet, need, where
from .trial import Trial, words

FACTORY = "flask_app/__init__.py"
FIRST = "migrations/versions/0001_initial_migration.py"
ENVIRONMENT = "    app.config.from_prefixed_env()\n"
TEMPLATE = Path(flask_migrate.__file__).parent / "templates" / "flask-multidb"
# Alembic makes it while it changes a table of SQLite, and leaves it if the copying fails.
LEFTOVER = "_alembic_tmp_"
BEFORE = ("0001", "0002")
NEW_COLUMNS = (("", "products", "seen"), ("orders", "orders", "page"))

Steps = Mapping[str, tuple[str, str]]
Rows = list[tuple[Any, ...]]

MODULE = '''"""The tables of the shop."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .database import db


class Product(db.Model):
    """Something that the shop sells."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
'''
ORDER = '''

class Order(db.Model):
    """A product that somebody wants."""

    __tablename__ = "orders"
    __bind_key__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int]
'''
STOCK = '''

class Stock(db.Model):
    """How many pieces of a product are left."""

    __tablename__ = "stock"
    __bind_key__ = "stock"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int]
    pieces: Mapped[int]
'''
VISIT = '''

class Visit(db.Model):
    """Somebody looked at a page."""

    __tablename__ = "visits"
    __bind_key__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(50))
'''
PRICE = "    price: Mapped[int | None]\n"
PIECES = "    pieces: Mapped[int | None]\n"
SEEN = "    seen: Mapped[int | None]\n"
PAGE = "    page: Mapped[str | None] = mapped_column(String(80))\n"

SCRIPT = """\"\"\"{message}

Revision ID: {revision}
Revises: {parent}

\"\"\"
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '{revision}'
down_revision = '{parent}'
branch_labels = None
depends_on = None


def upgrade(engine_name):
    globals()["upgrade_%s" % engine_name]()


def downgrade(engine_name):
    globals()["downgrade_%s" % engine_name]()
"""
FUNCTIONS = """

def upgrade_{name}():
    {up}


def downgrade_{name}():
    {down}
"""
INTEGER = "sa.Integer()"
TEXT = "sa.String(length=50)"
BATCH = """with op.batch_alter_table('{table}', schema=None) as batch_op:
        batch_op.{step}"""
TABLE = """op.create_table('{table}',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('{column}', {kind}, nullable={nullable}),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_{table}'))
    )"""

ORDERS: Rows = [(1, 3, 12), (2, 1, 4)]
PLAIN_ORDERS: Rows = [row[:2] for row in ORDERS]
VISITS: Rows = [(1, "/apple"), (2, None), (3, "/banana")]
VISITS_FILLED: Rows = [(1, "/apple"), (2, "/"), (3, "/banana")]
OTHER_PRODUCTS: Rows = [(1, "Fig"), (2, None)]
OTHER_ORDERS: Rows = [(7, 2)]
OTHER_VISITS: Rows = [(4, None), (5, "/fig"), (6, None)]
OTHER_VISITS_FILLED: Rows = [(4, "/"), (5, "/fig"), (6, "/")]


# --- Looking, for the learner too ---


def engines() -> dict[str, Engine]:
    """The running app's databases by their name; the default one, "", comes first."""
    found = current_app.extensions["sqlalchemy"].engines
    return {"": found[None], **{name: engine for name, engine in found.items() if name}}


def databases() -> Frame:
    """A row for each table: its database, the revision of that, the columns."""
    rows = []
    for name, engine in engines().items():
        inspector = inspect(engine)
        tables = sorted({*inspector.get_table_names()} - {VERSIONS})
        for table in tables or ["(no table)"]:
            columns = inspector.get_columns(table) if tables else []
            names = ", ".join(column["name"] for column in columns)
            rows.append((name or "(default)", revision_of(engine) or "none", table, names))
    return Frame(rows, columns=["database", "revision", "table", "columns"])


def run(name: str | None, sql: str) -> Rows:
    """Run SQL in a database, and return its rows if it gives any; the default one is None."""
    known = engines()
    if (name or "") not in known:
        said = ", ".join(f'"{bind}"' if bind else "None" for bind in known)
        raise WorkbookError(f'There is no database "{name}". There are: {said}.')
    with known[name or ""].begin() as connection:
        result = connection.exec_driver_sql(sql)
        return [tuple(row) for row in result] if result.returns_rows else []


def revision_of(engine: Engine) -> str:
    """What a database's alembic_version holds; empty at base."""
    if not inspect(engine).has_table(VERSIONS):
        return ""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSIONS} ORDER BY 1")
        return ", ".join(found.scalars())


# --- Putting up ---


def go_multiple(shop: Workspace, *binds: str) -> None:
    """Binds, the template for several databases, and a 0001 that passes over all but one."""
    uris = ", ".join(f'"{bind}": "sqlite:///{bind}.db"' for bind in binds)
    several = f"    app.config.from_mapping(SQLALCHEMY_BINDS={{{uris}}})\n"
    shop.edit(FACTORY, ENVIRONMENT, several + ENVIRONMENT)
    for file in ("env.py", "script.py.mako"):
        shutil.copyfile(TEMPLATE / file, shop.path / "migrations" / file)
    for verb in ("upgrade", "downgrade"):
        new = f"def {verb}(engine_name):\n    if engine_name != '':\n        return\n"
        shop.edit(FIRST, f"def {verb}():\n", new)


def write_script(revision: str, message: str, steps: Steps) -> None:
    """A script with two functions for each database; it follows the number before its own."""
    file = Path("migrations", "versions", f"{revision}_{message.replace(' ', '_')}.py")
    text = SCRIPT.format(message=message, revision=revision, parent=f"{int(revision) - 1:04}")
    for name, (up, down) in steps.items():
        text += FUNCTIONS.format(name=name, up=up, down=down)
    file.write_text(text, "utf-8")


def made(table: str, column: str, kind: str, nullable: bool = False) -> tuple[str, str]:
    """The steps that make and drop a table with an id and one more column."""
    make = TABLE.format(table=table, column=column, kind=kind, nullable=nullable)
    return make, f"op.drop_table('{table}')"


def added(table: str, column: str, kind: str) -> tuple[str, str]:
    """The steps that add and drop a column that may be NULL."""
    add = f"add_column(sa.Column('{column}', {kind}, nullable=True))"
    drop = f"drop_column('{column}')"
    return BATCH.format(table=table, step=add), BATCH.format(table=table, step=drop)


def tightened(table: str, column: str, kind: str) -> tuple[str, str]:
    """The steps that make a column required and lift that again."""
    step = f"alter_column('{column}', existing_type={kind}, nullable="
    up, down = (BATCH.format(table=table, step=f"{step}{to})") for to in (False, True))
    return up, down


def put_in(name: str, table: str, rows: Rows) -> None:
    """Put rows into a table that has just these columns."""
    for row in rows:
        values = ", ".join("NULL" if value is None else repr(value) for value in row)
        run(name, f"INSERT INTO {table} VALUES ({values})")


def with_a_new_bind(shop: Workspace) -> None:
    """Two databases at 0003; then a third one, with its model."""
    go_multiple(shop, "orders", "stock")
    nothing = ("pass", "pass")
    orders = made("orders", "product_id", INTEGER)
    write_script("0002", "add orders", {"": nothing, "orders": orders})
    both = {
        "": added("products", "price", INTEGER),
        "orders": added("orders", "pieces", INTEGER),
    }
    write_script("0003", "add price and pieces", both)
    Path(MODELS).write_text(MODULE + PRICE + ORDER + PIECES + STOCK, "utf-8")
    new = ', "stock": "sqlite:///stock.db"'
    shop.edit(FACTORY, new, "")
    shop.restart()
    upgrade()
    put_in("orders", "orders", ORDERS)
    run(None, "UPDATE products SET price = 40 + 30 * id")
    shop.edit(FACTORY, '"sqlite:///orders.db"', f'"sqlite:///orders.db"{new}')
    shop.restart()
    (shop.path / "instance" / "stock.db").touch()  # else the first look at it would be a change


def with_half_an_upgrade(shop: Workspace) -> None:
    """Three databases at 0002; then 0003, which fails in the third."""
    go_multiple(shop, "orders", "visits")
    tables = {
        "": ("pass", "pass"),
        "orders": made("orders", "product_id", INTEGER),
        "visits": made("visits", "path", TEXT, nullable=True),
    }
    write_script("0002", "add orders and visits", tables)
    columns = {
        "": added("products", "seen", INTEGER),
        "orders": added("orders", "page", "sa.String(length=80)"),
        "visits": tightened("visits", "path", TEXT),
    }
    write_script("0003", "count visits", columns)
    Path(MODELS).write_text(MODULE + SEEN + ORDER + PAGE + VISIT, "utf-8")
    shop.restart()
    upgrade(revision="0002")
    put_in("orders", "orders", PLAIN_ORDERS)
    put_in("visits", "visits", VISITS)
    with suppress(IntegrityError):
        upgrade()


# --- Judging ---


def label(name: str) -> str:
    """A database in words."""
    return f'the database "{name}"' if name else "the default database"


def need_databases(trial: Trial, *binds: str) -> None:
    """The app has these binds, and each of its databases is a file of the copy."""
    for bind in binds:
        need(bind in engines(), f'The app has no bind "{bind}".')
    for name, engine in engines().items():
        file = Path(engine.url.database or "")
        inside = file.is_absolute() and file.resolve().is_relative_to(trial.path)
        line = f"The check wants {label(name)} as a file of the workspace, sqlite:///name.db."
        need(engine.dialect.name == "sqlite" and inside, line)


def need_in(name: str, table: str, columns: str) -> None:
    """The database has this table, with these columns."""
    inspector = inspect(engines()[name])
    need(inspector.has_table(table), f'There is no table "{table}" in {label(name)}.')
    there = {column["name"] for column in inspector.get_columns(table)}
    for column in columns.split(", "):
        need(column in there, f'The table {table} has no column "{column}".')


def need_rows(name: str, table: str, columns: str, wanted: Rows) -> None:
    """The table has these rows."""
    need_in(name, table, columns)
    found = run(name, f"SELECT {columns} FROM {table}")
    for row in wanted:
        said = ", ".join("NULL" if value is None else str(value) for value in row)
        need(row in found, f"The table {table} should have the row {said} ({columns}).")


def need_all_at_head(trial: Trial) -> None:
    """The history has one head, and all databases are there."""
    head = trial.need_one_head()
    for name, engine in engines().items():
        here = revision_of(engine) or "base"
        need(here == head, f"{label(name).capitalize()} is at {here}, not at {head}.")


def need_all_agree(trial: Trial) -> None:
    """Autogenerate finds models and database alike, in each."""
    for name, engine in engines().items():
        with engine.connect() as connection:
            settings = trial.app.extensions["migrate"].configure_args
            context = MigrationContext.configure(connection, opts=settings)
            found = compare_metadata(context, trial.db.metadatas[name or None])
        if found:
            first = found[0][0] if isinstance(found[0], list) else found[0]
            raise NotYet(
                f"Models and database do not agree: in {label(name)},"
                f" migrate() would write {words(first)}."
            )


@contextmanager
def other_databases(trial: Trial, revision: str) -> Iterator[None]:
    """Within the block, be on new databases at this revision. The binds stay new afterwards."""
    with trial.empty_database():
        need_databases(trial)
        for name, engine in engines().items():
            if name:
                Path(engine.url.database or "").unlink(missing_ok=True)
        with where("On a set of new databases"):
            trial.upgrade(revision)
            yield


def need_all_ways(trial: Trial) -> None:
    """From here back to base, up to the head, and all is as the models say."""
    trial.downgrade("base")
    trial.upgrade()
    need_all_agree(trial)


def judge_new_bind(trial: Trial) -> None:
    """The bind's table is there, made by scripts that know the bind."""
    need_databases(trial, "orders", "stock")
    trial.need_rows_kept()
    need_rows("orders", "orders", "id, product_id, pieces", ORDERS)
    need_in("stock", "stock", "id, product_id, pieces")
    need_all_at_head(trial)
    need_all_agree(trial)
    trial.downgrade("0003")
    trial.upgrade()
    with where("After a downgrade to 0003 and upgrade"):
        trial.need_rows_kept()
        need_rows("orders", "orders", "id, product_id, pieces", ORDERS)
        need_in("stock", "stock", "id, product_id, pieces")
    need_alarm(trial)
    with other_databases(trial, "heads"):
        need_all_agree(trial)
        need_in("", "products", "id, name, price")
        need_in("orders", "orders", "id, product_id, pieces")
        need_in("stock", "stock", "id, product_id, pieces")
        need_all_ways(trial)


def need_alarm(trial: Trial) -> None:
    """The scripts that stopped at a database that they do not know still do."""
    for revision, script in trial.scripts.items():
        if revision in trial.scripts_at_start - {"0001"}:
            try:
                script.module.upgrade("nobody")
            except Exception:  # any error is an alarm
                continue
            raise NotYet(f"{revision} passes over any database that it does not know.")


def judge_half(trial: Trial) -> None:
    """All three are whole, and so will be others with such rows."""
    need_databases(trial, "orders", "visits")
    trial.need_rows_kept(columns=["id", "name"])
    need_rows("orders", "orders", "id, product_id", PLAIN_ORDERS)
    need_rows("visits", "visits", "id", [row[:1] for row in VISITS])
    need_no_leftover()
    need_all_at_head(trial)
    need_tables()
    need_rows("visits", "visits", "id, path", VISITS_FILLED)
    need_all_agree(trial)
    need_same_default(trial)
    trial.downgrade("0002")
    with where("After a downgrade to 0002"):
        need(takes_no_path(), "The table visits should take a visit without a path again.")
    with where("After a downgrade to 0002, and with one more visit without a path"):
        trial.upgrade()
        trial.need_rows_kept(columns=["id", "name"])
        need_rows("orders", "orders", "id, product_id", PLAIN_ORDERS)
        need_rows("visits", "visits", "id, path", VISITS_FILLED)
    with other_databases(trial, "0002"):
        put_in("", "products", OTHER_PRODUCTS)
        put_in("orders", "orders", OTHER_ORDERS)
        put_in("visits", "visits", OTHER_VISITS)
        with where("with rows at 0002"):
            trial.upgrade()
            need_rows("", "products", "id, name", OTHER_PRODUCTS)
            need_rows("orders", "orders", "id, product_id", OTHER_ORDERS)
            need_rows("visits", "visits", "id, path", OTHER_VISITS_FILLED)
            need_tables()
            need_no_leftover()
        need_all_agree(trial)
        need_same_default(trial)
        need_all_ways(trial)


def need_no_leftover() -> None:
    """No database holds what a 0003 that failed there left."""
    left = []
    for name, table, column in NEW_COLUMNS:
        engine = engines()[name]
        columns = [found["name"] for found in inspect(engine).get_columns(table)]
        if column in columns and revision_of(engine) in BEFORE:
            left.append(f"{table}.{column}")
    for engine in engines().values():
        tables = inspect(engine).get_table_names()
        left += [f"table {table}" for table in tables if table.startswith(LEFTOVER)]
    need(not left, f"Left over from 0003: {', '.join(left)}.")


def need_tables() -> None:
    """The columns that 0003 adds are there, and the path is required."""
    need_in("", "products", "id, name, seen")
    need_in("orders", "orders", "id, product_id, page")
    need_in("visits", "visits", "id, path")
    need(not takes_no_path(), "The table visits still takes a visit without a path.")


def takes_no_path() -> bool:
    """Try to put in a visit without a path."""
    try:
        run("visits", "INSERT INTO visits (id, path) VALUES (900, NULL)")
    except IntegrityError:
        return False
    return True


def need_same_default(trial: Trial) -> None:
    """Model and database both give the path a default, or neither does: autogenerate skips it."""
    columns = inspect(engines()["visits"]).get_columns("visits")
    there = any(column["name"] == "path" and column["default"] for column in columns)
    model = trial.db.metadatas["visits"].tables["visits"].c.path.server_default is not None
    need(model or not there, "The column path has a default that the model does not have.")
    need(there or not model, "The model has a default for path that the table does not have.")


EXERCISES = (
    Exercise(
        "18.1",
        "A database that comes later",
        judge_new_bind,
        "The old scripts know the new database, and one that nobody knows is still an error.",
        (
            "Run `upgrade()` and read the error. Which script says it, and what does it lack?",
            "A new database runs all scripts from the first on. Those that are older than the"
            " bind have nothing to do there, but they must know its name, on the way up and on the"
            " way down. Only then does `migrate()` find the table.",
            "Add `upgrade_stock` and `downgrade_stock`, with `pass`, to `0002` and to `0003`. Then"
            " `upgrade()`, `migrate(...)`, `upgrade()`.",
        ),
        with_a_new_bind,
    ),
    Exercise(
        "18.2",
        "Half an upgrade",
        judge_half,
        "The leftovers are gone, the script fits such rows, and all databases agree.",
        (
            "All three say `0002`. What is there that `0002` did not make? Look at `databases()`,"
            ' and at the rows of the third: `run("visits", "SELECT * FROM visits")`.',
            "Two columns and a table are left behind; take them away by hand, each in its own"
            " database. Then ask why `0003` failed, and on which row.",
            "`DROP COLUMN seen`, `DROP COLUMN page`, `DROP TABLE _alembic_tmp_visits`. In"
            " `upgrade_visits`, before the change: an `op.execute` with an `UPDATE` that fills the"
            " path where it is `NULL`. Then `upgrade()`.",
        ),
        with_half_an_upgrade,
        untouched="Everything is as at the start. If you have cleaned up and run upgrade(): it"
        " failed in visits again, and left the same behind. Read its error.",
    ),
)
