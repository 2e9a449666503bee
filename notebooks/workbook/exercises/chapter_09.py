"""The exercises of chapter 9, Keys and constraints."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask_migrate import migrate, revision, upgrade
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial

DATABASE = "flask_app/database.py"
UNIQUE_NAME = "    name: Mapped[str | None] = mapped_column(String(50), unique=True)\n"
TRIGGER = "CREATE TRIGGER keep BEFORE DELETE ON products BEGIN SELECT RAISE(ABORT, 'no'); END"
KIWI = "INSERT INTO products (name) VALUES ('a kiwi of the check')"
DELETE_KIWI = "DELETE FROM products WHERE name = 'a kiwi of the check'"
UNTOUCHED = {2: "Orange", 3: "Banana"}


def refused(trial: Trial, *statements: str) -> bool:
    """Does one of these statements break a rule of the database? Nothing of them stays."""
    with trial.db.engine.connect() as connection:  # closed without a commit
        try:
            for statement in statements:
                connection.execute(text(statement))
        except IntegrityError:
            return True
    return False


@contextmanager
def from_empty(trial: Trial) -> Iterator[None]:
    """Within the block, be on a database that was empty before all scripts ran."""
    trial.need_from_empty()
    with trial.empty_database():
        trial.upgrade()
        with where("On an empty database"):
            yield


def has_unique_names(trial: Trial) -> bool:
    """Is a product refused if, and only if, another one has its name?"""
    return refused(trial, KIWI, KIWI) and not refused(trial, KIWI)


def has_trigger(trial: Trial) -> bool:
    """Is it refused to delete a product?"""
    return refused(trial, KIWI, DELETE_KIWI) and not refused(trial, KIWI)


def need_unique_names(trial: Trial) -> None:
    """No two products have the same name."""
    need(has_unique_names(trial), "The table products still takes two products of the same name.")


def need_undone(trial: Trial, to: str) -> None:
    """A downgrade takes the UNIQUE away, and keeps the rows."""
    before = trial.values("products", ["id", "name"])
    trial.downgrade(to)
    line = f"After a downgrade to {to}, two products of the same name are still refused."
    need(not has_unique_names(trial), line)
    kept = trial.values("products", ["id", "name"]) == before
    need(kept, f"After a downgrade to {to}, the rows of products are not what they were.")


# --- 9.1 ---


def stall(name: str, places: int) -> str:
    """The statement that puts a stall in."""
    return f"INSERT INTO stalls (name, places) VALUES ('{name} of the check', {places})"


def judge_stalls(trial: Trial) -> None:
    """A table stalls with a UNIQUE and a CHECK that have names, made by a migration."""
    need(trial.new_scripts, "There is no new script: edit the model, restart, then migrate().")
    trial.need_column("stalls", "places")
    length = getattr(trial.need_column("stalls", "name")["type"], "length", None)
    need(length == 40, "The name of a stall should be a text of at most 40 characters.")
    trial.need_at_head()
    need_rules(trial)
    trial.need_models_agree()
    trial.downgrade("0001")
    line = "After a downgrade to 0001, the table stalls is still there."
    need("stalls" not in trial.table_names, line)
    trial.upgrade()
    trial.need_rows_kept()
    with from_empty(trial):
        need_rules(trial)


def need_rules(trial: Trial) -> None:
    """Names are unique, places are above 0, and nothing else is refused."""
    line = "The table stalls refuses a stall that breaks neither rule"
    for places in (1, 200):
        said = f"{line}: a new name, and places = {places}."
        need(not refused(trial, stall("one", places)), said)
    both = [stall("one", 1), stall("two", 1)]
    need(not refused(trial, *both), f"{line}: another name, and the same number of places.")
    same = [stall("one", 1), stall("one", 2)]
    need(refused(trial, *same), "The table stalls takes two stalls of the same name.")
    for places in (0, -1):
        line = f"The table stalls takes a stall with places = {places}."
        need(refused(trial, stall("one", places)), line)
    for column, values in {"name": "NULL, 1", "places": "'one of the check', NULL"}.items():
        nothing = f"INSERT INTO stalls (name, places) VALUES ({values})"
        line = f"The table stalls takes a stall without {column}."
        need(refused(trial, nothing), line)
    look = trial.inspector
    rules = [*look.get_unique_constraints("stalls"), *look.get_check_constraints("stalls")]
    need(all(rule["name"] for rule in rules), "A constraint of the table stalls has no name.")


# --- 9.2 ---


def with_trigger(shop: Workspace) -> None:
    """Revision 0002 has made a trigger; 0003, which would lose it, waits."""
    revision(message="keep products", rev_id="0002")
    script = "migrations/versions/0002_keep_products.py"
    for function, statement in [("upgrade", TRIGGER), ("downgrade", "DROP TRIGGER keep")]:
        begin = f"def {function}():\n    "
        shop.edit(script, f"{begin}pass", f'{begin}op.execute("{statement}")')
    upgrade()
    shop.edit(MODELS, NAME, UNIQUE_NAME)
    shop.restart()
    migrate(message="unique names", rev_id="0003")


def judge_trigger(trial: Trial) -> None:
    """The names are unique, and the trigger is there at each revision from 0002 on."""
    trial.need_rows_kept()
    trial.need_one_head()
    trial.need_at_head()
    need_unique_names(trial)
    need_trigger(trial, "After upgrade: ")
    trial.need_models_agree()
    need_undone(trial, "0002")
    need_trigger(trial, "After a downgrade to 0002: ")
    trial.upgrade()
    need_trigger(trial, "After a downgrade to 0002 and upgrade: ")
    trial.need_way_back("0001", {"products": ["id", "name"]})
    with from_empty(trial):
        need_trigger(trial)


def need_trigger(trial: Trial, when: str = "") -> None:
    """The trigger does its work."""
    line = "A product can be deleted: the trigger is gone, or lets it pass."
    need(has_trigger(trial), when + line)


# --- 9.3 ---


def with_stuck_shop(shop: Workspace) -> None:
    """A nameless UNIQUE, two Apples, and the table that a failed try has left."""
    from flask_app import Product, db

    db.session.add(Product(name="Apple"))
    db.session.commit()
    shop.edit(MODELS, NAME, UNIQUE_NAME)
    shop.edit(DATABASE, "naming_convention={", "info={")
    shop.restart()
    migrate(message="unique names", rev_id="0002")
    shop.edit(DATABASE, "info={", "naming_convention={")
    shop.restart()
    with suppress(IntegrityError):
        upgrade()


def judge_stuck_shop(trial: Trial) -> None:
    """All products are there, each with its own name, and the UNIQUE comes and goes."""
    trial.need_rows_kept(columns=["id"])
    need_own_names(trial)
    trial.need_no_table("_alembic_tmp_products")
    trial.need_one_head()
    trial.need_at_head()
    need_unique_names(trial)
    trial.need_models_agree()
    with nameless_explained():
        need_undone(trial, "0001")
    trial.upgrade()
    need_own_names(trial)
    trial.need_from_empty()


@contextmanager
def nameless_explained() -> Iterator[None]:
    """Say what Alembic's error means, which names a constraint that nobody has written."""
    try:
        yield
    except NotYet as reason:
        if "No such constraint" not in str(reason):
            raise
        meaning = "The constraint has no name in the script, or not the same in both functions."
        raise NotYet(f"{reason} {meaning}") from reason


def need_own_names(trial: Trial) -> None:
    """Each product has a name, no two the same, and who had one of its own has kept it."""
    names = dict(trial.values("products", ["id", "name"]))
    need(all(names.values()), "A product has no name.")
    most, times = Counter(names.values()).most_common(1)[0]
    need(times == 1, f"More than one product is called {most}.")
    for number, name in UNTOUCHED.items():
        need(names[number] == name, f"The product {number} was called {name}, and should be.")


EXERCISES = (
    Exercise(
        "9.1",
        "Market stalls",
        judge_stalls,
        "The database itself keeps both rules, and each has a name, so that it can be changed.",
        (
            "Where does the chapter give a table a CHECK, and how does a name become unique?",
            "The CHECK stands in `__table_args__`, a tuple with a comma at its end. It needs a word"
            " of yours, `name=...`; the convention does the rest.",
            '`__table_args__ = (db.CheckConstraint("places > 0", name="has_places"),)` and'
            " `mapped_column(String(40), unique=True)`. Then restart, `migrate`, `upgrade`.",
        ),
    ),
    Exercise(
        "9.2",
        "Keep the trigger",
        judge_trigger,
        "The names are unique, and the trigger is there at every revision from 0002 on.",
        (
            "What becomes of the old table in batch mode, and of what hangs on it? And how did"
            " `0002` make the trigger?",
            "What stands after the `with` block runs when the new table is there. Both functions"
            ' have such a block. (Trigger lost on the way? `exercise("9.2")` starts anew.)',
            "In `0003`, put the line `op.execute(...)` of 0002's `upgrade()` at the end of"
            " `upgrade()` and at the end of `downgrade()`. Then `upgrade()`.",
        ),
        with_trigger,
    ),
    Exercise(
        "9.3",
        "A stuck shop",
        judge_stuck_shop,
        "What the failed try left is gone, the rows keep the rule, and the rule has a name.",
        (
            "There is more than one obstacle. `upgrade()` names the first. Where does a table"
            " with such a name come from?",
            "Three things: the table that is left over, two rows that break the rule, and a `None`"
            " in the script. The last one hurts only on the way back.",
            "Drop `_alembic_tmp_products`, give one Apple another name, commit. Then delete the"
            " script of 0002, `migrate(...)` it again, read it, `upgrade()`.",
        ),
        with_stuck_shop,
    ),
)
