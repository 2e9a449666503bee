"""Answers to the exercises of chapter 4, wrong and right."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from sqlalchemy.exc import OperationalError
from workbook import Workspace
from workbook.exercises.chapter_04 import COLOUR, DROP_STOCK, PRICE, SAVED, STOCK
from workbook.exercises.definition import MODELS

COLOURS = "migrations/versions/0002_add_colour.py"
HALF = "migrations/versions/0002_add_stock_and_price.py"
ADD_STOCK = "        batch_op.add_column(sa.Column('stock', sa.Integer(), nullable=True))\n"
ADD_PRICE = ADD_STOCK.replace("stock", "price")
DROP_PRICE = DROP_STOCK.replace("stock", "price")


def sql(statement: str, **values: str | int) -> None:
    """Run a statement by hand."""
    from flask_app import db

    db.session.execute(db.text(statement), values)
    db.session.commit()


# --- 4.1 ---


def model_without_colour(shop: Workspace) -> None:
    """The line is gone, and the app knows."""
    shop.edit(MODELS, COLOUR, "")
    shop.restart()


@wrong("4.1", 'still has a column "colour"')
def test_colour_only_out_of_the_model(shop: Workspace) -> None:
    model_without_colour(shop)


@wrong("4.1", "The database is at 0002, and the script that leads back is gone.")
def test_the_script_deleted_too_early(shop: Workspace) -> None:
    Path(COLOURS).unlink()
    model_without_colour(shop)


@wrong("4.1", "The script of 0002 is still in")
def test_downgrade_without_deleting(shop: Workspace) -> None:
    model_without_colour(shop)
    downgrade()


@wrong("4.1", "do not agree: migrate() would write add_column products.colour")
def test_the_model_forgotten(shop: Workspace) -> None:
    downgrade()
    Path(COLOURS).unlink()


@wrong("4.1", 'still has a column "colour"')
def test_back_by_stamp_only(shop: Workspace) -> None:
    model_without_colour(shop)
    stamp(revision="0001")
    Path(COLOURS).unlink()


@wrong("4.1", "The script of 0002 is still in")
def test_a_new_migration_drops_the_colour(shop: Workspace) -> None:
    model_without_colour(shop)
    migrate(message="drop colour", rev_id="0003")
    upgrade()


@wrong("4.1", "The history should end at 0001")
def test_a_new_script_that_does_nothing(shop: Workspace) -> None:
    downgrade()
    Path(COLOURS).unlink()
    model_without_colour(shop)
    revision(message="no colour", rev_id="0003")
    upgrade()


@wrong("4.1", "has lost a row")
def test_back_to_base_and_forward(shop: Workspace) -> None:
    downgrade(revision="base")
    Path(COLOURS).unlink()
    model_without_colour(shop)
    upgrade()


@wrong("4.1", "The database is at 0002, and the script that leads back is gone.")
def test_the_column_dropped_by_hand(shop: Workspace) -> None:
    model_without_colour(shop)
    sql("ALTER TABLE products DROP COLUMN colour")
    Path(COLOURS).unlink()


@wrong("4.1", "The database is at base, not at 0001")
def test_stamped_too_far_back(shop: Workspace) -> None:
    model_without_colour(shop)
    downgrade()
    Path(COLOURS).unlink()
    stamp(revision="base")


@wrong("4.1", "On an empty database: Models and database do not agree")
def test_the_wrong_script_edited_too(shop: Workspace) -> None:
    model_without_colour(shop)
    downgrade()
    Path(COLOURS).unlink()
    name = "    sa.Column('name', sa.String(length=50), nullable=True),\n"
    shop.edit("migrations/versions/0001_initial_migration.py", name, "")


@right("4.1")
def test_the_database_first(shop: Workspace) -> None:
    downgrade(revision="0001")
    Path(COLOURS).unlink()
    model_without_colour(shop)


@right("4.1")
def test_the_script_brought_back_first(shop: Workspace) -> None:
    shutil.move(COLOURS, "saved.py")
    shutil.move("saved.py", COLOURS)
    model_without_colour(shop)
    downgrade()
    shutil.move(COLOURS, "saved.py")


# --- 4.2 ---


def take_over_copy() -> None:
    """Put the copy in place of the shop's database."""
    from flask_app import db

    db.session.remove()
    db.engine.dispose()
    shutil.copyfile("instance/copy.db", "instance/app.db")


def prices_by_sql() -> None:
    """The prices are right; what else was done is another matter."""
    for name, price in SAVED.items():
        sql("UPDATE products SET price = :price WHERE name = :name", price=price, name=name)


@wrong("4.2", "has lost a row that it had: 4, Cherry")
def test_the_copy_in_place_of_the_database(shop: Workspace) -> None:
    take_over_copy()


@wrong("4.2", "The price of Apple is not what it was; the table says NULL.")
def test_down_and_up_again(shop: Workspace) -> None:
    downgrade()
    upgrade()


@wrong("4.2", "The price of Apple is not what it was; the table says NULL. (The session")
def test_prices_back_without_commit(shop: Workspace) -> None:
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = SAVED.get(product.name, product.price)
    Path("note.txt").write_text("something was done", "utf-8")


@wrong("4.2", "The price of Cherry is not what it was; the table says NULL.")
def test_the_cherry_loses_its_price(shop: Workspace) -> None:
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = SAVED.get(product.name)
    db.session.commit()


@wrong("4.2", "There are more products than the four.")
def test_the_copys_rows_added(shop: Workspace) -> None:
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = SAVED.get(product.name, product.price)
    db.session.add_all(Product(name=name, price=price) for name, price in SAVED.items())
    db.session.commit()


@wrong("4.2", "has lost a row")
def test_the_rows_replaced(shop: Workspace) -> None:
    from flask_app import Product, db

    db.session.execute(db.delete(Product))
    db.session.add(Product(name="Cherry", price=310))
    db.session.add_all(Product(name=name, price=price) for name, price in SAVED.items())
    db.session.commit()


@wrong("4.2", 'has no column "price"')
def test_left_at_0001(shop: Workspace) -> None:
    downgrade()


@wrong("4.2", "The database is at 0001, not at 0002")
def test_prices_back_and_stamped(shop: Workspace) -> None:
    prices_by_sql()
    stamp(revision="0001")


@wrong("4.2", "do not agree: migrate() would write remove_column products.price")
def test_prices_back_without_a_model(shop: Workspace) -> None:
    prices_by_sql()
    shop.edit(MODELS, PRICE, "")


@wrong("4.2", "On an empty database: Models and database do not agree")
def test_prices_back_without_a_script(shop: Workspace) -> None:
    prices_by_sql()
    Path("migrations/versions/0002_add_price.py").unlink()
    sql("UPDATE alembic_version SET version_num = '0001'")


@right("4.2")
def test_prices_by_sqlite_itself(shop: Workspace) -> None:
    with closing(sqlite3.connect("instance/copy.db")) as copy:
        found = copy.execute("SELECT price, id FROM products").fetchall()
    for price, key in found:
        sql("UPDATE products SET price = :price WHERE id = :key", price=price, key=key)


@right("4.2")
def test_the_copy_with_the_cherry_put_in_again(shop: Workspace) -> None:
    take_over_copy()
    from flask_app import Product, db

    db.session.add(Product(name="Cherry", price=310))
    db.session.commit()


# --- 4.3 ---


def correct_downgrade(shop: Workspace) -> None:
    """The way back drops both columns."""
    shop.edit(HALF, DROP_PRICE, DROP_PRICE + DROP_STOCK)


def upgrade_without(shop: Workspace, line: str) -> None:
    """Run the script without a line of it."""
    text = Path(HALF).read_text("utf-8")
    shop.edit(HALF, line, "")
    upgrade()
    Path(HALF).write_text(text, "utf-8")


@wrong("4.3", 'has no column "price"')
def test_only_the_script_of_the_half_corrected(shop: Workspace) -> None:
    correct_downgrade(shop)


@wrong("4.3", "After a downgrade to 0001, products still has stock.")
def test_only_the_database_of_the_half_corrected(shop: Workspace) -> None:
    upgrade_without(shop, ADD_STOCK)


@wrong("4.3", 'has no column "price"')
def test_the_half_only_stamped(shop: Workspace) -> None:
    correct_downgrade(shop)
    stamp(revision="0002")


@wrong("4.3", "The stock of Apple is not what it was; the table says NULL.")
def test_the_stock_lost(shop: Workspace) -> None:
    correct_downgrade(shop)
    sql("ALTER TABLE products DROP COLUMN stock")
    upgrade()


@wrong("4.3", "On an empty database: Models and database do not agree")
def test_the_line_not_put_back(shop: Workspace) -> None:
    correct_downgrade(shop)
    shop.edit(HALF, ADD_STOCK, "")
    upgrade()


@wrong("4.3", "do not agree: migrate() would write remove_column products.stock")
def test_the_stock_out_of_the_model(shop: Workspace) -> None:
    correct_downgrade(shop)
    upgrade_without(shop, ADD_STOCK)
    shop.edit(MODELS, STOCK, "")


@wrong("4.3", 'has no column "stock"')
def test_the_stock_given_up(shop: Workspace) -> None:
    shop.edit(MODELS, STOCK, "")
    shop.edit(HALF, ADD_STOCK, "")
    shop.restart()
    sql("ALTER TABLE products DROP COLUMN stock")
    upgrade()


@wrong("4.3", 'has no column "price"')
def test_the_price_given_up(shop: Workspace) -> None:
    shop.edit(MODELS, PRICE, "")
    shop.restart()
    stamp(revision="0002")


@wrong("4.3", "The database is at 0001, not at 0002")
def test_the_price_by_hand(shop: Workspace) -> None:
    correct_downgrade(shop)
    sql("ALTER TABLE products ADD COLUMN price INTEGER")


@wrong("4.3", "On an empty database: Models and database do not agree")
def test_the_missing_column_generated(shop: Workspace) -> None:
    Path(HALF).unlink()
    migrate(message="add price", rev_id="0002")
    upgrade()


@wrong("4.3", "has lost a row")
def test_the_half_from_scratch(shop: Workspace) -> None:
    correct_downgrade(shop)
    downgrade(revision="base")
    upgrade()


@wrong("4.3", "After a downgrade to 0001, products still has price, stock.")
def test_no_downgrade_at_all(shop: Workspace) -> None:
    upgrade_without(shop, ADD_STOCK)
    start, _, _ = Path(HALF).read_text("utf-8").partition("def downgrade():")
    Path(HALF).write_text(f"{start}def downgrade():\n    pass\n", "utf-8")


@wrong("4.3", "has lost a row that it had: 1, Apple")
def test_a_downgrade_that_takes_the_names(shop: Workspace) -> None:
    upgrade_without(shop, ADD_STOCK)
    drop_name = DROP_STOCK.replace("stock", "name")
    shop.edit(HALF, DROP_PRICE, DROP_PRICE + DROP_STOCK + drop_name)


@right("4.3")
def test_the_stock_noted_and_put_back(shop: Workspace) -> None:
    from flask_app import Product, db

    stocks = dict(db.session.execute(db.select(Product.name, Product.stock)).tuples().all())
    correct_downgrade(shop)
    sql("ALTER TABLE products DROP COLUMN stock")
    upgrade()
    for product in db.session.scalars(db.select(Product)):
        product.stock = stocks[product.name]
    db.session.commit()


@right("4.3")
def test_the_price_and_the_revision_by_hand(shop: Workspace) -> None:
    correct_downgrade(shop)
    sql("ALTER TABLE products ADD COLUMN price INTEGER")
    sql("UPDATE alembic_version SET version_num = '0002'")


@right("4.3")
def test_two_scripts_for_two_columns(shop: Workspace) -> None:
    shop.edit(HALF, ADD_PRICE, "")
    shop.edit(HALF, DROP_PRICE, DROP_STOCK)
    stamp(revision="0002")
    migrate(message="add price")
    upgrade()


@right("4.3")
def test_a_script_that_asks_what_is_there(shop: Workspace) -> None:
    with pytest.raises(OperationalError, match="duplicate column name: stock"):
        upgrade()
    correct_downgrade(shop)
    there = "'stock' not in {c['name'] for c in sa.inspect(op.get_bind()).get_columns('products')}"
    guarded = f"        if {there}:\n    {ADD_STOCK}"
    shop.edit(HALF, ADD_STOCK, guarded)
    upgrade()
