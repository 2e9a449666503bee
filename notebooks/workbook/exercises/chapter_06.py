"""The exercises of chapter 6, Where am I."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask_migrate import migrate, upgrade
from sqlalchemy import DefaultClause

from ..workspace import Workspace
from .chapter_02 import FACTORY
from .chapter_05 import PRICE, PRICES, STOCK, add_to_model, by_hand, need_others
from .definition import NAME, Exercise, NotYet, need
from .trial import Trial, told

READY = '''\
"""Is the database ready for the app?"""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app

from .database import db


def is_ready() -> bool:
    """Say whether scripts, database and models agree."""
    ready = False
    return ready
'''
WAITING = """\
revision = "waits"
down_revision = "{head}"


def upgrade():
    pass


def downgrade():
    pass
"""


def with_two_disagreements(shop: Workspace) -> None:
    """A script waits, and the model is ahead of it."""
    add_to_model(shop, NAME, PRICE)
    migrate(message="add price", rev_id="0002")
    add_to_model(shop, PRICE, STOCK)


def judge_agreement(trial: Trial) -> None:
    """Both columns are in models, scripts and database."""
    trial.need_column("products", "price")
    trial.need_column("products", "stock")
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    need_others(trial, "0001")
    trial.need_from_empty()


def with_stub(shop: Workspace) -> None:
    """A function that always says no, and a setting that it must regard."""
    shop.edit(FACTORY, "Migrate(app, db)", "Migrate(app, db, compare_server_default=True)")
    shop.restart()
    Path("flask_app/ready.py").write_text(READY, "utf-8", newline="\n")


def judge_ready(trial: Trial) -> None:
    """The function tells five states apart."""
    trial.need_at_head()
    trial.need_models_agree()
    need_said(trial, True, "Scripts, database and models agree")
    with waiting_script(trial):
        need_said(trial, False, "A script waits")
    with trial.empty_database():
        need_said(trial, False, "The database is empty")
    trial.sql("ALTER TABLE products DROP COLUMN name")
    need_said(trial, False, "The model has a column that the table lacks")
    trial.sql("ALTER TABLE products ADD COLUMN name VARCHAR(50)")
    # The last state: the trial's models do not come back from it.
    trial.db.metadata.tables["products"].c.name.server_default = DefaultClause("Fruit")
    need_said(trial, False, "The model has a default that the table lacks")


@contextmanager
def waiting_script(trial: Trial) -> Iterator[None]:
    """Within the block, a script that changes nothing waits."""
    script = trial.path / "migrations" / "versions" / "waits.py"
    script.write_text(WAITING.format(head=trial.need_one_head()), "utf-8")
    yield
    script.unlink()


def need_said(trial: Trial, wanted: bool, state: str) -> None:
    """In this state, is_ready() says what it should."""
    try:
        said = importlib.import_module("flask_app.ready").is_ready()
    except (Exception, SystemExit) as error:
        raise NotYet(f"{state}, and is_ready() fails: {told(error)}") from error
    need(said is wanted, f"{state}, and is_ready() says {said!r}.")


def with_lost_script(shop: Workspace) -> None:
    """The model wants the price, the table has it, and its script is gone."""
    add_to_model(shop, NAME, PRICE)
    migrate(message="add price", rev_id="9f3b00c1d2e4")
    upgrade()
    by_hand(PRICES)
    Path("migrations/versions/9f3b00c1d2e4_add_price.py").unlink()


def judge_found(trial: Trial) -> None:
    """A script adds the price for all others, and the database stands on it with its values."""
    trial.need_column("products", "price")
    trial.need_rows_kept()
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    need_others(trial, "0001")
    trial.need_from_empty()


EXERCISES = (
    Exercise(
        "6.1",
        "Who is ahead of whom?",
        judge_agreement,
        "All three agree now, and every database that is at 0001 gets both columns.",
        (
            "`current()` tells whether a script waits. `check` and `migrate` refuse as long as"
            " one does.",
            "`upgrade()` cures the first. Then let `flask_migrate.check()` find the second.",
            "For the second: `migrate(...)`, read the script, `upgrade()` once more.",
        ),
        with_two_disagreements,
    ),
    Exercise(
        "6.2",
        "Is it ready?",
        judge_ready,
        "Both questions are needed: which step was taken, and whether the tables look like it.",
        (
            "There are two questions: are the scripts' heads the database's revisions, and does"
            " `compare_metadata` find nothing? The chapter asks both under Ask in Python.",
            "`get_heads()` gives a list, `get_current_heads()` a tuple, and these are never equal."
            " Make sets of them.",
            "`MigrationContext.configure(...)` needs the settings of `Migrate(...)` as `opts`;"
            ' the app keeps them in `current_app.extensions["migrate"].configure_args`.',
        ),
        with_stub,
    ),
    Exercise(
        "6.3",
        "The script is gone",
        judge_found,
        "A stamp can only make this database quiet; it takes a script to make the others right.",
        (
            "What would a database that is at `0001`, or empty, get from the scripts that are"
            " left? Is that what the models say?",
            "Autogenerate must look at a database that lacks the column: start on a scratch one,"
            " `upgrade()`, then `migrate(...)`.",
            "Back in the shop's own database, `stamp` must forget the lost revision:"
            " `purge=True`. (Unless the new script has the lost one's id.)",
        ),
        with_lost_script,
    ),
)
