"""Answers to the exercises of chapter 2, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import init, migrate, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.chapter_02 import (
    CONNECT,
    CREATE_ALL,
    CUSTOMERS,
    FACTORY,
    FLASK,
    IMPORT,
    REGISTER,
    with_migrate,
)

MODELS = "flask_app/models.py"
DATABASE = "from .database import connect, db\n"
CUSTOMER = """

class Customer(db.Model):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(80))
"""
CREATE = (
    "op.create_table('products', sa.Column('id', sa.Integer(), nullable=False),"
    " sa.Column('name', sa.String(50)), sa.PrimaryKeyConstraint('id', name='pk_products'))"
)


def first_migration() -> None:
    """Write the script, and run it."""
    migrate(message="initial migration", rev_id="0001")
    upgrade()


def by_hand(shop: Workspace, up: str, down: str = "pass") -> None:
    """A script 0001 whose functions do this."""
    revision(message="by hand", rev_id="0001")
    for function, does in (("upgrade", up), ("downgrade", down)):
        old = f"def {function}():\n    pass"
        shop.edit("migrations/versions/0001_by_hand.py", old, f"def {function}():\n    {does}")


# --- 2.1 ---


@wrong("2.1", "The app has no Migrate(app, db) yet.")
def test_the_table_by_create_all(shop: Workspace) -> None:
    from flask_app import db

    db.create_all()


@wrong("2.1", "The app has no Migrate(app, db) yet.")
def test_migrate_only_imported(shop: Workspace) -> None:
    shop.edit(FACTORY, FLASK, f"{FLASK}from flask_migrate import Migrate\n")


@wrong("2.1", "There is no folder migrations/")
def test_init_forgotten(shop: Workspace) -> None:
    shop.edit(FACTORY, FLASK, f"{FLASK}from flask_migrate import Migrate\n")
    shop.edit(FACTORY, CONNECT, f"{CONNECT}    Migrate(app, db)\n")


@wrong("2.1", "There is no script yet")
def test_create_all_before_migrate(shop: Workspace) -> None:
    with_migrate(shop)
    from flask_app import db

    db.create_all()
    first_migration()


@wrong("2.1", "The database is at base, not at 0001")
def test_set_up_without_upgrade(shop: Workspace) -> None:
    with_migrate(shop)
    migrate(message="initial migration", rev_id="0001")


@wrong("2.1", 'The database has no table "products"')
def test_set_up_and_only_stamped(shop: Workspace) -> None:
    with_migrate(shop)
    migrate(message="initial migration", rev_id="0001")
    stamp()


@wrong("2.1", "do not agree: migrate() would write add_column products.name")
def test_stamped_with_another_table_there(shop: Workspace) -> None:
    with_migrate(shop)
    migrate(message="initial migration", rev_id="0001")
    stamp()
    from flask_app import db

    db.session.execute(db.text("CREATE TABLE products (id INTEGER PRIMARY KEY)"))
    db.session.commit()


@wrong("2.1", "On an empty database: Models and database do not agree")
def test_an_empty_script_beside_create_all(shop: Workspace) -> None:
    with_migrate(shop)
    from flask_app import db

    db.create_all()
    revision(message="initial migration", rev_id="0001")
    upgrade()


@wrong("2.1", "After a downgrade to base, the table products is still there.")
def test_no_downgrade_in_a_script_by_hand(shop: Workspace) -> None:
    with_migrate(shop)
    by_hand(shop, CREATE)
    upgrade()


@wrong("2.1", "The app does not start: NameError")
def test_migrate_without_its_import(shop: Workspace) -> None:
    shop.edit(FACTORY, CONNECT, f"{CONNECT}    Migrate(app, db)\n")


@right("2.1")
def test_set_up_by_init_app(shop: Workspace) -> None:
    shop.edit(FACTORY, FLASK, f"{FLASK}from flask_migrate import Migrate\n")
    shop.edit(FACTORY, DATABASE, f"{DATABASE}migrations = Migrate()\n")
    shop.edit(FACTORY, REGISTER, f"    migrations.init_app(app, db)\n{REGISTER}")
    shop.restart()
    init()
    migrate()
    upgrade()


@right("2.1")
def test_a_script_by_hand(shop: Workspace) -> None:
    with_migrate(shop)
    by_hand(shop, CREATE, "op.drop_table('products')")
    upgrade()


@right("2.1")
def test_set_up_and_filled(shop: Workspace) -> None:
    with_migrate(shop)
    first_migration()
    from flask_app import Product, db

    db.session.add(Product(name="Apple"))
    db.session.commit()


# --- 2.2 ---


def write_model(model: str = CUSTOMER) -> None:
    """The model of the customers, in the file only."""
    file = Path(MODELS)
    file.write_text(file.read_text("utf-8") + model, "utf-8")


def add_model(shop: Workspace, model: str = CUSTOMER) -> None:
    """The model of the customers, and a restart."""
    write_model(model)
    shop.restart()


def add_customers(*names: str) -> None:
    """These rows, without a commit."""
    from flask_app import db
    from flask_app.models import Customer

    db.session.add_all([Customer(name=name) for name in names])


def commit() -> None:
    """Write what is in the session."""
    from flask_app import db

    db.session.commit()


@wrong("2.2", '__tablename__ = "customers"')
def test_the_products_only(shop: Workspace) -> None:
    first_migration()


@wrong("2.2", "There is no script yet")
def test_customers_only_in_the_model(shop: Workspace) -> None:
    add_model(shop)


@wrong("2.2", "There is no script yet")
def test_customers_by_create_all(shop: Workspace) -> None:
    add_model(shop)
    from flask_app import db

    db.create_all()
    add_customers(*CUSTOMERS)
    commit()


@wrong("2.2", 'The database has no table "customers"')
def test_customers_without_upgrade(shop: Workspace) -> None:
    add_model(shop)
    migrate(message="customers", rev_id="0001")


@wrong("2.2", "customers and the script does not: restart, delete the script, migrate again.")
def test_the_restart_forgotten(shop: Workspace) -> None:
    write_model()
    migrate(message="customers", rev_id="0001")


@wrong("2.2", "customers and the script does not: restart, migrate and upgrade again.")
def test_the_restart_forgotten_and_upgraded(shop: Workspace) -> None:
    write_model()
    first_migration()
    shop.restart()


@wrong("2.2", "no row with the name Ada. (The session has changes")
def test_customers_without_commit(shop: Workspace) -> None:
    add_model(shop)
    first_migration()
    add_customers(*CUSTOMERS)


@wrong("2.2", "no row with the name Grace.")
def test_one_customer_only(shop: Workspace) -> None:
    add_model(shop)
    first_migration()
    add_customers("Ada")
    commit()


@wrong("2.2", "Ada is in the table customers more than once.")
def test_customers_put_in_twice(shop: Workspace) -> None:
    add_model(shop)
    first_migration()
    for _ in range(2):
        add_customers(*CUSTOMERS)
        commit()


@wrong("2.2", "at most 80 characters")
def test_names_of_another_length(shop: Workspace) -> None:
    add_model(shop, CUSTOMER.replace("String(80)", "String(50)"))
    first_migration()
    add_customers(*CUSTOMERS)
    commit()


@wrong("2.2", "may be NULL")
def test_names_that_are_required(shop: Workspace) -> None:
    add_model(shop, CUSTOMER.replace("str | None", "str"))
    first_migration()
    add_customers(*CUSTOMERS)
    commit()


@wrong("2.2", "at most 80 characters")
def test_names_of_any_length(shop: Workspace) -> None:
    add_model(shop, CUSTOMER.replace("String(80)", "String"))
    first_migration()


@wrong("2.2", "The key of customers should be id.")
def test_the_name_as_the_key(shop: Workspace) -> None:
    model = CUSTOMER.replace("mapped_column(primary_key=True)", "mapped_column()")
    add_model(shop, model.replace("String(80)", "String(80), primary_key=True"))
    first_migration()


@wrong("2.2", "The app has lost its model Product")
def test_customers_for_products(shop: Workspace) -> None:
    text = Path(MODELS).read_text("utf-8").replace("products", "customers")
    Path(MODELS).write_text(text.replace("String(50)", "String(80)"), "utf-8")
    shop.restart()
    first_migration()


@wrong("2.2", "On an empty database: Models and database do not agree")
def test_customers_by_create_all_after_the_products(shop: Workspace) -> None:
    first_migration()
    add_model(shop)
    from flask_app import db

    db.create_all()
    add_customers(*CUSTOMERS)
    commit()


@right("2.2")
def test_two_scripts_and_sql(shop: Workspace) -> None:
    first_migration()
    add_model(shop)
    migrate(message="customers too")
    upgrade()
    from flask_app import db

    for name in CUSTOMERS:
        statement = db.text("INSERT INTO customers (name) VALUES (:name)")
        db.session.execute(statement, {"name": name})
    db.session.commit()


@right("2.2")
def test_the_restart_forgotten_and_made_good(shop: Workspace) -> None:
    write_model()
    migrate(message="customers", rev_id="0001")
    shop.restart()
    next(Path("migrations/versions").glob("0001*.py")).unlink()
    first_migration()
    add_customers(*CUSTOMERS)
    commit()


@right("2.2")
def test_a_third_customer_and_a_third_column(shop: Workspace) -> None:
    add_model(shop, f"{CUSTOMER}    town: Mapped[str | None]\n")
    first_migration()
    add_customers(*CUSTOMERS, "Barbara")
    commit()


@right("2.2")
def test_the_model_in_a_file_of_its_own(shop: Workspace) -> None:
    head = "from sqlalchemy import String\nfrom sqlalchemy.orm import Mapped, mapped_column\n"
    text = f"{head}from .database import db\n{CUSTOMER}"
    Path("flask_app/customers.py").write_text(text, "utf-8")
    shop.edit(FACTORY, DATABASE, f"{DATABASE}from .customers import Customer\n")
    shop.restart()
    first_migration()
    from flask_app import Customer, db

    db.session.add_all([Customer(name=name) for name in CUSTOMERS])
    db.session.commit()


# --- 2.3 ---


def import_models(shop: Workspace) -> None:
    """The app gets its models back."""
    shop.edit(FACTORY, DATABASE, DATABASE + IMPORT)


def without_create_all(shop: Workspace) -> None:
    """The app leaves the tables alone."""
    shop.edit(FACTORY, CREATE_ALL, "")


@wrong("2.3", "A started app knows of no model")
def test_only_create_all_removed(shop: Workspace) -> None:
    without_create_all(shop)
    shop.restart()
    first_migration()


@wrong("2.3", "The app itself makes the table products when it starts")
def test_only_the_import_put_back(shop: Workspace) -> None:
    import_models(shop)
    shop.restart()
    first_migration()


@wrong("2.3", "A started app knows of no model")
def test_a_script_by_hand_for_an_app_without_models(shop: Workspace) -> None:
    by_hand(shop, CREATE, "op.drop_table('products')")
    upgrade()


@wrong("2.3", "There is no script yet")
def test_the_table_of_create_all_left_there(shop: Workspace) -> None:
    import_models(shop)
    shop.restart()
    without_create_all(shop)
    shop.restart()
    first_migration()


@wrong("2.3", "There is no script yet")
def test_both_repaired_and_no_migration(shop: Workspace) -> None:
    import_models(shop)
    without_create_all(shop)


@wrong("2.3", "The database is at base")
def test_both_repaired_without_upgrade(shop: Workspace) -> None:
    import_models(shop)
    without_create_all(shop)
    shop.restart()
    migrate(message="initial migration", rev_id="0001")


@wrong("2.3", "On an empty database: Models and database do not agree")
def test_an_empty_script_for_the_table_of_create_all(shop: Workspace) -> None:
    import_models(shop)
    shop.restart()
    without_create_all(shop)
    revision(message="initial migration", rev_id="0001")
    upgrade()


@right("2.3")
def test_the_table_of_create_all_dropped(shop: Workspace) -> None:
    import_models(shop)
    shop.restart()
    without_create_all(shop)
    shop.restart()
    from flask_app import db

    db.drop_all()
    first_migration()


@right("2.3")
def test_the_models_imported_when_the_app_is_made(shop: Workspace) -> None:
    shop.edit(FACTORY, REGISTER + CREATE_ALL, f"    from . import models\n{REGISTER}")
    shop.restart()
    migrate()
    upgrade()


@right("2.3")
def test_written_against_another_database(shop: Workspace) -> None:
    """The table of create_all() was dropped by dropping the file."""
    import_models(shop)
    shop.restart()
    without_create_all(shop)
    shop.restart("sqlite:///other.db")
    migrate(message="initial migration")
    shop.restart()
    from flask_app import db

    db.session.remove()
    db.engine.dispose()
    Path("instance/app.db").unlink()
    upgrade()
