"""The exercises of chapter 7, Required columns."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask_migrate import migrate, upgrade
from sqlalchemy.exc import IntegrityError

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, need, where
from .trial import Trial

LEFTOVER = "_alembic_tmp_products"
APPLE, OTHERS = 120, 100
APPLES_ONLY = """nullable=True))

    op.execute("UPDATE products SET price = 120 WHERE name = 'Apple'")

    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.alter_column('price', existing_type=sa.Integer(), nullable=False)"""


@contextmanager
def other_shop(trial: Trial, *products: str | None) -> Iterator[None]:
    """Within the block, be on a database that sold these at 0001 and was upgraded since."""
    nameless = ", one without a name" if None in products else ""
    with (
        where(f"In another shop, which is at 0001 and has products{nameless}"),
        trial.empty_database(),
    ):
        trial.upgrade("0001")
        for name in products:
            trial.sql("INSERT INTO products (name) VALUES (:name)", name=name)
        trial.upgrade()
        yield


def accepts(trial: Trial, **values: Any) -> bool:
    """Does the database take a product with these values?"""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    try:
        trial.sql(f"INSERT INTO products ({names}) VALUES ({marks})", **values)
    except IntegrityError:
        return False
    return True


def need_upgraded(trial: Trial, column: str) -> None:
    """The database is at the head; below it, the column that is there is in the way."""
    line = f"The database is at 0001, and the column {column} is there already"
    need(trial.current != ["0001"], f"{line}: left from a failed try, or made by hand.")
    trial.need_at_head()


def need_required(trial: Trial, column: str) -> None:
    """A product must say its own value for the column."""
    line = f"A product whose {column} is NULL is accepted: the column is not required."
    need(not accepts(trial, **{"name": "Pear", column: None}), line)
    line = f"A product that says no {column} is accepted: the database has a default for it."
    need(not accepts(trial, name="Pear"), line)


def need_no_default(trial: Trial, column: str) -> None:
    """The model knows no default for the column, neither Python's nor the database's."""
    model = trial.db.metadata.tables["products"].c[column]
    line = f"The model has a default for {column}: a new product must say its own."
    need(model.default is None and model.server_default is None, line)


def need_undone(trial: Trial, column: str) -> None:
    """A downgrade takes the column away, and nothing else."""
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        trial.need_no_column("products", column)
        trial.need_rows_kept(columns=["id", "name"])


def judge_currency(trial: Trial) -> None:
    """A required column: EUR for the old rows, and no default for new ones."""
    need(trial.new_scripts, "There is no new script: edit the model, restart, then migrate().")
    trial.need_no_table(LEFTOVER)
    trial.need_text("products", "currency", 3)
    need_upgraded(trial, "currency")
    trial.need_rows_kept(columns=["id", "name"])
    need_euro(trial)
    need_required(trial, "currency")
    trial.need_models_agree()
    need_no_default(trial, "currency")
    with other_shop(trial, "Pear", "Plum"):
        need_euro(trial)
        need_required(trial, "currency")
    need_undone(trial, "currency")
    trial.need_from_empty()


def need_euro(trial: Trial) -> None:
    """The products have the currency EUR, all that were there before the column was."""
    for row in old_rows(trial):
        found = "NULL" if row["currency"] is None else row["currency"]
        line = f"The currency of {row['name']} should be EUR; the table says {found}."
        need(found == "EUR", line)


def old_rows(trial: Trial) -> list[dict[str, Any]]:
    """The products without those that the learner may have put in to try."""
    at_start = {row["id"] for row in trial.start.tables["products"].rows}
    return [row for row in trial.rows("products") if row["id"] in at_start]


def with_two_apples(shop: Workspace) -> None:
    """The shop sells a second kind of apple under the same name."""
    from flask_app import Product, db

    db.session.add(Product(name="Apple"))
    db.session.commit()


def judge_slug(trial: Trial) -> None:
    """A required, unique column with a value of its own for each row."""
    need(trial.new_scripts, "There is no new script: edit the model, restart, then migrate().")
    trial.need_no_table(LEFTOVER)
    trial.need_text("products", "slug", 80)
    need_upgraded(trial, "slug")
    trial.need_rows_kept(columns=["id", "name"])
    need_slugs(trial)
    trial.need_models_agree()
    need_no_default(trial, "slug")
    with other_shop(trial, "Pear", "Apple", "Pear"):
        need_slugs(trial)
    need_undone(trial, "slug")
    trial.need_from_empty()


def need_slugs(trial: Trial) -> None:
    """The slugs are right, and a product without one, or with another's, is refused."""
    for row in old_rows(trial):
        slug = f"{row['name'].lower()}-{row['id']}"
        found = "NULL" if row["slug"] is None else row["slug"]
        line = f"The slug of product {row['id']} should be {slug}; the table says {found}."
        need(found == slug, line)
    need_required(trial, "slug")
    taken = accepts(trial, name="Pear", slug=trial.rows("products")[0]["slug"])
    need(not taken, "A product with the slug of another is accepted: the column is not unique.")


def with_half_a_price(shop: Workspace) -> None:
    """Revision 0002 fills the apple's price only, and upgrade() stopped at the others."""
    shop.edit(MODELS, NAME, NAME + "    price: Mapped[int]\n")
    shop.restart()
    migrate(message="add price", rev_id="0002")
    shop.edit("migrations/versions/0002_add_price.py", "nullable=False))", APPLES_ONLY)
    with suppress(IntegrityError):
        upgrade()


def judge_half_a_price(trial: Trial) -> None:
    """The script fills every row before it tightens, and has run."""
    trial.need_no_table(LEFTOVER)
    trial.need_column("products", "price")
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    need_upgraded(trial, "price")
    need_prices(trial)
    trial.need_models_agree()
    need_no_default(trial, "price")
    with other_shop(trial, "Pear", "Apple", None):
        need_prices(trial)
    need_undone(trial, "price")
    trial.need_from_empty()


def need_prices(trial: Trial) -> None:
    """An apple costs its price, all others theirs, and a product without one is refused."""
    for row in old_rows(trial):
        price = APPLE if row["name"] == "Apple" else OTHERS
        found = "NULL" if row["price"] is None else row["price"]
        product = row["name"] or "A product without a name"
        line = f"{product} should cost {price}; the table says {found}."
        need(found == price, line)
    need_required(trial, "price")


EXERCISES = (
    Exercise(
        "7.1",
        "Euros, for the old ones",
        judge_currency,
        "The old rows got their value from the script; every new one must say its own.",
        (
            "Three rows need a value at once, and one value is right for all of them. Which of the"
            " chapter's ways is that?",
            "In the script: a `server_default` in `add_column`, then a second `with` block that"
            " drops it. In the model: `currency: Mapped[str]`, without a default.",
            "The second block holds `batch_op.alter_column('currency',"
            " existing_type=sa.String(length=3), server_default=None)`.",
        ),
    ),
    Exercise(
        "7.2",
        "An address for each page",
        judge_slug,
        "Required and unique: each row gets its own value first, the rules come after.",
        (
            "No default can be right for four rows that must differ. Which of the chapter's ways"
            " gives each row its own value?",
            "The order in the script: `add_column` with `nullable=True`, `op.execute(...)`,"
            " `alter_column` with `nullable=False`, `create_unique_constraint`."
            " Did an attempt fail? Take away by hand what it left: a table, or the column.",
            "`op.execute(\"UPDATE products SET slug = lower(name) || '-' || id\")` stands between"
            " two `with` blocks, outside of both.",
        ),
        with_two_apples,
    ),
    Exercise(
        "7.3",
        "Stopped halfway",
        judge_half_a_price,
        "The script fills every row before it tightens the column, whatever a shop sells.",
        (
            "Compare the script with `shop.schema('products')` and `current()`. Which of its steps"
            " have been done, and which row stopped it?",
            "Two things are to repair. The script must fill every row. And here its first step is"
            " done already: it cannot be done again while the column is there.",
            'After the apple: `op.execute("UPDATE products SET price = 100 WHERE price IS NULL")`.'
            " Then take the empty column away: `ALTER TABLE products DROP COLUMN price`.",
        ),
        with_half_a_price,
    ),
)
