"""Answers to the exercises of chapter 5, wrong and right."""

import shutil
from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, init, migrate, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.chapter_05 import PRICE, STOCK, add_to_model, by_hand
from workbook.exercises.definition import MODELS, NAME

SCRATCH = "sqlite:///scratch.db"
VERSIONS = Path("migrations/versions")
FIRST = "migrations/versions/0001_baseline.py"
PASS = "def {}():\n    pass"
TABLE = (
    "op.create_table('products', sa.Column('id', sa.Integer(), nullable=False),"
    " sa.Column('name', sa.String(50)), sa.PrimaryKeyConstraint('id', name='pk_products'))"
)
WITH_PRICE = TABLE.replace("sa.String(50)),", "sa.String(50)), sa.Column('price', sa.Integer()),")
CREATE_ALL = "from flask_app import db; db.metadata.create_all(op.get_bind())"
DROP = "op.drop_table('products')"


def fill(shop: Workspace, script: str, upgrade: str, downgrade: str) -> None:
    """Write the two functions of an empty script."""
    for name, body in [("upgrade", upgrade), ("downgrade", downgrade)]:
        shop.edit(script, PASS.format(name), f"def {name}():\n    {body}")


def on_scratch(shop: Workspace, message: str, rev_id: str) -> None:
    """Have a script written by looking at a database that is where the scripts end."""
    shop.restart(SCRATCH)
    if any(VERSIONS.glob("*.py")):
        upgrade()
    migrate(message=message, rev_id=rev_id)
    shop.restart()


def price_into_first_script(shop: Workspace) -> None:
    """Let the first script make the price, too."""
    name = "sa.Column('name', sa.String(length=50), nullable=True),\n"
    first = "migrations/versions/0001_initial_migration.py"
    shop.edit(first, name, name + "    sa.Column('price', sa.Integer()),\n")


def delete_scripts() -> None:
    """Leave no script."""
    for script in VERSIONS.glob("*.py"):
        script.unlink()


# --- 5.1 ---


@wrong("5.1", "There is no folder migrations/")
def test_only_the_version_table_by_hand(shop: Workspace) -> None:
    by_hand("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    by_hand("INSERT INTO alembic_version VALUES ('0001')")


@wrong("5.1", "migrate() sees no difference here: compare with an empty database.")
def test_migrate_on_the_full_database(shop: Workspace) -> None:
    init()
    migrate(message="baseline", rev_id="0001")


@wrong("5.1", "The database is at base, not at 0001, but its table is there already.")
def test_baseline_without_stamp(shop: Workspace) -> None:
    init()
    on_scratch(shop, "baseline", "0001")


@wrong("5.1", "has lost a row that it had: 1, Apple, 80.")
def test_the_table_dropped_to_make_room(shop: Workspace) -> None:
    init()
    on_scratch(shop, "baseline", "0001")
    by_hand("DROP TABLE products")
    upgrade()


@wrong("5.1", "On an empty database: Models and database do not agree: migrate() would write add_t")
def test_an_empty_baseline(shop: Workspace) -> None:
    init()
    revision(message="baseline", rev_id="0001")
    stamp()


@wrong("5.1", 'On an empty database: After upgrade, and downgrade to base, "products" is left.')
def test_a_baseline_that_cannot_go_back(shop: Workspace) -> None:
    init()
    on_scratch(shop, "baseline", "0001")
    shop.edit(FIRST, "op.drop_table('products')", "pass")
    stamp()


@wrong(
    "5.1", "Models and database do not agree: migrate() would write remove_column products.price"
)
def test_the_price_forgotten(shop: Workspace) -> None:
    shop.edit(MODELS, PRICE, "")
    init()
    on_scratch(shop, "baseline", "0001")
    stamp()


@wrong("5.1", "The scripts make what the models say today, not what stood there then.")
def test_a_baseline_that_asks_the_models(shop: Workspace) -> None:
    init()
    revision(message="baseline", rev_id="0001")
    fill(shop, FIRST, CREATE_ALL, DROP)
    stamp()


@right("5.1")
def test_a_baseline_that_may_run_here(shop: Workspace) -> None:
    init()
    on_scratch(shop, "everything so far", "abc")
    script = "migrations/versions/abc_everything_so_far.py"
    shop.edit(script, "name=op.f('pk_products')", "name=op.f('pk_products')), if_not_exists=True")
    shop.edit(script, "if_not_exists=True)\n    )", "if_not_exists=True)")
    upgrade()


@right("5.1")
def test_the_database_moved_aside_and_back(shop: Workspace) -> None:
    init()
    shop.restart("sqlite://")
    shutil.move("instance/app.db", "instance/kept.db")
    shop.restart()
    migrate(message="baseline")
    shop.restart("sqlite://")
    shutil.move("instance/kept.db", "instance/app.db")
    shop.restart()
    stamp()


# --- 5.2 ---


def drop_test() -> None:
    by_hand("ALTER TABLE products DROP COLUMN test")


@wrong(
    "5.2", "On another database that is at 0001: Models and database do not agree: migrate() would"
)
def test_price_in_the_model_only(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()


@wrong("5.2", 'The table products has no column "price".')
def test_autogenerate_believed(shop: Workspace) -> None:
    migrate(message="as it says", rev_id="0002")
    upgrade()


@wrong(
    "5.2",
    "On another database that is at 0001: Nothing is there but what scripts have made: upgrade",
)
def test_test_dropped_by_a_script(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    migrate(message="drop test", rev_id="0002")
    upgrade()


@wrong("5.2", "The database is at 0001, not at 0002.")
def test_price_without_stamp(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    on_scratch(shop, "add price", "0002")


@wrong("5.2", "Models and database do not agree: migrate() would write remove_column products.old")
def test_test_only_renamed(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    by_hand("ALTER TABLE products RENAME COLUMN test TO old")
    on_scratch(shop, "add price", "0002")
    stamp()


@wrong("5.2", "has lost a row that it had: 1, Apple, 80.")
def test_price_dropped_and_made_again(shop: Workspace) -> None:
    drop_test()
    by_hand("ALTER TABLE products DROP COLUMN price")
    add_to_model(shop, NAME, PRICE)
    migrate(message="add price", rev_id="0002")
    upgrade()


@wrong("5.2", 'still has a column "test"')
def test_both_columns_adopted(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE + "    test: Mapped[str | None] = mapped_column(String(10))\n")
    on_scratch(shop, "add both", "0002")
    stamp()


@wrong("5.2", "On another database that is at 0001: Models and database do not agree")
def test_price_put_into_the_first_script(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    price_into_first_script(shop)


@wrong("5.2", 'On an empty database: upgrade(revision="heads") fails: OperationalError: duplicate')
def test_price_put_into_both_scripts(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    on_scratch(shop, "add price", "0002")
    stamp()
    price_into_first_script(shop)


@wrong(
    "5.2", "Models and database do not agree: migrate() would write remove_column products.price"
)
def test_price_not_in_the_model(shop: Workspace) -> None:
    drop_test()
    revision(message="p", rev_id="0002")
    add = "op.add_column('products', sa.Column('price', sa.Integer()))"
    fill(shop, "migrations/versions/0002_p.py", add, "op.drop_column('products', 'price')")
    stamp()


@wrong("5.2", "On another database that is at 0001: Models and database do not agree")
def test_an_empty_script_stamped(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    revision(message="add price", rev_id="0002")
    stamp()


@wrong("5.2", "After downgrade to 0001, the columns are not as before.")
def test_a_price_without_downgrade(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    revision(message="p", rev_id="0002")
    add = "op.add_column('products', sa.Column('price', sa.Integer()))"
    fill(shop, "migrations/versions/0002_p.py", add, "pass")
    stamp()


@wrong("5.2", "On another database that is at 0001: The rows are not kept.")
def test_a_script_that_makes_the_table_anew(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    revision(message="p", rev_id="0002")
    fill(shop, "migrations/versions/0002_p.py", f"{DROP}; {WITH_PRICE}", f"{DROP}; {TABLE}")
    stamp()


@wrong("5.2", "The history has 2 heads, ")
def test_a_script_that_follows_none(shop: Workspace) -> None:
    add_to_model(shop, NAME, PRICE)
    drop_test()
    revision(message="p", rev_id="0002")
    shop.edit("migrations/versions/0002_p.py", "down_revision = '0001'", "down_revision = None")
    stamp(revision="heads")


@right("5.2")
def test_prices_saved_and_put_back(shop: Workspace) -> None:
    by_hand("CREATE TABLE saved AS SELECT id, price FROM products")
    drop_test()
    by_hand("ALTER TABLE products DROP COLUMN price")
    add_to_model(shop, NAME, PRICE)
    kept = "UPDATE products SET price = (SELECT price FROM saved WHERE saved.id = products.id)"
    shop.restart(SCRATCH)
    upgrade()
    migrate(message="again")
    shop.restart()
    upgrade()
    by_hand(kept, "DROP TABLE saved")


@right("5.2")
def test_a_price_written_by_hand(shop: Workspace) -> None:
    revision(message="p", rev_id="abc")
    add = "op.add_column('products', sa.Column('price', sa.Integer()))"
    fill(shop, "migrations/versions/abc_p.py", add, "op.drop_column('products', 'price')")
    stamp()
    add_to_model(shop, NAME, PRICE)
    drop_test()


# --- 5.3 ---


@wrong("5.3", 'On an empty database: upgrade(revision="heads") fails: OperationalError: duplicate')
def test_the_first_script_makes_the_price_too(shop: Workspace) -> None:
    fill(shop, FIRST, WITH_PRICE, DROP)


@wrong("5.3", 'On an empty database: After upgrade, and downgrade to base, "products" is left.')
def test_the_first_script_cannot_go_back(shop: Workspace) -> None:
    fill(shop, FIRST, TABLE, "pass")


@wrong("5.3", "The database is at 0002, not at abc.")
def test_a_new_baseline_without_stamp(shop: Workspace) -> None:
    delete_scripts()
    on_scratch(shop, "baseline", "abc")


@wrong("5.3", "has lost a row that it had: 1, Apple, 80.")
def test_the_first_script_run_here(shop: Workspace) -> None:
    fill(shop, FIRST, TABLE, DROP)
    downgrade(revision="base")
    upgrade()


@wrong(
    "5.3", 'On an empty database: upgrade(revision="heads") fails: OperationalError: no such table'
)
def test_only_a_baseline_more(shop: Workspace) -> None:
    revision(message="b", rev_id="0003")
    fill(shop, "migrations/versions/0003_b.py", TABLE, DROP)
    stamp()


@wrong("5.3", "On an empty database: Models and database do not agree")
def test_the_scripts_emptied(shop: Workspace) -> None:
    delete_scripts()
    revision(message="nothing", rev_id="0002")


@wrong(
    "5.3", "Models and database do not agree: migrate() would write remove_column products.price"
)
def test_the_price_given_up(shop: Workspace) -> None:
    shop.edit(MODELS, PRICE, "")
    delete_scripts()
    on_scratch(shop, "baseline", "0002")


@wrong("5.3", "On an empty database: The scripts make what the models say today")
def test_the_first_script_asks_the_models(shop: Workspace) -> None:
    fill(shop, FIRST, CREATE_ALL, DROP)
    second = Path("migrations/versions/0002_add_price.py")
    start, _, _ = second.read_text("utf-8").partition("def upgrade():")
    bodies = "\n\n".join(PASS.format(name) for name in ("upgrade", "downgrade"))
    second.write_text(start + bodies, "utf-8")


@wrong("5.3", "On an empty database: The scripts make what the models say today")
def test_one_script_that_makes_the_models_table(shop: Workspace) -> None:
    delete_scripts()
    revision(message="baseline", rev_id="0002")
    create = "from flask_app import Product; Product.__table__.create(op.get_bind())"
    fill(shop, "migrations/versions/0002_baseline.py", create, DROP)


@right("5.3")
def test_the_first_script_mended(shop: Workspace) -> None:
    fill(shop, FIRST, TABLE, DROP)


@right("5.3")
def test_a_new_baseline_stamped(shop: Workspace) -> None:
    delete_scripts()
    by_hand("DROP TABLE alembic_version")
    shop.restart(SCRATCH)
    migrate(message="from here")
    shop.restart()
    stamp()


# --- 5.4 ---


@wrong("5.4", 'has no column "stock"')
def test_stamped_back_and_left(shop: Workspace) -> None:
    stamp(revision="0002")


@wrong("5.4", 'has no column "stock"')
def test_stock_given_up(shop: Workspace) -> None:
    shop.edit(MODELS, STOCK, "")
    stamp(revision="0002")
    next(VERSIONS.glob("0003*.py")).unlink()


@wrong("5.4", 'On an empty database: upgrade(revision="heads") fails: OperationalError: duplicate')
def test_the_stock_added_twice(shop: Workspace) -> None:
    migrate(message="stock again", rev_id="0004")
    upgrade()


@wrong(
    "5.4",
    "On another database that is at 0003: Nothing is there but what scripts have made: upgrade",
)
def test_the_stock_moved_to_another_script(shop: Workspace) -> None:
    stamp(revision="0002")
    next(VERSIONS.glob("0003*.py")).unlink()
    migrate(message="stock again", rev_id="0004")
    upgrade()


@wrong("5.4", "has lost a row that it had: 1, Apple, 80.")
def test_begun_anew(shop: Workspace) -> None:
    by_hand("DROP TABLE products")
    stamp(revision="base")
    upgrade()


@wrong("5.4", "has lost a row that it had: 1, Apple, 80.")
def test_stamped_too_little(shop: Workspace) -> None:
    by_hand("ALTER TABLE products DROP COLUMN price")
    stamp(revision="0001")
    upgrade()


@wrong("5.4", "The database is at 0002, not at 0003.")
def test_stamped_back_and_added_by_hand(shop: Workspace) -> None:
    stamp(revision="0002")
    by_hand("ALTER TABLE products ADD COLUMN stock INTEGER")


@wrong("5.4", "Models and database do not agree: migrate() would write modify_type")
def test_a_stock_of_another_type(shop: Workspace) -> None:
    by_hand("ALTER TABLE products ADD COLUMN stock VARCHAR(10)")


@right("5.4")
def test_the_stock_added_by_hand(shop: Workspace) -> None:
    by_hand("ALTER TABLE products ADD COLUMN stock INTEGER")


@right("5.4")
def test_the_version_table_made_again(shop: Workspace) -> None:
    by_hand("UPDATE alembic_version SET version_num = '0002'")
    upgrade(revision="0003")
