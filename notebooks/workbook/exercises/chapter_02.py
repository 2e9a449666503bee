"""The exercises of chapter 2, The first migration."""

from flask_migrate import init

from ..workspace import Workspace
from .definition import Exercise, need
from .trial import Trial

FACTORY = "flask_app/__init__.py"
FLASK = "from flask import Flask\n"
CONNECT = "    connect(app)\n"
IMPORT = "from .models import Product\n"
PUBLIC = '__all__ = ["Product", "create_app", "db"]\n'
REGISTER = "    app.register_blueprint(routes.shop)\n"
CREATE_ALL = "    with app.app_context():\n        db.create_all()\n"
CUSTOMERS = ("Ada", "Grace")


def judge_set_up(trial: Trial) -> None:
    """Flask-Migrate is there, and the table is made by a migration."""
    need_first_migration(trial, "products")


def need_first_migration(trial: Trial, *tables: str) -> None:
    """Scripts make these tables, here and elsewhere, and take them away again."""
    trial.need_at_head()
    for table in tables:
        trial.need_table(table)
    trial.need_models_agree()
    trial.need_from_empty()
    trial.downgrade("base")
    left = [table for table in tables if table in trial.table_names]
    need(not left, f"After a downgrade to base, the table {', '.join(left)} is still there.")


def with_migrate(shop: Workspace) -> None:
    """Flask-Migrate is set up, and there is no script yet."""
    shop.edit(FACTORY, FLASK, f"{FLASK}from flask_migrate import Migrate\n")
    shop.edit(FACTORY, CONNECT, f"{CONNECT}    Migrate(app, db)\n")
    shop.restart()
    init()


def judge_customers(trial: Trial) -> None:
    """A second model has its table, made by a migration, and rows in it."""
    known = trial.db.metadata.tables
    need("products" in known, "The app has lost its model Product: it should sell things, too.")
    need("customers" in known, 'No model of the app has __tablename__ = "customers".')
    need(trial.scripts, "There is no script yet.")
    need_in_a_script(trial, "customers")
    need(trial.state("customers").key == ["id"], "The key of customers should be id.")
    column = trial.need_text("customers", "name", 80)
    need(column["nullable"], "The name of a customer may be NULL: the column must allow it.")
    names = [row["name"] for row in trial.rows("customers")]
    for name in CUSTOMERS:
        need(name in names, f"The table customers has no row with the name {name}.")
        need(names.count(name) == 1, f"{name} is in the table customers more than once.")
    need_first_migration(trial, "customers", "products")


def need_in_a_script(trial: Trial, table: str) -> None:
    """If the database lacks the table, a script makes it, and was not run."""
    if table in trial.table_names:
        return
    again = "migrate and upgrade again" if trial.current else "delete the script, migrate again"
    with trial.empty_database():
        trial.upgrade()
        made = table in trial.table_names
    need(made, f"The model has {table} and the script does not: restart, {again}.")


def with_blind_migrate(shop: Workspace) -> None:
    """Nobody imports the models, and create_all() hides that the tables are not migrated."""
    with_migrate(shop)
    shop.edit(FACTORY, IMPORT, "")
    shop.edit(FACTORY, PUBLIC, '__all__ = ["create_app", "db"]\n')
    shop.edit(FACTORY, REGISTER, REGISTER + CREATE_ALL)
    shop.restart()


def judge_blind_migrate(trial: Trial) -> None:
    """The app knows its model, and leaves the tables to the migrations."""
    known = trial.db.metadata.tables
    need("products" in known, "A started app knows of no model: migrate() has nothing to compare.")
    with trial.empty_database():
        made = trial.table_names
    line = (
        f"The app itself makes the table {', '.join(made)} when it starts; that is for upgrade()."
    )
    need(not made, line)
    need_first_migration(trial, "products")


EXERCISES = (
    Exercise(
        "2.1",
        "A shop without migrations",
        judge_set_up,
        "Whoever has the scripts gets the table by upgrade(), on any empty database.",
        (
            "The order is: the two lines in the factory, `shop.restart()`, then three commands.",
            "The commands are `init()`, `migrate(...)` and `upgrade()`. Which one makes the table?",
            "In the factory: `from flask_migrate import Migrate`, and after `connect(app)`:"
            " `Migrate(app, db)`.",
        ),
        start="before migrations",
    ),
    Exercise(
        "2.2",
        "Customers",
        judge_customers,
        "Scripts make the tables; the rows are the app's business.",
        (
            "Begin with the model: a class like `Product`, with a `__tablename__` of its own.",
            "Then `shop.restart()`, `migrate(...)`, `upgrade()`. Import `Customer` from"
            " `flask_app.models` after the restart.",
            '`db.session.add_all([Customer(name="Ada"), Customer(name="Grace")])`;'
            " and then they are still only in the session.",
        ),
        with_migrate,
        "before migrations",
    ),
    Exercise(
        "2.3",
        "No changes, says migrate",
        judge_blind_migrate,
        "migrate() needs models that are imported, and tables that create_all() has not made.",
        (
            "Two things are wrong, both in `flask_app/__init__.py`. Compare it with the chapter's:"
            " what is missing, and what is too much?",
            "No file imports `flask_app/models.py`, so the app has no `Product`. And what does"
            " `create_all()` leave for a migration to do?",
            "Is there already a table that `create_all()` made? It is empty: `db.drop_all()` takes"
            " it away. Then `migrate(...)` finds it missing.",
        ),
        with_blind_migrate,
        "before migrations",
    ),
)
