"""The exercises of chapter 13, SQL for the DBA."""

import io
import sqlite3
from contextlib import closing, redirect_stdout
from pathlib import Path

from flask_migrate import migrate, upgrade

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial, told

PRICE = "    price: Mapped[int | None]\n"
STOCK = '    stock: Mapped[int] = mapped_column(server_default="0")\n'
CODE = "    code: Mapped[str | None] = mapped_column(String(3))\n"
UNIT = "    unit: Mapped[str | None] = mapped_column(String(10), index=True)\n"
RELEASE = "release.sql"
RUN = "When the DBA has run your SQL"
CODE_SCRIPT = "migrations/versions/0002_add_code.py"
ADDED = "nullable=True))\n"
LOOP = """
    rows = op.get_bind().execute(
        sa.text("SELECT id, name FROM products WHERE name IS NOT NULL")
    ).fetchall()
    for id, name in rows:
        code = name[:3].upper()
        op.execute(f"UPDATE products SET code = '{code}' WHERE id = {id}")
"""
UNIT_SCRIPT = "migrations/versions/0002_add_unit.py"
INDEXED = "['unit'], unique=False)\n"
FILL = "\n    op.execute(\"UPDATE products SET unit = 'kilo' WHERE unit IS NULL\")\n"
NEWCOMER = "INSERT INTO products (name, unit) VALUES ('Cherry', 'piece')"


def add(shop: Workspace, line: str, message: str, revision: str) -> None:
    """Write a script for this line of the model; nobody runs it yet."""
    shop.edit(MODELS, NAME, NAME + line)
    shop.restart()
    migrate(message=message, rev_id=revision)


def written(revisions: str) -> str:
    """What upgrade(sql=True) prints for these revisions."""
    sql = io.StringIO()
    with redirect_stdout(sql):
        upgrade(revision=revisions, sql=True)
    return sql.getvalue()


def hand_over(trial: Trial, sql: str) -> None:
    """The DBA runs this SQL on the copy: with sqlite3, without Alembic."""
    trial.db.session.remove()
    with closing(sqlite3.connect(trial.path / "instance" / "app.db")) as database:
        try:
            database.executescript(sql)
        except sqlite3.Error as error:
            raise NotYet(f"The DBA's sqlite3 stops in your SQL: {error}.") from error


def with_waiting_stock(shop: Workspace) -> None:
    """Revision 0002 has run; 0003 waits, with a required stock."""
    add(shop, PRICE, "add price", "0002")
    upgrade()
    add(shop, STOCK, "add stock", "0003")


def judge_release(trial: Trial) -> None:
    """The file takes a database from 0002 to 0003, and nobody but the DBA has run it."""
    line = "The shop's own database has changed: only the DBA may do that."
    need(trial.current == ["0002"] and trial.now == trial.start, line)
    file = trial.path / RELEASE
    need(file.is_file(), f"There is no file {RELEASE} in the folder of this exercise.")
    sql = file.read_text("utf-8-sig", "replace")
    need("\0" not in sql, f"{RELEASE} is not UTF-8 (PowerShell's > writes UTF-16).")
    hand_over(trial, sql)
    with where(RUN):
        trial.need_column("products", "stock")
        trial.need_rows_kept(columns=["id", "name", "price"])
        stocks = {row["stock"] for row in trial.rows("products")}
        need(stocks == {0}, "The stock of the old rows is not 0.")
        trial.need_at_head()
        trial.need_models_agree()
    trial.need_from_empty()


def with_a_loop(shop: Workspace) -> None:
    """Revision 0002 waits, and reads the rows."""
    add(shop, CODE, "add code", "0002")
    shop.edit(CODE_SCRIPT, ADDED, ADDED + LOOP)


def judge_no_loop(trial: Trial) -> None:
    """The script does the same for the DBA as for upgrade(), whatever the rows are."""
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    if trial.current != ["0001"]:  # tried out here: all right
        take_back(trial)
    trial.sql("INSERT INTO products (name) VALUES ('Cherry'), (NULL)")
    hand_over(trial, written_by(trial, "0001:head"))
    with where(RUN):
        need_codes(trial)
        trial.need_at_head()
        trial.need_models_agree()
    take_back(trial)
    trial.upgrade()
    with where("After downgrade() and upgrade()"):
        need_codes(trial)
    trial.need_from_empty()


def take_back(trial: Trial) -> None:
    """Downgrade to 0001; the column is gone then."""
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        trial.need_no_column("products", "code")


def written_by(trial: Trial, revisions: str) -> str:
    """What upgrade(sql=True) prints in the copy."""
    trial.need_migrate()
    trial.db.session.remove()
    try:
        return written(revisions)
    except (Exception, SystemExit) as error:
        call = f'upgrade(revision="{revisions}", sql=True)'
        raise NotYet(f"{call} fails: {told(error)}") from error


def need_codes(trial: Trial) -> None:
    """Each product has the code that the loop gave it."""
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_column("products", "code")
    for row in trial.rows("products"):
        name, code = row["name"], row["code"]
        wanted = name[:3].upper() if name else None
        said = f"{name or 'A product without a name'} should have the code {wanted or 'NULL'}"
        shown = "NULL" if code is None else code or '""'
        need(code == wanted, f"{said}; the table says {shown}.")


def with_half_a_release(shop: Workspace) -> None:
    """Of release.sql only the first statement was run; then a product came in."""
    add(shop, UNIT, "add unit", "0002")
    shop.edit(UNIT_SCRIPT, INDEXED, INDEXED + FILL)
    release = written("0001:0002")
    Path(RELEASE).write_text(release, "utf-8", newline="\n")
    from flask_app import db

    for statement in (release.partition(";")[0], NEWCOMER):
        db.session.execute(db.text(statement))
    db.session.commit()


def judge_half_a_release(trial: Trial) -> None:
    """The other half is done, once, and the script is as whole as it was."""
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_column("products", "unit")
    units = {row["name"]: row["unit"] for row in trial.rows("products")}
    line = "The Cherry came in with the unit piece; the table does not say so any more."
    need(units["Cherry"] == "piece", line)
    empty = [name for name, unit in units.items() if unit is None]
    need(not empty, f"Products are without a unit: {', '.join(empty)}. (Committed?)")
    kilos = [name for name in units if name != "Cherry" and units[name] != "kilo"]
    need(not kilos, f"These should be sold by the kilo: {', '.join(kilos)}.")
    indexed = [index["column_names"] for index in trial.inspector.get_indexes("products")]
    need(["unit"] in indexed, "The column unit has no index.")
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    trial.need_way_back("0001")
    filled = all(row["unit"] == "kilo" for row in trial.rows("products"))
    need(filled, "The scripts do not fill the units any more: other databases still need that.")


EXERCISES = (
    Exercise(
        "13.1",
        "Write the release",
        judge_release,
        "The file takes a database from 0002 to 0003, its alembic_version too; yours is untouched.",
        (
            "`upgrade` prints SQL instead of running it, if you ask. Where would it begin, and"
            " where is the database? `shop.map()` shows it.",
            "A range says both: `from:to`. And what a command prints goes into the file while"
            " `redirect_stdout(file)` is on.",
            'In the `with` block: `upgrade(revision="0002:0003", sql=True)`.',
        ),
        with_waiting_stock,
    ),
    Exercise(
        "13.2",
        "The DBA's review",
        judge_no_loop,
        "One UPDATE reads nothing, so it can be written down, and fits rows that you never saw.",
        (
            'See for yourself: `upgrade(revision="0001:0002", sql=True)`. Which line of the script'
            " needs an answer from a database?",
            "What the loop does in Python, one `UPDATE` can do in SQL: `upper(...)` and"
            " `substr(name, 1, 3)`.",
            "Replace the reading and the loop by one `op.execute(...)`: an `UPDATE` without an id.",
        ),
        with_a_loop,
    ),
    Exercise(
        "13.3",
        "Half a release",
        judge_half_a_release,
        "The missing lines ran once, the revision says so, and what came in since was kept.",
        (
            "Read `shop.source('release.sql')` line by line, and compare with the database:"
            " `shop.schema('products')`, `shop.table('products')`, `shop.map()`.",
            "The column is there; what follows it in the file is not. Run those lines:"
            " `db.session.execute(db.text(...))`, and a commit at the end.",
            "After the `CREATE INDEX` and the `UPDATE products`, the revision is missing:"
            ' the last line of the file, or `stamp(revision="0002")`.',
        ),
        with_half_a_release,
    ),
)
