"""Answers to the exercises of chapter 13, wrong and right."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.chapter_13 import (
    CODE_SCRIPT,
    FILL,
    INDEXED,
    LOOP,
    MODELS,
    RELEASE,
    STOCK,
    UNIT_SCRIPT,
)

UPDATE = '\n    op.execute("UPDATE products SET code = upper(substr(name, 1, 3))")\n'
STOCK_SCRIPT = "migrations/versions/0003_add_stock.py"
ADD_STOCK = "ALTER TABLE products ADD COLUMN stock INTEGER DEFAULT '0' NOT NULL;"
TO_0003 = "UPDATE alembic_version SET version_num = '0003';"
INDEX = "CREATE INDEX ix_products_unit ON products (unit)"
KILOS = "UPDATE products SET unit = 'kilo' WHERE unit IS NULL"


def save(revisions: str) -> None:
    """Write the SQL of these revisions into the file."""
    with open(RELEASE, "w", encoding="utf-8") as file, redirect_stdout(file):
        upgrade(revision=revisions, sql=True)


def run(*statements: str) -> None:
    """Run SQL on the shop's database, each statement for good."""
    with closing(sqlite3.connect("instance/app.db")) as database:
        for statement in statements:
            database.executescript(statement)


# --- 13.1 Write the release ---


@wrong("13.1", "The DBA's sqlite3 stops in your SQL: table alembic_version already exists.")
def test_release_from_base(shop: Workspace) -> None:
    with open(RELEASE, "w", encoding="utf-8") as file, redirect_stdout(file):
        upgrade(sql=True)


@wrong("13.1", "The DBA's sqlite3 stops in your SQL: duplicate column name: price.")
def test_release_of_one_step_too_many(shop: Workspace) -> None:
    save("0001:0003")


@wrong("13.1", "The DBA's sqlite3 stops in your SQL")
def test_release_of_a_step_that_has_run(shop: Workspace) -> None:
    save("0001:0002")


@wrong("13.1", "own database has changed: only the DBA may do that.")
def test_release_run_by_oneself(shop: Workspace) -> None:
    save("0002:0003")
    upgrade()


@wrong("13.1", "own database has changed")
def test_release_stamped(shop: Workspace) -> None:
    save("0002:0003")
    stamp(revision="0003")


@wrong("13.1", "There is no file release.sql")
def test_release_by_another_name(shop: Workspace) -> None:
    save("0002:0003")
    Path(RELEASE).rename("script.sql")


@wrong("13.1", "The DBA's sqlite3 stops in your SQL: near")
def test_release_with_the_log(shop: Workspace) -> None:
    save("0002:0003")
    log = "INFO  [alembic.runtime.migration] Generating static SQL\n"
    Path(RELEASE).write_text(log + Path(RELEASE).read_text("utf-8"), "utf-8")


@wrong("13.1", "release.sql is not UTF-8 (PowerShell's > writes UTF-16).")
def test_release_by_powershell(shop: Workspace) -> None:
    save("0002:0003")
    Path(RELEASE).write_text(Path(RELEASE).read_text("utf-8"), "utf-16")


@wrong("13.1", 'When the DBA has run your SQL: The table products has no column "stock".')
def test_release_that_is_empty(shop: Workspace) -> None:
    save("0003:0003")


@wrong("13.1", "When the DBA has run your SQL: The database is at 0002, not at 0003.")
def test_release_without_its_bookkeeping(shop: Workspace) -> None:
    Path(RELEASE).write_text(ADD_STOCK, "utf-8")


@wrong("13.1", "When the DBA has run your SQL: Models and database do not agree")
def test_release_of_a_stock_that_may_be_empty(shop: Workspace) -> None:
    Path(RELEASE).write_text(ADD_STOCK.replace(" NOT NULL", "") + TO_0003, "utf-8")


@wrong("13.1", "The stock of the old rows is not 0.")
def test_release_with_other_values(shop: Workspace) -> None:
    Path(RELEASE).write_text(ADD_STOCK.replace("'0'", "'7'") + TO_0003, "utf-8")


@wrong("13.1", "has lost a row")
def test_release_that_loses_rows(shop: Workspace) -> None:
    save("0002:0003")
    with open(RELEASE, "a", encoding="utf-8") as file:
        file.write("DELETE FROM products WHERE id = 3;")


@wrong("13.1", 'has no column "stock"')
def test_release_without_anything_to_release(shop: Workspace) -> None:
    shop.edit(MODELS, STOCK, "")
    Path(STOCK_SCRIPT).unlink()
    Path(RELEASE).write_text("", "utf-8")


@wrong("13.1", "On an empty database: Models and database do not agree")
def test_release_and_the_script_emptied(shop: Workspace) -> None:
    save("0002:0003")
    text = Path(STOCK_SCRIPT).read_text("utf-8")
    lines = [line for line in text.splitlines(keepends=True) if "batch_op.add_column" not in line]
    Path(STOCK_SCRIPT).write_text(
        "".join(lines).replace("as batch_op:\n\n", "as batch_op:\n        pass\n\n"), "utf-8"
    )


@right("13.1")
def test_release_to_the_head(shop: Workspace) -> None:
    save("0002:head")


@right("13.1")
def test_release_by_hand(shop: Workspace) -> None:
    Path(RELEASE).write_text(f"-- shop 1.3\n{ADD_STOCK}\n{TO_0003}\n", "utf-8")


@right("13.1")
def test_release_after_a_try(shop: Workspace) -> None:
    upgrade()
    downgrade()
    save("0002:0003")


# --- 13.2 The DBA's review ---


@wrong("13.2", 'upgrade(revision="0001:head", sql=True) fails: AttributeError')
def test_loop_run_by_oneself(shop: Workspace) -> None:
    upgrade()


@wrong("13.2", "fails: RuntimeError: 0002 must read rows.")
def test_loop_that_refuses(shop: Workspace) -> None:
    guard = '    if context.is_offline_mode():\n        raise RuntimeError("0002 must read rows")\n'
    shop.edit(CODE_SCRIPT, "import op", "import context, op")
    shop.edit(CODE_SCRIPT, LOOP, f"\n{guard}{LOOP}")


@wrong("13.2", "run your SQL: Apple should have the code APP; the table says NULL.")
def test_loop_left_out_offline(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, "import op", "import context, op")
    skip = "\n    if context.is_offline_mode():\n        return\n"
    shop.edit(CODE_SCRIPT, LOOP, skip + LOOP)


@wrong("13.2", "Apple should have the code APP")
def test_loop_left_out(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, "")


@wrong("13.2", "Cherry should have the code CHE; the table says NULL.")
def test_loop_over_the_names_that_one_knows(shop: Workspace) -> None:
    loop = (
        "\n    for name in ['Apple', 'Orange', 'Banana']:\n"
        "        op.execute(f\"UPDATE products SET code = '{name[:3].upper()}'"
        " WHERE name = '{name}'\")\n"
    )
    shop.edit(CODE_SCRIPT, LOOP, loop)


@wrong("13.2", "Apple should have the code APP; the table says App.")
def test_update_without_upper(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, UPDATE.replace("upper(substr(name, 1, 3))", "substr(name, 1, 3)"))


@wrong("13.2", "After downgrade() and upgrade(): Apple should have the code APP")
def test_update_for_the_dba_only(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, "import op", "import context, op")
    branch = "\n    if context.is_offline_mode():\n    "
    shop.edit(CODE_SCRIPT, LOOP, branch + UPDATE.lstrip("\n"))


STILL = 'After a downgrade to 0001: The table products still has a column "code".'


@wrong("13.2", STILL)
def test_update_with_an_empty_downgrade(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, UPDATE)
    shop.edit(CODE_SCRIPT, "        batch_op.drop_column('code')", "        pass")


@wrong("13.2", STILL)
def test_update_tried_out_with_an_empty_downgrade(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, UPDATE)
    shop.edit(CODE_SCRIPT, "        batch_op.drop_column('code')", "        pass")
    upgrade()


@wrong("13.2", 'A product without a name should have the code NULL; the table says "".')
def test_update_that_gives_the_nameless_an_empty_code(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, UPDATE.replace("substr(name", "substr(coalesce(name, '')"))


@wrong("13.2", "The DBA's sqlite3 stops in your SQL: no such column: code.")
def test_update_before_the_column(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, "")
    shop.edit(CODE_SCRIPT, "def upgrade():\n", f"def upgrade():{UPDATE}")


def update_by(statement: str) -> Callable[[Workspace], None]:
    """An answer: these lines instead of the loop."""

    def attempt(shop: Workspace) -> None:
        shop.edit(CODE_SCRIPT, LOOP, statement)

    return attempt


test_update_of_the_names_that_are_there = right("13.2")(
    update_by(
        '\n    op.execute("UPDATE products SET code = upper(substr(name, 1, 3))'
        ' WHERE name IS NOT NULL")\n'
    )
)

test_update_by_sqlalchemy = right("13.2")(
    update_by(
        "\n    products = sa.table('products', sa.column('name'), sa.column('code'))\n"
        "    code = sa.func.upper(sa.func.substr(products.c.name, 1, 3))\n"
        "    op.execute(products.update().values(code=code))\n"
    )
)


@right("13.2")
def test_update_tried_out(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, UPDATE)
    upgrade()


@right("13.2")
def test_update_in_a_script_of_its_own(shop: Workspace) -> None:
    shop.edit(CODE_SCRIPT, LOOP, "")
    revision(message="fill code", rev_id="0003")
    empty = "def upgrade():\n"
    shop.edit("migrations/versions/0003_fill_code.py", f"{empty}    pass", empty + UPDATE)


# --- 13.3 Half a release ---


@wrong("13.3", "Products are without a unit: Apple, Orange, Banana. (Committed?)")
def test_half_not_committed(shop: Workspace) -> None:
    stamp(revision="0002")
    from flask_app import db

    db.session.execute(db.text(INDEX))
    db.session.execute(db.text(KILOS))


@wrong("13.3", "Products are without a unit: Apple, Orange, Banana.")
def test_half_stamped(shop: Workspace) -> None:
    stamp(revision="0002")


@wrong("13.3", "The column unit has no index.")
def test_half_filled_and_stamped(shop: Workspace) -> None:
    run(KILOS)
    stamp(revision="0002")


@wrong("13.3", "The database is at 0001, not at 0002.")
def test_half_not_stamped(shop: Workspace) -> None:
    run(INDEX, KILOS)


@wrong("13.3", "The Cherry came in with the unit piece")
def test_half_filled_over(shop: Workspace) -> None:
    run(INDEX, "UPDATE products SET unit = 'kilo'")
    stamp(revision="0002")


@wrong("13.3", "The Cherry came in with the unit piece")
def test_half_dropped_and_upgraded(shop: Workspace) -> None:
    run("ALTER TABLE products DROP COLUMN unit")
    upgrade()


@wrong("13.3", "These should be sold by the kilo: Apple, Orange, Banana.")
def test_half_filled_wrongly(shop: Workspace) -> None:
    run(INDEX, "UPDATE products SET unit = 'piece'")
    stamp(revision="0002")


@wrong("13.3", "has lost a row")
def test_half_started_anew(shop: Workspace) -> None:
    run("DELETE FROM products WHERE name = 'Cherry'", INDEX, KILOS)
    stamp(revision="0002")


def without_the_column(shop: Workspace) -> str:
    """Take the column out of the script and run it; returns the script as it was."""
    whole = Path(UNIT_SCRIPT).read_text("utf-8")
    lines = [line for line in whole.splitlines(keepends=True) if "add_column(" not in line]
    Path(UNIT_SCRIPT).write_text("".join(lines), "utf-8")
    upgrade()
    return whole


@wrong("13.3", "On an empty database: upgrade")
def test_half_and_the_script_left_short(shop: Workspace) -> None:
    without_the_column(shop)


@wrong("13.3", "The scripts do not fill the units any more")
def test_half_and_the_fill_taken_out(shop: Workspace) -> None:
    run(INDEX, KILOS)
    stamp(revision="0002")
    shop.edit(UNIT_SCRIPT, FILL, "")


@wrong("13.3", "Models and database do not agree")
def test_half_and_the_model_without_the_index(shop: Workspace) -> None:
    run(INDEX, KILOS)
    stamp(revision="0002")
    shop.edit(MODELS, ", index=True", "")
    shop.edit(
        UNIT_SCRIPT, f"        batch_op.create_index(batch_op.f('ix_products_unit'), {INDEXED}", ""
    )


@right("13.3")
def test_half_by_the_rest_of_the_file(shop: Workspace) -> None:
    run(Path(RELEASE).read_text("utf-8").partition(";")[2])


@right("13.3")
def test_half_by_a_script_that_says_less_for_once(shop: Workspace) -> None:
    whole = without_the_column(shop)
    Path(UNIT_SCRIPT).write_text(whole, "utf-8")


@right("13.3")
def test_half_taken_back_with_the_cherry_noted(shop: Workspace) -> None:
    run("ALTER TABLE products DROP COLUMN unit")
    upgrade()
    run("UPDATE products SET unit = 'piece' WHERE name = 'Cherry'")
