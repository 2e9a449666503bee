"""Answers to the exercises of chapter 10, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, revision, stamp, upgrade
from workbook import Workspace, expect_error
from workbook.exercises.chapter_10 import LIVE_TABLE, MODELS, PRICE, SPLIT

UNITS = "migrations/versions/0003_split_unit.py"
CODES = "migrations/versions/0003_prefix_codes.py"
NAMES = "migrations/versions/0004_capital_names.py"
INITIALS = "migrations/versions/0003_fill_initial.py"
UP = '    """Move what stands after " / " into the unit."""\n'
DOWN = '    """Put it back behind the name."""\n'
SPLIT_ALL = """
    op.execute('''
        UPDATE products SET
            unit = substr(name, instr(name, ' / ') + 3),
            name = substr(name, 1, instr(name, ' / ') - 1)
    ''')
"""
SPLIT_SOME = SPLIT_ALL.replace("    ''')", "        WHERE instr(name, ' / ') > 0\n    ''')")
JOIN = """
    op.execute('''
        UPDATE products SET name = name || ' / ' || unit, unit = NULL WHERE unit IS NOT NULL
    ''')
"""
JOIN_ALL = JOIN.replace(" WHERE unit IS NOT NULL", "")
LOOP = """
    connection = op.get_bind()
    for name, in connection.execute(sa.select(products.c.name)).all():
        if " / " in name:
            new, unit = name.split(" / ")
            split = sa.update(products).where(products.c.name == name)
            connection.execute(split.values(name=new, unit=unit))
"""
CUT = 'op.execute("UPDATE products SET code = substr(code, 3)")'
REFUSE = 'raise RuntimeError("The old names are lost.")'
OWN_TABLE = """products = sa.table(
    "products", sa.column("id"), sa.column("name"), sa.column("initial")
)
"""
EMPTY = "def upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
IMPORT = "\nfrom flask_app import Product\n"


def split(shop: Workspace, up: str, down: str) -> None:
    shop.edit(UNITS, UP, UP + up)
    shop.edit(UNITS, DOWN, DOWN + down)
    upgrade()


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def split_by_hand() -> None:
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.name, product.unit = SPLIT[product.id]
    db.session.commit()


# --- 10.1 ---


@wrong("10.1", 'Product 1 should be "Apple" with "kg"; the table says "Apple / kg" with NULL')
def test_the_empty_script_run(shop: Workspace) -> None:
    upgrade()


@wrong("10.1", 'Product 1 should be "Apple" with "kg"; the table says "Apple / kg" with NULL')
def test_written_and_not_run(shop: Workspace) -> None:
    shop.edit(UNITS, UP, UP + SPLIT_SOME)
    shop.edit(UNITS, DOWN, DOWN + JOIN)


@wrong("10.1", 'Product 2 should be "Orange" with NULL; the table says "" with "ange"')
def test_no_where(shop: Workspace) -> None:
    split(shop, SPLIT_ALL, JOIN)


@wrong("10.1", 'the table says "Apple " with "kg"')
def test_split_at_the_wrong_place(shop: Workspace) -> None:
    split(shop, SPLIT_SOME.replace("- 1)", ")"), JOIN)


@wrong("10.1", 'Product 4 should be "Half/half" with NULL; the table says "Half" with "half"')
def test_split_at_any_slash(shop: Workspace) -> None:
    up = """
    op.execute('''
        UPDATE products SET
            unit = trim(substr(name, instr(name, '/') + 1)),
            name = trim(substr(name, 1, instr(name, '/') - 1))
        WHERE instr(name, '/')
    ''')
"""
    split(shop, up, JOIN)


@wrong("10.1", 'After a downgrade to 0002: Product 1 should be "Apple / kg" with NULL')
def test_a_way_back_for_one_row(shop: Workspace) -> None:
    down = "UPDATE products SET name = 'Salt / 100 g', unit = NULL WHERE name = 'Salt'"
    split(shop, SPLIT_SOME, f'    op.execute("{down}")\n')


@wrong("10.1", 'Product 1 should be "Salt / 100 g" with NULL; the table says "Salt" with "100 g"')
def test_no_way_back(shop: Workspace) -> None:
    split(shop, SPLIT_SOME, "")


@wrong("10.1", 'should be "Leek" with NULL; the table says NULL with NULL')
def test_a_way_back_that_loses_names(shop: Workspace) -> None:
    split(shop, SPLIT_SOME, JOIN_ALL)


@wrong("10.1", 'Product 1 should be "Apple" with "kg"')
def test_a_loop_that_stops_at_null(shop: Workspace) -> None:
    with expect_error("TypeError"):
        split(shop, LOOP, JOIN)


@wrong("10.1", 'On another database: Product 1 should be "Salt" with "100 g"')
def test_split_by_hand_and_stamped(shop: Workspace) -> None:
    split_by_hand()
    stamp()


@wrong("10.1", 'On another database: Product 1 should be "Salt" with "100 g"')
def test_only_the_rows_of_the_shop(shop: Workspace) -> None:
    rows = [key for key, values in SPLIT.items() if values[1]]
    up = f"    rows = {{key: value for key, value in {SPLIT}.items() if key in {rows}}}\n"
    up += "    products.append_column(sa.column('id'))\n"
    up += "    for key, (name, unit) in rows.items():\n"
    up += "        where = products.c.name.like(f'{name} / %')\n"
    up += "        op.execute(sa.update(products).where(where).values(name=name, unit=unit))\n"
    split(shop, up, JOIN)


@wrong("10.1", "Product 4, NULL with NULL, is gone")
def test_the_nameless_deleted(shop: Workspace) -> None:
    run_by_hand("DELETE FROM products WHERE name IS NULL")
    split(shop, SPLIT_SOME, JOIN)


@right("10.1")
def test_a_loop(shop: Workspace) -> None:
    split(shop, LOOP.replace('if " / " in name', 'if name and " / " in name'), JOIN)


@right("10.1")
def test_plain_sql_in_a_script_with_another_name(shop: Workspace) -> None:
    Path(UNITS).unlink()
    revision(message="by hand")
    (script,) = Path("migrations/versions").glob("*_by_hand.py")
    shop.edit(str(script), "def upgrade():\n    pass\n", f"def upgrade():\n{SPLIT_SOME}")
    shop.edit(str(script), "def downgrade():\n    pass\n", f"def downgrade():\n{JOIN}")
    upgrade()


# --- 10.2 ---


@wrong("10.2", 'After a downgrade from 0003 to 0002: Product 1 should be " Leek" with "L3"')
def test_only_the_refusal(shop: Workspace) -> None:
    shop.edit(NAMES, "pass", REFUSE)


@wrong("10.2", "The step from 0004 back to 0003 goes through, but the old names are lost")
def test_only_the_codes(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)


@wrong("10.2", "The step from 0004 back to 0003 goes through, but the old names are lost")
def test_names_invented(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    invented = "UPDATE products SET name = upper(substr(name, 1, 1)) || lower(substr(name, 2))"
    shop.edit(NAMES, "pass", f'op.execute("{invented}")')


@wrong("10.2", 'On another database: downgrade(revision="0002") fails: RuntimeError')
def test_both_refuse(shop: Workspace) -> None:
    shop.edit(CODES, "pass", REFUSE)
    shop.edit(NAMES, "pass", REFUSE)


@wrong("10.2", 'Product 3 should be NULL with "F-F-1"; the table says NULL with "1"')
def test_every_prefix_taken_away(shop: Workspace) -> None:
    shop.edit(CODES, "pass", "op.execute(\"UPDATE products SET code = replace(code, 'F-', '')\")")
    shop.edit(NAMES, "pass", REFUSE)


@wrong("10.2", "The step back from 0004 fails, but by mistake: NameError")
def test_a_refusal_by_mistake(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    shop.edit(NAMES, "pass", 'raise CannotBeUndone("The old names are lost.")')


@wrong("10.2", "The step back from 0004 fails, but by mistake: ZeroDivisionError")
def test_a_refusal_by_a_sum(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    shop.edit(NAMES, "pass", "1 / 0")


@wrong("10.2", "The step back from 0004 refuses, but does not say why")
def test_a_refusal_without_a_sentence(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    shop.edit(NAMES, "pass", "raise NotImplementedError")


@wrong("10.2", "The step back from 0004 refuses, but it changes the products before")
def test_a_refusal_that_comes_too_late(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    lose = 'op.execute("DELETE FROM products")\n    op.get_bind().commit()'
    shop.edit(NAMES, "pass", f"{lose}\n    {REFUSE}")


@wrong("10.2", 'On another database: Product 1 should be " Leek" with "F-L3"')
def test_nothing_to_undo_any_more(shop: Workspace) -> None:
    shop.edit(CODES, "op.execute(\"UPDATE products SET code = 'F-' || code\")", "pass")
    shop.edit(NAMES, "pass", REFUSE)


@wrong("10.2", 'On another database: Product 1 should be "LEEK" with "F-L3"')
def test_the_names_never_changed(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    shop.edit(NAMES, 'op.execute("UPDATE products SET name = upper(trim(name))")', "pass")


@wrong("10.2", "The database is at 0003, not at 0004")
def test_the_shop_taken_back(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    downgrade()
    shop.edit(NAMES, "pass", REFUSE)


@wrong("10.2", "The table products has lost a row that it had: 1, APPLE, F-A1")
def test_the_shop_repaired_by_hand(shop: Workspace) -> None:
    shop.edit(CODES, "pass", CUT)
    shop.edit(NAMES, "pass", REFUSE)
    run_by_hand("UPDATE products SET name = 'Apple' WHERE id = 1")


@right("10.2")
def test_an_error_of_another_kind(shop: Workspace) -> None:
    shop.edit(NAMES, "pass", 'raise NotImplementedError("Restore the backup.")')
    cut = "connection.execute(table.update().values(code=sa.func.substr(table.c.code, 3)))"
    table = 'table = sa.table("products", sa.column("code"))'
    shop.edit(CODES, "pass", f"{table}\n    connection = op.get_bind()\n    {cut}")


@right("10.2")
def test_an_error_of_its_own(shop: Workspace) -> None:
    only = "UPDATE products SET code = substr(code, 3) WHERE code LIKE 'F-%'"
    shop.edit(CODES, "pass", f'op.execute("{only}")')
    own = 'class Lost(Exception):\n    """No way back."""\n\n\ndef downgrade'
    shop.edit(NAMES, "def downgrade", own)
    shop.edit(NAMES, "    pass", '    raise Lost("There is only one way.")')


# --- 10.3 ---


@wrong("10.3", "On an empty database: upgrade")
def test_the_model_imported_elsewhere(shop: Workspace) -> None:
    shop.edit(INITIALS, IMPORT, "\nfrom flask_app.models import Product\n")


@wrong("10.3", 'On another database: Product 1 should be "kiwi" with "K"')
def test_the_script_emptied(shop: Workspace) -> None:
    text = Path(INITIALS).read_text("utf-8")
    text = text.replace(IMPORT, "").replace(LIVE_TABLE, "")
    Path(INITIALS).write_text(text[: text.index("def upgrade")] + EMPTY, "utf-8")


@wrong("10.3", 'On another database: Product 1 should be "kiwi" with "K"')
def test_the_script_deleted(shop: Workspace) -> None:
    Path(INITIALS).unlink()
    shop.edit("migrations/versions/0004_add_price.py", "= '0003'", "= '0002'")


@wrong("10.3", "0003_fill_initial.py still imports from flask_app.")
def test_only_the_columns_of_the_model_named(shop: Workspace) -> None:
    columns = "products.c.id, products.c.name"
    shop.edit(INITIALS, "sa.select(products)", f"sa.select({columns})")


@wrong("10.3", "As soon as the app has other models: upgrade")
def test_the_table_asked_of_the_app(shop: Workspace) -> None:
    shop.edit(INITIALS, IMPORT, "\nfrom flask import current_app\n")
    table = "current_app.extensions['sqlalchemy'].metadata.tables['products']"
    shop.edit(INITIALS, "Product.__table__", table)
    columns = "products.c.id, products.c.name"
    shop.edit(INITIALS, "sa.select(products)", f"sa.select({columns})")


@wrong("10.3", "0003_fill_initial.py still imports from flask_app.")
def test_the_script_moved_to_the_end(shop: Workspace) -> None:
    shop.edit("migrations/versions/0004_add_price.py", "= '0003'", "= '0002'")
    shop.edit(INITIALS, "= '0002'", "= '0004'")
    upgrade()


@wrong("10.3", "migrate() would write remove_column products.price")
def test_the_price_taken_out_of_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, PRICE, "")


@wrong("10.3", "The table products has lost a row that it had: 1, Apple, A, 120")
def test_the_prices_lost(shop: Workspace) -> None:
    downgrade(revision="0002")
    own_table(shop)
    upgrade()


@wrong("10.3", "On another database: upgrade")
def test_a_loop_that_forgets_null(shop: Workspace) -> None:
    own_table(shop)
    shop.edit(INITIALS, "if product.name:", "if True:")


@wrong("10.3", 'After a downgrade to 0002: Product 1 should be "kiwi" with NULL')
def test_the_way_back_emptied(shop: Workspace) -> None:
    own_table(shop)
    shop.edit(INITIALS, "op.execute(sa.update(products).values(initial=None))", "pass")


@wrong("10.3", 'Product 4 should be "" with NULL; the table says "" with ""')
def test_an_initial_for_an_empty_name(shop: Workspace) -> None:
    one_statement("")


@wrong("10.3", "The database is at 0002, not at 0004")
def test_stamped_too_low(shop: Workspace) -> None:
    own_table(shop)
    stamp(revision="0002")


def own_table(shop: Workspace) -> None:
    shop.edit(INITIALS, IMPORT, "")
    shop.edit(INITIALS, LIVE_TABLE, OWN_TABLE)


def one_statement(where: str) -> None:
    """The script with an UPDATE for the rows of this condition."""
    text = Path(INITIALS).read_text("utf-8")
    text = text.replace(IMPORT, "").replace(LIVE_TABLE, "")
    up = f'    op.execute("UPDATE products SET initial = upper(substr(name, 1, 1)){where}")\n'
    down = '    op.execute("UPDATE products SET initial = NULL")\n'
    text = text[: text.index("def upgrade")]
    Path(INITIALS).write_text(f"{text}def upgrade():\n{up}\n\ndef downgrade():\n{down}", "utf-8")


@right("10.3")
def test_one_statement(shop: Workspace) -> None:
    one_statement(" WHERE name <> ''")


@right("10.3")
def test_the_table_as_the_database_has_it(shop: Workspace) -> None:
    shop.edit(INITIALS, IMPORT, "")
    shop.edit(INITIALS, LIVE_TABLE, "")
    table = "    products = sa.Table('products', sa.MetaData(), autoload_with=op.get_bind())\n"
    for function in ("upgrade", "downgrade"):
        shop.edit(INITIALS, f"def {function}():\n", f"def {function}():\n{table}")
