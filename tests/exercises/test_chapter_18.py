"""Answers to the exercises of chapter 18, wrong and right."""

from pathlib import Path

import pytest
from attempts import kernel, right, verdict_on, wrong
from flask_migrate import downgrade, migrate, stamp, upgrade
from workbook import WorkbookError, Workspace, expect_error
from workbook.exercises import exercise
from workbook.exercises.chapter_18 import FACTORY, MODELS, PAGE, SEEN, run

VERSIONS = Path("migrations/versions")
ORDERS = str(VERSIONS / "0002_add_orders.py")
PRICE = str(VERSIONS / "0003_add_price_and_pieces.py")
VISITS = str(VERSIONS / "0003_count_visits.py")
PLACE = "def upgrade_orders():"
UP = "def upgrade_stock():\n    pass\n\n\n"
DOWN = "def downgrade_stock():\n    pass\n\n\n"
STOCK = """op.create_table(
        "stock",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
    )"""
STOCK_TABLE = (
    "CREATE TABLE stock (id INTEGER NOT NULL PRIMARY KEY, product_id INTEGER NOT NULL,"
    " pieces INTEGER NOT NULL)"
)
START = "def upgrade_visits():\n"
FILL = "UPDATE visits SET path = '/' WHERE path IS NULL"
PATH = "path: Mapped[str] = mapped_column(String(50))"
DROP = "DROP TABLE IF EXISTS _alembic_tmp_visits"


def know_stock(shop: Workspace, new: str = UP + DOWN) -> None:
    for script in (ORDERS, PRICE):
        shop.edit(script, PLACE, new + PLACE)


def generate() -> None:
    upgrade()
    migrate(message="add stock", rev_id="0004")


def guard(shop: Workspace, condition: str, down: str = "") -> None:
    """The scripts return at once under this condition."""
    for script in (ORDERS, PRICE):
        for verb, when in (("upgrade", condition), ("downgrade", down or condition)):
            head = f"def {verb}(engine_name):\n"
            shop.edit(script, head, f"{head}    if {when}:\n        return\n")


def test_run_names_the_databases() -> None:
    with kernel():
        exercise("18.1")
        said = 'There is no database "(default)". There are: None, "orders", "stock".'
        with pytest.raises(WorkbookError) as caught:
            run("(default)", "SELECT 1")
        assert str(caught.value) == said
        assert run(None, "SELECT 1") == run("stock", "SELECT 1") == [(1,)]


# --- 18.1 ---


@wrong("18.1", 'There is no table "stock" in the database "stock"')
def test_the_failing_upgrade_run(shop: Workspace) -> None:
    with expect_error("KeyError"):
        upgrade()


@wrong("18.1", 'There is no table "stock" in the database "stock"')
def test_no_script_for_the_table(shop: Workspace) -> None:
    know_stock(shop)
    upgrade()


@wrong("18.1", 'There is no table "stock" in the database "stock"')
def test_generated_and_not_run(shop: Workspace) -> None:
    know_stock(shop)
    generate()


@wrong("18.1", "downgrade(revision=\"base\") fails: KeyError: 'downgrade_stock'")
def test_no_way_back(shop: Workspace) -> None:
    know_stock(shop, UP)
    generate()
    upgrade()


@wrong("18.1", 'On a set of new databases: upgrade(revision="heads") fails: KeyError')
def test_stamped_past_the_old_scripts(shop: Workspace) -> None:
    stamp()
    generate()
    upgrade()


@wrong("18.1", 'On a set of new databases: upgrade(revision="heads") fails: KeyError')
def test_the_table_made_by_hand_and_stamped(shop: Workspace) -> None:
    run("stock", STOCK_TABLE)
    stamp()


@wrong("18.1", "On a set of new databases: Models and database do not agree")
def test_the_functions_and_the_table_by_hand(shop: Workspace) -> None:
    know_stock(shop)
    upgrade()
    from flask_app import db

    db.create_all()


@wrong("18.1", 'The database "stock" is at base, not at 0003')
def test_the_table_made_by_hand(shop: Workspace) -> None:
    from flask_app import db

    db.create_all()


@wrong("18.1", "0002 passes over any database that it does not know")
def test_the_alarm_taken_out(shop: Workspace) -> None:
    for script in (ORDERS, PRICE):
        for verb in ("upgrade", "downgrade"):
            old = f'globals()["{verb}_%s" % engine_name]()'
            shop.edit(script, old, f'globals().get("{verb}_%s" % engine_name, lambda: None)()')
    generate()
    upgrade()


@wrong("18.1", "0002 passes over any database that it does not know")
def test_all_but_the_old_ones_passed_over(shop: Workspace) -> None:
    guard(shop, 'engine_name not in ("", "orders")')
    generate()
    upgrade()


@wrong("18.1", 'The app has no bind "stock"')
def test_the_bind_taken_out(shop: Workspace) -> None:
    shop.edit(FACTORY, ', "stock": "sqlite:///stock.db"', "")
    shop.edit(MODELS, '    __bind_key__ = "stock"\n', "")
    shop.restart()
    generate()
    upgrade()


@wrong("18.1", 'There is no table "stock" in the database "stock"')
def test_the_table_in_the_default_database(shop: Workspace) -> None:
    know_stock(shop)
    shop.edit(MODELS, '    __bind_key__ = "stock"\n', "")
    shop.restart()
    generate()
    upgrade()


@wrong("18.1", "On a set of new databases: Models and database do not agree")
def test_the_old_scripts_emptied(shop: Workspace) -> None:
    for script in (ORDERS, PRICE):
        text = Path(script).read_text("utf-8")
        names = ("", "orders", "stock")
        empty = [f"def {v}_{n}():\n    pass\n" for v in ("upgrade", "downgrade") for n in names]
        text = text[: text.index("def upgrade_()")] + "\n\n".join(empty)
        Path(script).write_text(text, "utf-8")
    generate()
    upgrade()
    create = STOCK_TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
    run("stock", create)


@wrong("18.1", "The table orders should have the row 1, 3, 12")
def test_all_databases_made_anew(shop: Workspace) -> None:
    know_stock(shop)
    upgrade()
    downgrade(revision="0001")
    generate()
    upgrade()
    run(None, "UPDATE products SET price = 40 + 30 * id")


@wrong("18.1", 'downgrade(revision="0003") fails: CommandError')
def test_the_old_scripts_deleted(shop: Workspace) -> None:
    for script in (ORDERS, PRICE):
        Path(script).unlink()
    run("orders", "UPDATE alembic_version SET version_num = '0001'")
    run(None, "UPDATE alembic_version SET version_num = '0001'")
    run("stock", STOCK_TABLE)
    stamp(revision="0001")


@right("18.1")
def test_a_guard(shop: Workspace) -> None:
    guard(shop, 'engine_name == "stock"')
    generate()
    upgrade()


@right("18.1")
def test_the_table_in_an_old_script(shop: Workspace) -> None:
    shop.edit(ORDERS, PLACE, UP + DOWN + PLACE)
    new = (UP + DOWN).replace("pass", STOCK, 1).replace("pass", 'op.drop_table("stock")')
    shop.edit(PRICE, PLACE, new + PLACE)
    upgrade()


@right("18.1")
def test_short_functions_and_a_row(shop: Workspace) -> None:
    know_stock(shop, "upgrade_stock = downgrade_stock = lambda: None\n\n\n")
    upgrade()
    migrate(message="by another number")
    upgrade()
    run("stock", "INSERT INTO stock VALUES (1, 2, 30)")


def test_a_new_script_that_passes_over_the_others() -> None:
    """The older ones still stop at them, so it is right; but not each script knows each."""

    def attempt(shop: Workspace) -> None:
        know_stock(shop)
        generate()
        for verb in ("upgrade", "downgrade"):
            head = f"def {verb}(engine_name):\n"
            other = f'{head}    if engine_name != "stock":\n        return\n'
            shop.edit(str(VERSIONS / "0004_add_stock.py"), head, other)
        upgrade()

    verdict = verdict_on("18.1", attempt)
    assert verdict.state == "correct", verdict.line
    assert verdict.line.startswith("The old scripts know the new database")


# --- 18.2 ---


def clean() -> None:
    run(None, "ALTER TABLE products DROP COLUMN seen")
    run("orders", "ALTER TABLE orders DROP COLUMN page")
    run("visits", DROP)


def fill(shop: Workspace, sql: str = FILL) -> None:
    shop.edit(VISITS, START, f'{START}    op.execute("{sql}")\n')


def finish_by_hand() -> None:
    run("visits", FILL)
    run("visits", "CREATE TABLE new (id INTEGER NOT NULL PRIMARY KEY, path VARCHAR(50) NOT NULL)")
    run("visits", "INSERT INTO new SELECT id, path FROM visits")
    run("visits", "DROP TABLE visits")
    run("visits", "ALTER TABLE new RENAME TO visits")


def with_default(shop: Workspace) -> None:
    """The script gives the path a default in the database."""
    old = "length=50), nullable=False"
    shop.edit(VISITS, f"{old})", f"{old}, server_default='/')")


def model_with_default(shop: Workspace) -> None:
    """The model has that default."""
    shop.edit(MODELS, PATH, PATH.replace("50)", '50), server_default="/"'))
    shop.restart()


def test_upgraded_and_failed_as_before() -> None:
    """All is as at the start, although much was tried."""

    def attempt(_: Workspace) -> None:
        clean()
        with expect_error("IntegrityError"):
            upgrade()

    verdict = verdict_on("18.2", attempt)
    assert verdict.state == "not attempted", verdict.line
    assert verdict.line == (
        "Everything is as at the start. If you have cleaned up and run upgrade(): it failed in"
        " visits again, and left the same behind. Read its error."
    )


@wrong("18.2", "Left over from 0003: products.seen, orders.page, table _alembic_tmp_visits.")
def test_only_the_script_mended(shop: Workspace) -> None:
    fill(shop)
    with expect_error("OperationalError"):
        upgrade()


@wrong("18.2", "Left over from 0003: orders.page, table _alembic_tmp_visits.")
def test_only_the_first_cleaned(shop: Workspace) -> None:
    run(None, "ALTER TABLE products DROP COLUMN seen")
    fill(shop)


@wrong("18.2", "Left over from 0003: orders.page.")
def test_all_but_the_second_cleaned(shop: Workspace) -> None:
    run(None, "ALTER TABLE products DROP COLUMN seen")
    run("visits", DROP)
    fill(shop)


@wrong("18.2", "Left over from 0003: products.seen, orders.page, table _alembic_tmp_visits.")
def test_the_first_cleaned_and_upgraded(shop: Workspace) -> None:
    run(None, "ALTER TABLE products DROP COLUMN seen")
    fill(shop)
    with expect_error("OperationalError"):
        upgrade()


@wrong("18.2", "The column path has a default that the model does not have")
def test_a_default_in_the_script_only(shop: Workspace) -> None:
    clean()
    fill(shop)
    with_default(shop)
    upgrade()


@wrong("18.2", "The model has a default for path that the table does not have")
def test_a_default_in_the_model_only(shop: Workspace) -> None:
    clean()
    fill(shop)
    model_with_default(shop)
    upgrade()


@wrong("18.2", 'The table visits has no column "path"')
def test_the_path_dropped(shop: Workspace) -> None:
    clean()
    step = "alter_column('path', existing_type=sa.String(length=50), nullable=False)"
    shop.edit(VISITS, step, "drop_column('path')")
    upgrade()


@wrong("18.2", "The default database is at 0002, not at 0003")
def test_cleaned_and_not_upgraded(shop: Workspace) -> None:
    clean()
    fill(shop)


@wrong("18.2", "Left over from 0003: products.seen, orders.page.")
def test_cleaned_and_the_script_left(shop: Workspace) -> None:
    clean()
    with expect_error("IntegrityError"):
        upgrade()
    run("visits", DROP)


@wrong("18.2", "Left over from 0003: table _alembic_tmp_visits.")
def test_only_stamped(shop: Workspace) -> None:
    stamp()


@wrong("18.2", "The table visits still takes a visit without a path")
def test_stamped_without_the_leftover(shop: Workspace) -> None:
    run("visits", DROP)
    run("visits", FILL)
    fill(shop)
    stamp()


@wrong("18.2", 'one more visit without a path: upgrade(revision="heads") fails: IntegrityError')
def test_the_value_by_hand(shop: Workspace) -> None:
    clean()
    run("visits", FILL)
    upgrade()


@wrong("18.2", 'one more visit without a path: upgrade(revision="heads") fails: IntegrityError')
def test_only_this_visit(shop: Workspace) -> None:
    clean()
    fill(shop, "UPDATE visits SET path = '/' WHERE id = 2")
    upgrade()


@wrong("18.2", "The table visits should have the row 2 (id)")
def test_the_visit_deleted(shop: Workspace) -> None:
    clean()
    fill(shop, "DELETE FROM visits WHERE path IS NULL")
    upgrade()


@wrong("18.2", "The table visits should have the row 4, / (id, path)")
def test_such_visits_deleted_elsewhere(shop: Workspace) -> None:
    clean()
    run("visits", FILL)
    fill(shop, "DELETE FROM visits WHERE path IS NULL")
    upgrade()


@wrong("18.2", "The table visits should have the row 2, / (id, path)")
def test_another_value(shop: Workspace) -> None:
    clean()
    fill(shop, FILL.replace("'/'", "'unknown'"))
    upgrade()


@wrong("18.2", "The table visits should have the row 5, /fig (id, path)")
def test_every_path_overwritten_elsewhere(shop: Workspace) -> None:
    clean()
    fill(shop, "UPDATE visits SET path = '/' WHERE path IS NULL OR id > 3")
    upgrade()


@wrong("18.2", 'The table products has no column "seen"')
def test_the_first_two_skipped(shop: Workspace) -> None:
    run("visits", DROP)
    fill(shop)
    for column, kind in (("seen", "Integer()"), ("page", "String(length=80)")):
        add = f"batch_op.add_column(sa.Column('{column}', sa.{kind}, nullable=True))"
        shop.edit(VISITS, add, "pass")
    upgrade()


@wrong("18.2", "The table visits still takes a visit without a path")
def test_the_change_given_up(shop: Workspace) -> None:
    clean()
    shop.edit(VISITS, "length=50), nullable=False)", "length=50), nullable=True)")
    shop.edit(MODELS, "path: Mapped[str]", "path: Mapped[str | None]")
    shop.restart()
    fill(shop)
    upgrade()


@wrong("18.2", 'The table products has no column "seen"')
def test_the_columns_given_up(shop: Workspace) -> None:
    clean()
    fill(shop)
    shop.edit(MODELS, SEEN, "")
    shop.edit(MODELS, PAGE, "")
    for column, kind in (("seen", "Integer()"), ("page", "String(length=80)")):
        shop.edit(
            VISITS, f"batch_op.add_column(sa.Column('{column}', sa.{kind}, nullable=True))", "pass"
        )
        shop.edit(VISITS, f"batch_op.drop_column('{column}')", "pass")
    shop.restart()
    upgrade()


@wrong("18.2", "The table orders should have the row 1, 3 (id, product_id)")
def test_made_anew(shop: Workspace) -> None:
    fill(shop)
    downgrade(revision="0001")
    run(None, "ALTER TABLE products DROP COLUMN seen")
    run("visits", DROP)
    upgrade()


@wrong("18.2", 'The app has no bind "visits"')
def test_the_third_taken_out(shop: Workspace) -> None:
    clean()
    shop.edit(FACTORY, ', "visits": "sqlite:///visits.db"', "")
    model = Path(MODELS).read_text("utf-8")
    Path(MODELS).write_text(model[: model.index("class Visit")].rstrip() + "\n", "utf-8")
    shop.restart()
    upgrade()


@wrong("18.2", 'The check wants the database "visits" as a file of the workspace')
def test_the_third_in_memory(shop: Workspace) -> None:
    shop.edit(FACTORY, '"visits": "sqlite:///visits.db"', '"visits": "sqlite://"')
    fill(shop)


@wrong("18.2", "After a downgrade to 0002, and with one more visit")
def test_a_way_back_that_loses_visits(shop: Workspace) -> None:
    clean()
    fill(shop)
    upgrade()
    head = "def downgrade_visits():\n"
    shop.edit(VISITS, head, f'{head}    op.execute("DELETE FROM visits")\n')


@wrong("18.2", "The table visits should take a visit without a path again")
def test_a_way_back_that_forgets_the_path(shop: Workspace) -> None:
    clean()
    fill(shop)
    shop.edit(VISITS, "length=50), nullable=True)", "length=50), nullable=False)")
    upgrade()


@right("18.2")
def test_forward_by_hand_and_stamped(shop: Workspace) -> None:
    fill(shop)
    run("visits", DROP)
    finish_by_hand()
    stamp()


@right("18.2")
def test_the_script_cleans_up_itself(shop: Workspace) -> None:
    run(None, "ALTER TABLE products DROP COLUMN seen")
    run("orders", "ALTER TABLE orders DROP COLUMN page")
    shop.edit(VISITS, START, f'{START}    op.execute("{DROP}")\n    op.execute("{FILL}")\n')
    upgrade()


@right("18.2")
def test_a_script_in_between(shop: Workspace) -> None:
    clean()
    text = Path(ORDERS.replace("orders", "orders_and_visits")).read_text("utf-8")
    text = text[: text.index("def upgrade_()")].replace("'0002'", "'fill'").replace("0001", "0002")
    for name in ("", "orders", "visits"):
        up = f'op.execute("{FILL}")' if name == "visits" else "pass"
        text += f"def upgrade_{name}():\n    {up}\n\n\ndef downgrade_{name}():\n    pass\n\n\n"
    (VERSIONS / "fill.py").write_text(text, "utf-8")
    shop.edit(VISITS, "down_revision = '0002'", "down_revision = 'fill'")
    upgrade()


@right("18.2")
def test_a_script_that_looks_first(shop: Workspace) -> None:
    run("visits", DROP)
    fill(shop)
    for table, column in (("products", "seen"), ("orders", "page")):
        there = f"[c['name'] for c in sa.inspect(op.get_bind()).get_columns('{table}')]"
        add = f"batch_op.add_column(sa.Column('{column}'"
        shop.edit(VISITS, add, f"'{column}' in {there} or {add}")
    upgrade()


@right("18.2")
def test_a_default_in_script_and_model(shop: Workspace) -> None:
    clean()
    fill(shop)
    with_default(shop)
    model_with_default(shop)
    upgrade()


@right("18.2")
def test_a_default_of_the_models_own(shop: Workspace) -> None:
    clean()
    fill(shop)
    shop.edit(MODELS, PATH, PATH.replace("50)", '50), default="/"'))
    shop.restart()
    upgrade()
