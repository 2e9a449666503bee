"""The exercises of chapter 10, Data migrations."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

from flask_migrate import migrate, upgrade
from sqlalchemy.exc import SQLAlchemyError

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial, told

UNIT = "    unit: Mapped[str | None] = mapped_column(String(20))\n"
CODE = "    code: Mapped[str | None] = mapped_column(String(20))\n"
INITIAL = "    initial: Mapped[str | None] = mapped_column(String(1))\n"
PRICE = "    price: Mapped[int | None]\n"
PRICES = {"Apple": 120, "Orange": 80, "Banana": 50}
SLIPS = (
    NameError,
    TypeError,
    AttributeError,
    ImportError,
    ZeroDivisionError,
    SQLAlchemyError,
)

Rows = Mapping[int, tuple[Any, ...]]

WITH_UNITS: Rows = {
    1: ("Apple / kg", None),
    2: ("Orange", None),
    3: ("Banana / bunch", None),
    4: (None, None),
}
SPLIT: Rows = {1: ("Apple", "kg"), 2: ("Orange", None), 3: ("Banana", "bunch"), 4: (None, None)}
OTHERS: Rows = {
    1: ("Salt / 100 g", None),
    2: (None, None),
    3: ("Leek", None),
    4: ("Half/half", None),
}
OTHERS_SPLIT: Rows = {**OTHERS, 1: ("Salt", "100 g")}

CODES: Rows = {1: ("Apple", "A1"), 2: ("Orange", "F-7"), 3: ("Banana", None)}
OTHER_CODES: Rows = {1: (" Leek", "L3"), 2: ("kiwi", None), 3: (None, "F-F-1")}
PREFIXED: Rows = {1: (" Leek", "F-L3"), 2: ("kiwi", None), 3: (None, "F-F-F-1")}
CAPITALS: Rows = {1: ("LEEK", "F-L3"), 2: ("KIWI", None), 3: (None, "F-F-F-1")}

NO_INITIALS: Rows = {1: ("kiwi", None), 2: (None, None), 3: ("Leek", None), 4: ("", None)}
INITIALS: Rows = {**NO_INITIALS, 1: ("kiwi", "K"), 3: ("Leek", "L")}

HEAD = '''"""{message}

Revision ID: {revision}
Revises: {parent}

"""
from alembic import op
import sqlalchemy as sa
{more}

# revision identifiers, used by Alembic.
revision = '{revision}'
down_revision = '{parent}'
branch_labels = None
depends_on = None
'''
SPLIT_NOTHING = '''
products = sa.table(
    "products",
    sa.column("name", sa.String),
    sa.column("unit", sa.String),
)


def upgrade():
    """Move what stands after " / " into the unit."""


def downgrade():
    """Put it back behind the name."""
'''
PREFIX = """

def upgrade():
    op.execute("UPDATE products SET code = 'F-' || code")


def downgrade():
    pass
"""
CAPITALIZE = """

def upgrade():
    op.execute("UPDATE products SET name = upper(trim(name))")


def downgrade():
    pass
"""
LIVE_TABLE = "products = Product.__table__\n"
FILL_INITIAL = f"""
{LIVE_TABLE}

def upgrade():
    connection = op.get_bind()
    for product in connection.execute(sa.select(products)).all():
        if product.name:
            connection.execute(
                sa.update(products)
                .where(products.c.id == product.id)
                .values(initial=product.name[0].upper())
            )


def downgrade():
    op.execute(sa.update(products).values(initial=None))
"""


def write_script(revision: str, message: str, body: str, more: str = "") -> None:
    """A script that somebody wrote by hand; it follows the number before its own."""
    file = Path("migrations", "versions", f"{revision}_{message.replace(' ', '_')}.py")
    parent = f"{int(revision) - 1:04}"
    head = HEAD.format(message=message, revision=revision, parent=parent, more=more)
    file.write_text(head + body, "utf-8")


def add_column(shop: Workspace, revision: str, line: str, after: str = NAME) -> None:
    """Add a column by a generated script, and run it."""
    shop.edit(MODELS, after, after + line)
    shop.restart()
    migrate(message=f"add {line.split(':')[0].strip()}", rev_id=revision)
    upgrade()


def put_in(trial: Trial, column: str, rows: Rows) -> None:
    """Put products with a name and a value in this column into the copy's database."""
    for key, (name, value) in rows.items():
        statement = f"INSERT INTO products (id, name, {column}) VALUES (:key, :name, :value)"
        trial.sql(statement, key=key, name=name, value=value)


def need_products(trial: Trial, column: str, wanted: Rows) -> None:
    """The products of these ids have these names, and these values in the column."""
    trial.need_column("products", column)
    found = {row["id"]: (row["name"], row[column]) for row in trial.rows("products")}
    for key, values in wanted.items():
        need(key in found, f"Product {key}, {said(values)}, is gone.")
        line = f"Product {key} should be {said(values)}; the table says {said(found[key])}."
        need(found[key] == values, line)


def said(values: tuple[Any, ...]) -> str:
    """A product in one line."""
    return " with ".join("NULL" if value is None else f'"{value}"' for value in values)


@contextmanager
def another_database(trial: Trial, column: str, rows: Rows) -> Iterator[None]:
    """Within the block, be on a database at 0002 that has these products."""
    with trial.empty_database():
        trial.upgrade("0002")
        put_in(trial, column, rows)
        with where("On another database"):
            yield


def need_sound(trial: Trial) -> None:
    """One head, the database there, and the scripts make what the models say."""
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()


def with_units_in_names(shop: Workspace) -> None:
    """Revision 0002 adds the unit; 0003 is there, and moves nothing yet."""
    add_column(shop, "0002", UNIT)
    from flask_app import Product, db

    db.session.execute(db.delete(Product))
    db.session.add_all(Product(id=key, name=row[0]) for key, row in WITH_UNITS.items())
    db.session.commit()
    write_script("0003", "split unit", SPLIT_NOTHING)


def judge_units(trial: Trial) -> None:
    """The units moved out of the names, and back again."""
    need_products(trial, "unit", SPLIT)
    need_sound(trial)
    with another_database(trial, "unit", OTHERS):
        trial.upgrade()
        need_products(trial, "unit", OTHERS_SPLIT)
        trial.downgrade("0002")
        need_products(trial, "unit", OTHERS)
    trial.downgrade("0002")
    with where("After a downgrade to 0002"):
        need_products(trial, "unit", WITH_UNITS)
    trial.upgrade()
    with where("After a downgrade to 0002 and upgrade"):
        need_products(trial, "unit", SPLIT)


def with_two_empty_downgrades(shop: Workspace) -> None:
    """0003 and 0004 have changed the rows; their downgrades do nothing."""
    add_column(shop, "0002", CODE)
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.code = CODES[product.id][1]
    db.session.commit()
    write_script("0003", "prefix codes", PREFIX)
    write_script("0004", "capital names", CAPITALIZE)
    upgrade()


def judge_downgrades(trial: Trial) -> None:
    """The one downgrade puts the codes back, the other refuses."""
    need_sound(trial)
    trial.need_rows_kept()
    with another_database(trial, "code", OTHER_CODES):
        trial.upgrade("0003")
        need_products(trial, "code", PREFIXED)
        trial.downgrade("0002")
        with where("After a downgrade from 0003 to 0002"):
            need_products(trial, "code", OTHER_CODES)
        trial.upgrade()
        need_products(trial, "code", CAPITALS)
    need_refusal(trial)


def need_refusal(trial: Trial) -> None:
    """The step back from 0004 raises an error on purpose, and changes nothing."""
    before = trial.rows("products")
    try:
        trial.downgrade("0003")
    except NotYet as refused:
        error: Any = refused.__cause__
    else:
        raise NotYet("The step from 0004 back to 0003 goes through, but the old names are lost.")
    error = error.__context__ if isinstance(error, SystemExit) else error
    line = f"The step back from 0004 fails, but by mistake: {told(error)}"
    need(not isinstance(error, SLIPS), line)
    need(str(error), "The step back from 0004 refuses, but does not say why.")
    line = "The step back from 0004 refuses, but it changes the products before."
    need(trial.rows("products") == before, line)


def with_a_live_model(shop: Workspace) -> None:
    """0003 imports the model, which has got a price since, by 0004."""
    add_column(shop, "0002", INITIAL)
    write_script("0003", "fill initial", FILL_INITIAL, "\nfrom flask_app import Product\n")
    upgrade()
    add_column(shop, "0004", PRICE, INITIAL)
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    db.session.commit()


def judge_live_model(trial: Trial) -> None:
    """0003 runs everywhere, does what it did, and needs no model."""
    trial.need_column("products", "price")
    trial.need_rows_kept()
    need_sound(trial)
    with another_database(trial, "initial", NO_INITIALS):
        trial.upgrade()
        need_products(trial, "initial", INITIALS)
        trial.downgrade("0002")
        with where("After a downgrade to 0002"):
            need_products(trial, "initial", NO_INITIALS)
    trial.need_way_back("0001", {"products": ["name", "initial"]})
    with without_models(trial):
        trial.upgrade("0002")
        put_in(trial, "initial", NO_INITIALS)
        trial.upgrade()
        need_products(trial, "initial", INITIALS)


@contextmanager
def without_models(trial: Trial) -> Iterator[None]:
    """Within the block, be on a new database, as if the app had other models by now."""
    for module in (trial.models, importlib.import_module("flask_app.models")):
        vars(module).pop("Product", None)
    trial.db.metadata.clear()
    try:
        with trial.empty_database():
            yield
    except NotYet as reason:
        script = importing_script(trial, reason.__cause__)
        line = f"As soon as the app has other models: {reason}"
        raise NotYet(f"{script} still imports from flask_app." if script else line) from reason


def importing_script(trial: Trial, error: BaseException | None) -> str:
    """The name of the script whose import failed, if that was the error."""
    if not isinstance(error, ImportError):
        return ""
    files = [Path(frame.filename) for frame in extract_tb(error.__traceback__)]
    ours = [file.name for file in files if file.is_relative_to(trial.path / "migrations")]
    return ours[-1] if ours else ""


EXERCISES = (
    Exercise(
        "10.1",
        "A unit of its own",
        judge_units,
        "The values moved, those that nobody could split stayed, and the way back is a way back.",
        (
            "Select only the names that hold the separator, as the chapter did with its comma."
            " This separator is three characters long.",
            '`at = sa.func.instr(products.c.name, " / ")` is where it begins. What stands before'
            " it, and where does the rest begin?",
            "Up: `substr(name, 1, at - 1)` and `substr(name, at + 3)`, where `name` is"
            " `.like(\"% / %\")`. Down: `name || ' / ' || unit`, and the unit is `NULL` again.",
        ),
        with_units_in_names,
    ),
    Exercise(
        "10.2",
        "Two ways back",
        judge_downgrades,
        "One step back puts all values back, the other says that it cannot; neither lies.",
        (
            "For each script: from what stands in the table now, can you tell what stood there?",
            "`F-` came before each code, once. What `upper(trim(...))` took away is not"
            " written down anywhere.",
            "0003: the code from its third character on, `substr(code, 3)`. 0004: `raise"
            " RuntimeError(...)`, with a sentence.",
        ),
        with_two_empty_downgrades,
    ),
    Exercise(
        "10.3",
        "Not on a new database",
        judge_live_model,
        "The script knows the columns of its own day, whatever becomes of the models.",
        (
            "Which script asks for a price before there is one? Why does it know of a price?",
            "`0003` takes the table from today's model. It needs three columns of it only.",
            "In `0003`, in place of the import and `Product.__table__`: `products ="
            ' sa.table("products", ...)` with a `sa.column` for `id`, `name` and `initial`.',
        ),
        with_a_live_model,
    ),
)
