"""The exercises of chapter 15, Halfway."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ..workspace import Workspace
from .definition import HEAD, MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial, told

VERSIONS = Path("migrations", "versions")
ENV = "migrations/env.py"
SLIPS = (NameError, TypeError, AttributeError, ImportError, SQLAlchemyError)

Names = Mapping[int, str | None]

SHELF_MODEL = '''class Shelf(db.Model):
    """A place in the shop."""

    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(20))


'''
SHELF = "    shelf: Mapped[str | None] = mapped_column(String(20), index=True)\n"
SHELVES_SCRIPT = """
products = sa.table("products", sa.column("name", sa.String))


def upgrade():
    op.create_table(  # 1
        "shelves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelves")),
    )
    op.add_column("products", sa.Column("shelf", sa.String(length=20), nullable=True))  # 2
    op.execute(products.update().values(name=products.c.name + ", fresh"))  # 3
    op.create_index(op.f("ix_products_shelf"), "products", ["shelve"], unique=False)  # 4


def downgrade():
    op.drop_index(op.f("ix_products_shelf"), table_name="products")
    op.execute(
        "UPDATE products SET name = substr(name, 1, length(name) - 7)"
        " WHERE name LIKE '%, fresh'"
    )
    op.drop_column("products", "shelf")
    op.drop_table("shelves")
"""
OTHERS: Names = {1: "Leek", 2: None, 7: "Kale"}

SUPPLIER_MODEL = '''class Supplier(db.Model):
    """Somebody who brings products."""

    __tablename__ = "suppliers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


'''
INDEXED_NAME = NAME.replace("String(50)", "String(50), index=True")
SUPPLIERS_SCRIPT = """

def upgrade():
    op.create_table(
        "suppliers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppliers")),
    )


def downgrade():
    op.drop_table("suppliers")
"""
INDEX_SCRIPT = """

def upgrade():
    op.create_index(op.f("ix_products_name"), "products", ["name"], unique=False)


def downgrade():
    op.drop_index(op.f("ix_products_name"), table_name="products")
"""
OFFLINE = "def run_migrations_offline():"
REFUSE = '''def refuse_leftovers(connection):
    """Stop if batch mode was interrupted: somebody must look at its half copy."""
    left = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE name GLOB '_alembic_tmp_*'"
    ).scalar()
    if left:
        raise RuntimeError(f"{left} is left of a batch. Look at it, then drop it.")


'''
CONNECTED = "    with connectable.connect() as connection:\n"
CALL = "        refuse_leftovers(connection)\n"
LEFTOVER = "_alembic_tmp_suppliers"
# The check's own migration: it stops when it has changed the rows.
STOPS = """

def upgrade():
    op.execute("UPDATE products SET name = 'Halfway'")
    raise ValueError("This one stops.")


def downgrade():
    pass
"""


def write_script(revision: str, message: str, body: str, parent: str) -> Path:
    """A script that somebody wrote by hand; returns its file."""
    file = VERSIONS / f"{revision}_{message.replace(' ', '_')}.py"
    head = HEAD.format(message=message, revision=revision, parent=parent)
    file.write_text(head + body, "utf-8")
    return file


def names(trial: Trial) -> Names:
    """The names of the products by their id."""
    return {row["id"]: row["name"] for row in trial.rows("products")}


def put_in(trial: Trial, products: Names) -> None:
    """Put these products into the copy's database."""
    for key, name in products.items():
        trial.sql("INSERT INTO products (id, name) VALUES (:key, :name)", key=key, name=name)


@contextmanager
def another_database(trial: Trial, products: Names) -> Iterator[None]:
    """Within the block, be on a database at 0001 that has these products."""
    with trial.empty_database():
        trial.upgrade("0001")
        with where("On another database"):
            need_moved(trial, "upgrade", "0001")
            put_in(trial, products)
            yield


def with_half_a_migration(shop: Workspace) -> None:
    """0002 stopped at its last step: what came before its UPDATE is there."""
    shop.edit(MODELS, "class Product", SHELF_MODEL + "class Product")
    shop.edit(MODELS, NAME, NAME + SHELF)
    write_script("0002", "shelves", SHELVES_SCRIPT, "0001")
    shop.restart()
    with suppress(OperationalError):
        upgrade()


def judge_half(trial: Trial) -> None:
    """All four steps are done once, here and on any other database, and can be undone."""
    need_products_kept(trial, "15.1", ["id"])
    fruits = {row["id"]: row["name"] for row in trial.start.tables["products"].rows}
    need_steps(trial, fruits)
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    with another_database(trial, OTHERS):
        trial.upgrade()
        need_steps(trial, OTHERS)
        need_undone(trial, OTHERS)
    need_undone(trial, fruits)
    trial.upgrade()
    with where("After a downgrade to 0001 and upgrade"):
        need_steps(trial, fruits)


def need_products_kept(trial: Trial, number: str, columns: Iterable[str] = ()) -> None:
    """The products are there; if all are lost, the learner must start anew."""
    line = (
        f"The database is at {at(trial)}, and the products are lost: a downgrade undoes 0001,"
        f' which drops them. Start anew with `exercise("{number}")`.'
    )
    need("products" in trial.table_names and trial.rows("products"), line)
    trial.need_rows_kept(columns=columns)


def need_steps(trial: Trial, before: Names) -> None:
    """What the script's steps make is there; the names say that they ran once."""
    trial.need_table("shelves")
    trial.need_column("products", "shelf")
    need_names(trial, {key: name and f"{name}, fresh" for key, name in before.items()})
    indexed = [index["column_names"] for index in trial.inspector.get_indexes("products")]
    need(["shelf"] in indexed, "The column shelf has no index.")


def need_undone(trial: Trial, before: Names) -> None:
    """A downgrade to 0001 leaves nothing of the steps."""
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        trial.need_no_table("shelves")
        trial.need_no_column("products", "shelf")
        need_names(trial, before)


def need_names(trial: Trial, wanted: Names) -> None:
    """The products of these ids have these names."""
    found = names(trial)
    for key, name in wanted.items():
        need(key in found, f"Product {key}, {said(name)}, is gone.")
        line = f"Product {key} should be called {said(name)}; it is called {said(found[key])}."
        need(found[key] == name, line)


def said(name: str | None) -> str:
    """A name in a sentence."""
    return "NULL" if name is None else f'"{name}"'


def with_lost_bookkeeping(shop: Workspace) -> None:
    """env.py asks before context.configure; an upgrade with it made a table, and noted nothing."""
    shop.edit(MODELS, "class Product", SUPPLIER_MODEL + "class Product")
    shop.edit(MODELS, NAME, INDEXED_NAME)
    write_script("0002", "suppliers", SUPPLIERS_SCRIPT, "0001")
    write_script("0003", "index names", INDEX_SCRIPT, "0002")
    shop.edit(ENV, OFFLINE, REFUSE + OFFLINE)
    shop.edit(ENV, CONNECTED, CONNECTED + CALL)
    shop.restart()
    upgrade()
    from flask_app import db

    db.session.execute(db.text("INSERT INTO suppliers (name) VALUES ('Orchard'), ('Plantation')"))
    db.session.commit()


def judge_bookkeeping(trial: Trial) -> None:
    """What runs is noted, a leftover still stops it, and the shop has lost no rows."""
    need_products_kept(trial, "15.2")
    trial.need_rows_kept("suppliers")
    head = trial.need_one_head()
    with another_database(trial, OTHERS):
        trial.upgrade()
        need_moved(trial, "upgrade", head)
        trial.need_models_agree()
        need_refusal(trial, head, "downgrade", "0001")
        trial.downgrade("0001")
        need_moved(trial, "downgrade", "0001")
        trial.need_no_table("suppliers")
        need_refusal(trial, "0001", "upgrade", "heads")
        need_names(trial, OTHERS)
        need_truth_after_an_error(trial, head)
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_way_back("0001")


def need_moved(trial: Trial, command: str, revision: str) -> None:
    """The command that ran has noted where the database is."""
    line = f"{command}() says no error. The database is at {at(trial)}, not at {revision}."
    need(at(trial) == revision, line)


def at(trial: Trial) -> str:
    """Where the copy's database is, by its own notes."""
    return ", ".join(trial.current) or "base"


def need_refusal(trial: Trial, here: str, command: str, revision: str) -> None:
    """With a leftover of batch mode there, the command stops, on purpose and in time."""
    trial.sql(f"CREATE TABLE {LEFTOVER} (id INTEGER)")
    before = trial.now
    try:
        getattr(trial, command)(revision)
    except NotYet as refused:
        error: Any = refused.__cause__
    else:
        raise NotYet(f"With a table {LEFTOVER}, {command}() goes through: env.py must refuse.")
    error = error.__context__ if isinstance(error, SystemExit) else error
    line = f"With a table {LEFTOVER}, {command}() fails, but by mistake: {told(error)}"
    need(not isinstance(error, SLIPS), line)
    line = f"With a table {LEFTOVER}, {command}() refuses, but only when it has changed something."
    need(trial.now == before and [here] == trial.current, line)
    trial.sql(f"DROP TABLE {LEFTOVER}")


def need_truth_after_an_error(trial: Trial, head: str) -> None:
    """A migration that stops changes no rows, and those before it are noted, if they are there."""
    script = write_script("stops", "stops", STOPS, head)
    try:
        trial.upgrade()
    except NotYet:
        stopped = True
    else:
        stopped = False
    script.unlink()
    when = f"When a script after {head} fails,"
    here, made = at(trial), "suppliers" in trial.table_names
    ran = " and ".join(revision for revision in trial.scripts if revision != "0001")
    line = f"{when} the database still says {here}, though {ran} ran, and suppliers is there."
    need(here == head or not made, f"{line} The commit comes too late, or not at all.")
    need(here == "0001" or made, f"{when} the database says {here}, but suppliers is not there.")
    line = f"{when} what it had written to the rows is not taken back."
    need("Halfway" not in names(trial).values(), line)
    need(stopped, f"{when} upgrade() says no error.")


EXERCISES = (
    Exercise(
        "15.1",
        "Out of a half",
        judge_half,
        "Each step ran once, and the script is one that runs from its first step to its last.",
        (
            "What is there, and what is not? `shop.map()`, `shop.schema('products')`,"
            " `shop.table('products')`. And which word in step 4 is the slip?",
            "The steps before the `UPDATE` are final, the `UPDATE` was taken back. Mend the script,"
            " then either undo by hand two steps, or do by hand two others and stamp.",
            "Backward: `DROP TABLE shelves` and `ALTER TABLE products DROP COLUMN shelf`, a commit,"
            " `upgrade()`. Step 4 indexes `shelf`.",
        ),
        with_half_a_migration,
    ),
    Exercise(
        "15.2",
        "An env.py that loses the bookkeeping",
        judge_bookkeeping,
        "Alembic owns the transaction, so it notes what it did; env.py still looks before.",
        (
            "Read `run_migrations_online` in `env.py`. Which SQL comes first, and who commits then?"
            " As long as that is so, `stamp` is lost, too.",
            "`refuse_leftovers(connection)` stands before `context.configure`. Let it stand where"
            " Alembic has begun. Then: which of the scripts has the database in truth?",
            "Make the call the first line in `with context.begin_transaction():`. Then"
            ' `stamp(revision="0002")`, because `suppliers` is there and holds rows; then'
            " `upgrade()`.",
        ),
        with_lost_bookkeeping,
    ),
)
