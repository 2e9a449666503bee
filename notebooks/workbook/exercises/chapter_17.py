"""The exercises of chapter 17, At scale."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import event

from ..frames import NULL
from ..workspace import Workspace
from .chapter_10 import CODE, Rows, need_products, write_script
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial

FEW_PAGES = 10  # a new name needs three: the file's first one, the schema's, alembic_version's
MOST_ROWS = 1000  # that one transaction may write

TITLE = "    title: Mapped[str | None] = mapped_column(String(50))\n"
MANY = """
    INSERT INTO products (id, name)
    WITH RECURSIVE numbers (n) AS (SELECT 4 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
    SELECT n, 'Fruit ' || n FROM numbers
"""
RENAME_IN_BATCH = """

def upgrade():
    with op.batch_alter_table("products") as batch_op:
        batch_op.alter_column("name", new_column_name="title", existing_type=sa.String(50))


def downgrade():
    with op.batch_alter_table("products") as batch_op:
        batch_op.alter_column("title", new_column_name="name", existing_type=sa.String(50))
"""

ADD_CODE = """

def upgrade():
    op.add_column("products", sa.Column("code", sa.String(20)))


def downgrade():
    op.drop_column("products", "code")
"""
FILL_CODES = '''
SIZE = 500
FILL = """
    UPDATE products SET code = 'F-' || id
    WHERE id > :start AND id < :end AND code IS NULL
"""


def upgrade():
    start, filled = 0, None
    with op.get_context().autocommit_block():
        while filled != 0:
            values = {"start": start, "end": start + SIZE}
            filled = op.get_bind().execute(sa.text(FILL), values).rowcount
            start += SIZE


def downgrade():
    """Nothing: codes do no harm, and 0002 takes them away."""
'''
CODES = {1: "A1", 700: "SOUR-2", 2500: "F-4"}
COMMITTED = (
    "(Does the script commit by itself? Then Alembic's own row is lost: use autocommit_block.)"
)
LOST = (
    "(Its own code is lost, by the script or by a downgrade below 0002, and no run brings it"
    ' back: exercise("17.2") begins anew, with the script as it was.)'
)
GONE = "DELETE FROM products WHERE id BETWEEN 1001 AND 2000"

# A first range with nothing to fill, gaps, ends of ranges, and more than one transaction may write.
OTHERS: Rows = {
    1: ("Leek", "L1"),
    2: ("Salt", ""),
    **{key: (f"Nut {key}", None) for key in (999, 1000, 1001, 4001, 9501, 60_000, 70_500)},
    **dict.fromkeys(range(6000, 7501), (None, None)),
    8000: ("Kiwi", "F-1"),
    8001: ("Fig", None),
}


def with_a_rename_in_batch(shop: Workspace) -> None:
    """10,000 products; 0002 is there, not run: it renames their column in batch mode."""
    from flask_app import db

    db.session.execute(db.text(MANY), {"last": 10_000})
    db.session.commit()
    shop.edit(MODELS, NAME, TITLE)
    shop.edit(MODELS, "self.name", "self.title")
    shop.restart()
    write_script("0002", "rename name", RENAME_IN_BATCH)


def judge_rename(trial: Trial) -> None:
    """The column has its new name; the scripts give it without a copy, there and back."""
    need_names(trial, "title", gone="name")
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    with trial.empty_database(), where("On a new copy of the start"):
        need_no_copy(trial)
    trial.need_from_empty()


def need_no_copy(trial: Trial) -> None:
    """The start's products get the new name, the old and the new; no page of theirs is written."""
    trial.upgrade("0001")
    put_start_in(trial)
    with need_few_pages(trial, "upgrade"):
        trial.upgrade()
    need_names(trial, "title", gone="name")
    with need_few_pages(trial, "downgrade"):
        trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        need_names(trial, "name", gone="title")
    trial.upgrade()
    with where("After a downgrade to 0001 and upgrade"):
        need_names(trial, "title", gone="name")


def put_start_in(trial: Trial) -> None:
    """Put the start's products in, behind free pages: VACUUM takes these, and moves the rows."""
    put = trial.db.text("INSERT INTO products (id, name) VALUES (:id, :name)")
    trial.sql("CREATE TABLE room AS SELECT zeroblob(100000) AS bytes")
    with trial.connection() as connection:
        connection.execute(put, trial.start.tables["products"].rows)
    trial.sql("DROP TABLE room")


def need_names(trial: Trial, column: str, gone: str) -> None:
    """The products of the start are there; one column has what was their name, the other is gone.

    By SQL and not by a snapshot: the table is large.
    """
    need(trial.inspector.has_table("products"), 'The database has no table "products".')
    columns = [found["name"] for found in trial.inspector.get_columns("products")]
    need(column in columns, f'The table products has no column "{column}".')
    need(gone not in columns, f'The table products still has a column "{gone}".')
    found = dict(trial.sql(f"SELECT id, {column} FROM products"))
    for was in trial.start.tables["products"].rows:
        key, name = was["id"], was["name"]
        need(key in found, f"Product {key}, {name}, is gone.")
        line = f"The {column} of product {key} should be {name}, and is {found[key] or 'NULL'}."
        need(found[key] == name, line)


@contextmanager
def need_few_pages(trial: Trial, step: str) -> Iterator[None]:
    """The step in the block writes a few pages of the database's file only."""
    before = pages(trial)
    yield
    after = pages(trial)
    line = f"The {step} makes the file smaller, as VACUUM does: VACUUM copies every table."
    need(len(after) >= len(before), line)
    written = sum(old != new for old, new in zip_longest(before, after))
    line = f"The {step} writes {written} pages of the database's file; a new name needs three."
    need(written < FEW_PAGES, line)


def pages(trial: Trial) -> list[bytes]:
    """The file of the trial's database, cut into its pages; no connection holds any back."""
    trial.db.session.remove()
    trial.db.engine.dispose()
    data = Path(trial.db.engine.url.database).read_bytes()
    size = int.from_bytes(data[16:18])  # as the file's format has it
    return [data[at : at + size] for at in range(0, len(data), size)]


def with_codes_missing(shop: Workspace) -> None:
    """0003 has filled the codes, but not all of them."""
    shop.edit(MODELS, NAME, NAME + CODE)
    shop.restart()
    write_script("0002", "add code", ADD_CODE)
    upgrade()
    from flask_app import db

    db.session.execute(db.text(MANY), {"last": 3000})
    db.session.execute(db.text(GONE))
    give = db.text("UPDATE products SET code = :code WHERE id = :key")
    db.session.execute(give, [{"key": key, "code": code} for key, code in CODES.items()])
    db.session.commit()
    write_script("0003", "fill codes", FILL_CODES)
    upgrade()


def judge_codes(trial: Trial) -> None:
    """Each product has a code, here and in other databases, filled in small steps."""
    wanted = filled(
        {
            row["id"]: (row["name"], None if row["code"] is NULL else row["code"])
            for row in trial.start.tables["products"].rows
        }
    )
    need_own_codes(trial, wanted)
    need_products(trial, "code", wanted)
    trial.need_one_head()
    need_revision_written(trial)
    trial.need_models_agree()
    with trial.empty_database(), where("On another database"):
        need_others_filled(trial)
    trial.downgrade("0002")
    trial.upgrade()
    with where("After a downgrade to 0002 and upgrade"):
        need_products(trial, "code", wanted)
    trial.need_from_empty()


def need_own_codes(trial: Trial, wanted: Rows) -> None:
    """No code of the start is lost: no script can bring it back."""
    trial.need_column("products", "code")
    codes = dict(trial.sql("SELECT id, code FROM products"))
    lost = {key: wanted[key] for key, code in CODES.items() if codes.get(key, code) != code}
    try:
        need_products(trial, "code", lost)
    except NotYet as missing:
        raise NotYet(f"{missing} {LOST}") from missing


def need_revision_written(trial: Trial) -> None:
    """The database is at the head; say why if an upgrade does not bring it there."""
    try:
        trial.need_at_head()
    except NotYet as behind:
        trial.upgrade()
        note = "" if trial.current == trial.heads else f" {COMMITTED}"
        raise NotYet(f"{behind}{note}") from behind


def filled(rows: Rows) -> Rows:
    """The same products, each with a code."""
    return {key: (name, f"F-{key}" if code is None else code) for key, (name, code) in rows.items()}


def need_others_filled(trial: Trial) -> None:
    """Products with gaps in their numbers get their codes; a second run fills what is new."""
    trial.upgrade("0002")
    put_in(trial, OTHERS)
    with need_small_steps(trial):
        trial.upgrade()
    need_products(trial, "code", filled(OTHERS))
    need_revision_written(trial)
    more: Rows = {3: ("Pear", None), 6000: (None, "P-6"), 1_000_600: ("Lime", None)}
    trial.downgrade("0002")
    put_in(trial, more)
    trial.upgrade()
    with where("After a second run"):
        need_products(trial, "code", filled({**OTHERS, **more}))


def put_in(trial: Trial, rows: Rows) -> None:
    """Put these products into the copy's database, in place of those with their numbers."""
    statement = trial.db.text(
        "INSERT OR REPLACE INTO products (id, name, code) VALUES (:k, :n, :c)"
    )
    with trial.connection() as connection:
        values = [{"k": key, "n": name, "c": code} for key, (name, code) in rows.items()]
        connection.execute(statement, values)


@contextmanager
def need_small_steps(trial: Trial) -> Iterator[None]:
    """Within the block, no transaction writes many rows."""
    rows = most = 0

    def begin(_connection: Any, cursor: Any, *_: Any) -> None:
        nonlocal rows
        if not cursor.connection.in_transaction:
            rows = 0

    def add(_connection: Any, cursor: Any, *_: Any) -> None:
        nonlocal rows, most
        rows += max(cursor.rowcount, 0)
        most = max(most, rows)

    event.listen(trial.db.engine, "before_cursor_execute", begin)
    event.listen(trial.db.engine, "after_cursor_execute", add)
    yield
    line = f"One transaction writes {most} rows; it should be {MOST_ROWS} at most."
    need(most <= MOST_ROWS, line)


EXERCISES = (
    Exercise(
        "17.1",
        "Rename without a copy",
        judge_rename,
        "Only the table's description was written; no row was, there and back.",
        (
            "The chapter measured two renames on SQLite. What was different in their scripts?",
            "Batch mode copies the table. `op.alter_column` has the same arguments as"
            " `batch_op.alter_column`, and the table's name before them. The way back is a rename,"
            " too.",
            'In `upgrade()`: `op.alter_column("products", "name", new_column_name="title")`,'
            " without the `with`; in `downgrade()` the two names change places. Then `upgrade()`.",
        ),
        with_a_rename_in_batch,
    ),
    Exercise(
        "17.2",
        "A backfill that stands still",
        judge_codes,
        "It passes every gap, takes empty codes only, in small steps, and may run again.",
        (
            "There are two faults. Which ids have no code up to 1000, and which after it?",
            "Which range holds the number 500: the first, the second, or none? And what does the"
            " loop make of a range without any row to fill?",
            "`id <= :end`, and `for start in range(0, last, SIZE)`, where `last` is"
            " `SELECT coalesce(max(id), 0) FROM products`. Then `downgrade()` and `upgrade()`.",
        ),
        with_codes_missing,
    ),
)
