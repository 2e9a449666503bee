"""The exercises of chapter 5, Adopt a database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import current_app
from flask_migrate import migrate, revision, stamp, upgrade
from sqlalchemy import Column, Integer

from ..comparison import VERSIONS
from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, need, where
from .trial import Trial

PRICE = "    price: Mapped[int | None]\n"
STOCK = "    stock: Mapped[int | None]\n"
PRICES = "UPDATE products SET price = 30 + 10 * length(name)"


def by_hand(*statements: str) -> None:
    """Run statements in the shop's database, as somebody does who goes past the migrations."""
    db = current_app.extensions["sqlalchemy"]
    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def add_to_model(shop: Workspace, after: str, line: str) -> None:
    """Put a line into the model, and start the shop with it."""
    shop.edit(MODELS, after, after + line)
    shop.restart()


@contextmanager
def elsewhere(trial: Trial, place: str) -> Iterator[None]:
    """Within the block, be on a new database; what is missing there is said with its name."""
    with trial.empty_database(), where(f"On {place}"):
        yield


def need_down_to_empty(trial: Trial) -> None:
    """On an empty database, what the scripts make they take away again."""
    with elsewhere(trial, "an empty database"):
        trial.upgrade()
        trial.downgrade("base")
        left = sorted({*trial.table_names} - {VERSIONS})
        need(not left, f'After upgrade, and downgrade to base, "{", ".join(left)}" is left.')


def need_scripts_apart(trial: Trial) -> None:
    """The scripts make their own tables, not those of the models as they are today.

    The last thing to ask: the trial's models do not come back from it.
    """
    with elsewhere(trial, "an empty database"):
        trial.db.metadata.tables["products"].append_column(Column("unheard_of", Integer))
        trial.upgrade()
        line = "The scripts make what the models say today, not what stood there then."
        need("unheard_of" not in trial.state("products").columns, line)


def need_others(trial: Trial, at: str, *columns: str) -> None:
    """A database that reached this revision honestly, with a product in it, can follow.

    ``columns`` are those that its table has besides id and name.
    """
    parts = ["id INTEGER NOT NULL", "name VARCHAR(50)", *columns]
    key = "CONSTRAINT pk_products PRIMARY KEY (id)"
    with elsewhere(trial, f"another database that is at {at}"):
        trial.sql(f"CREATE TABLE products ({', '.join(parts)}, {key})")
        trial.sql("INSERT INTO products (name) VALUES ('Pear')")
        trial.sql(f"CREATE TABLE {VERSIONS} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        trial.sql(f"INSERT INTO {VERSIONS} VALUES (:at)", at=at)
        before = trial.state("products").columns
        with where("Nothing is there but what scripts have made"):
            trial.upgrade()
        trial.need_models_agree()
        need(trial.values("products", ["name"]) == [("Pear",)], "The rows are not kept.")
        trial.downgrade(at)
        after = trial.state("products").columns
        need(after == before, f"After downgrade to {at}, the columns are not as before.")


def without_migrations(shop: Workspace) -> None:
    """A shop with prices, neither scripts nor alembic_version."""
    add_to_model(shop, NAME, PRICE)
    by_hand("ALTER TABLE products ADD COLUMN price INTEGER", PRICES, f"DROP TABLE {VERSIONS}")
    shutil.rmtree("migrations")


def judge_adopted(trial: Trial) -> None:
    """A baseline that makes the table elsewhere, and a database that stands on it."""
    trial.need_rows_kept()
    line = (
        "There is no script yet. migrate() sees no difference here: compare with an empty database."
    )
    need(trial.scripts, line)
    line = (
        f"The database is at base, not at {', '.join(trial.heads)}, but its table is there already."
    )
    need(trial.current, line)
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    need_down_to_empty(trial)
    need_scripts_apart(trial)


def with_columns_by_hand(shop: Workspace) -> None:
    """Two columns that neither models nor scripts know."""
    by_hand(
        "ALTER TABLE products ADD COLUMN price INTEGER",
        "ALTER TABLE products ADD COLUMN test VARCHAR(10)",
        PRICES,
    )


def judge_drift(trial: Trial) -> None:
    """The price is in the model and in a script, with its values; the test column is gone."""
    trial.need_column("products", "price")
    trial.need_rows_kept(columns=["id", "name", "price"])
    trial.need_no_column("products", "test")
    trial.need_models_agree()
    trial.need_one_head()
    trial.need_at_head()
    need_others(trial, "0001")
    trial.need_from_empty()


def with_empty_baseline(shop: Workspace) -> None:
    """The first script makes nothing; the second adds the price."""
    Path("migrations/versions/0001_initial_migration.py").unlink()
    revision(message="baseline", rev_id="0001")
    add_to_model(shop, NAME, PRICE)
    migrate(message="add price", rev_id="0002")
    upgrade()
    by_hand(PRICES)


def judge_baseline(trial: Trial) -> None:
    """The scripts make the table on an empty database, and the shop's stands where they end."""
    trial.need_rows_kept()
    trial.need_from_empty()
    need_down_to_empty(trial)
    trial.need_at_head()
    trial.need_models_agree()
    need_scripts_apart(trial)


def stamped_too_far(shop: Workspace) -> None:
    """alembic_version says 0003, the tables have reached 0002."""
    add_to_model(shop, NAME, PRICE)
    migrate(message="add price", rev_id="0002")
    upgrade()
    by_hand(PRICES)
    add_to_model(shop, PRICE, STOCK)
    migrate(message="add stock", rev_id="0003")
    stamp()


def judge_stamp(trial: Trial) -> None:
    """The table has the stock, and whoever got it honestly is not troubled."""
    trial.need_column("products", "stock")
    trial.need_rows_kept()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    need_others(trial, "0003", "price INTEGER", "stock INTEGER")


EXERCISES = (
    Exercise(
        "5.1",
        "A shop without scripts",
        judge_adopted,
        "An empty database gets the table from the script; this one had it, and has kept its rows.",
        (
            "Against which database must autogenerate compare the models, to find a table missing?",
            'The order is: `init()`, `shop.restart("sqlite:///scratch.db")`, `migrate(...)`,'
            " `shop.restart()`, and then no upgrade.",
            'The last step is `stamp(revision="0001")`, or whatever you have called the script.',
        ),
        without_migrations,
    ),
    Exercise(
        "5.2",
        "One column stays, one goes",
        judge_drift,
        "Every database that is at 0001 now gets `price`; this one has lost only its left-over.",
        (
            "What `migrate()` writes on this database, no other database can use. Look at one"
            " that is at `0001` and has none of the two columns.",
            "`price: Mapped[int | None]` goes into the model. Then start on a scratch database,"
            " `upgrade()`, `migrate(...)`, come back, and stamp.",
            "The other one goes by hand: `ALTER TABLE products DROP COLUMN test`.",
        ),
        with_columns_by_hand,
    ),
    Exercise(
        "5.3",
        "The empty first script",
        judge_baseline,
        "The first script must make what was there before it, or nobody can begin at nothing.",
        (
            'See it fail first: `shop.restart("sqlite:///scratch.db")` and `upgrade()`.'
            " Which script should have made the table?",
            "Either `0001` makes the table as it was then, and takes it away in `downgrade()`;"
            " or one new script makes all of it, in place of the two.",
            "The second road: delete both scripts, and let `migrate()` write a baseline on a new"
            ' scratch database, with `rev_id="0002"`: there the shop is already.',
        ),
        with_empty_baseline,
    ),
    Exercise(
        "5.4",
        "Stamped too far",
        judge_stamp,
        "A stamp is only a claim. Now it is true: the table has what the scripts make.",
        (
            "Compare `shop.schema('products')` with the scripts, one by one. Which was the last"
            " that really happened here?",
            "Script `0002` has happened, `0003` has not. `upgrade()` does nothing, because"
            " `alembic_version` says otherwise. Which command changes that, and nothing else?",
        ),
        stamped_too_far,
    ),
)
