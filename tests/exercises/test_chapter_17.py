"""Answers to the exercises of chapter 17, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.chapter_17 import (
    COMMITTED,
    FILL_CODES,
    LOST,
    MODELS,
    RENAME_IN_BATCH,
    TITLE,
)

RENAME = "migrations/versions/0002_rename_name.py"
UP, DOWN = RENAME_IN_BATCH.strip().split("\n\n\n")
RENAME_UP = 'def upgrade():\n    op.alter_column("products", "name", new_column_name="title")'
RENAME_DOWN = 'def downgrade():\n    op.alter_column("products", "title", new_column_name="name")'
RENAME_BY_HAND = "ALTER TABLE products RENAME COLUMN name TO title"
ADD_COPY_DROP = """def {function}():
    op.add_column("products", sa.Column("{new}", sa.String(50)))
    op.execute("UPDATE products SET {new} = {old}")
    op.drop_column("products", "{old}")"""
COPIED = "On a new copy of the start: The upgrade writes "
VACUUMED = (
    "On a new copy of the start: The upgrade makes the file smaller, as VACUUM does:"
    " VACUUM copies every table."
)
VACUUM = """
    with op.get_context().autocommit_block():
        op.execute("VACUUM")"""

CODES = "migrations/versions/0003_fill_codes.py"
FILL, LOOP, _ = FILL_CODES.strip().split("\n\n\n")
SUM = "coalesce(max(id), 0)"
IN_RANGES = f"""def upgrade():
    last = op.get_bind().scalar(sa.text("SELECT {SUM} FROM products"))
    with op.get_context().autocommit_block():
        for start in range(0, last, SIZE):
            values = {{"start": start, "end": start + SIZE}}
            op.get_bind().execute(sa.text(FILL), values)"""
AT_ONCE = """def upgrade():
    op.execute("UPDATE products SET code = 'F-' || id WHERE code IS NULL")"""
WHILE_THERE_ARE_SOME = '''def upgrade():
    with op.get_context().autocommit_block():
        while op.get_bind().execute(sa.text("""
            UPDATE products SET code = 'F-' || id WHERE id IN
            (SELECT id FROM products WHERE code IS NULL LIMIT 700)
        """)).rowcount:
            pass'''
FROM_ONE_TO_THE_NEXT = """def upgrade():
    find = sa.text("SELECT min(id) - 1 FROM products WHERE code IS NULL AND id > :end")
    with op.get_context().autocommit_block():
        connection, end = op.get_bind(), -1
        while (start := connection.scalar(find, {"end": end})) is not None:
            end = start + SIZE
            connection.execute(sa.text(FILL), {"start": start, "end": end})"""
COMMITS = (
    IN_RANGES.replace("with op.get_context().autocommit_block():", "if last:")
    + "\n            op.get_bind().commit()"
)
NOTHING = '    """Nothing: codes do no harm, and 0002 takes them away."""\n'


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def vacuum() -> None:
    from flask_app import db

    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(db.text("VACUUM"))


def rename(shop: Workspace, up: str, down: str) -> None:
    shop.edit(RENAME, UP, up)
    shop.edit(RENAME, DOWN, down)
    upgrade()


def fill(shop: Workspace, loop: str, end: str = "<=") -> None:
    """Put this in the script, and run it again."""
    shop.edit(CODES, LOOP, loop)
    shop.edit(CODES, "id < :end", f"id {end} :end")
    downgrade()
    upgrade()


# --- 17.1 ---


@wrong("17.1", COPIED)
def test_run_as_it_is(shop: Workspace) -> None:
    upgrade()


@wrong("17.1", VACUUMED)
def test_a_vacuum_behind_each_copy(shop: Workspace) -> None:
    rename(shop, UP + VACUUM, DOWN + VACUUM)


@wrong("17.1", VACUUMED)
def test_a_vacuum_behind_the_copy(shop: Workspace) -> None:
    rename(shop, UP + VACUUM, RENAME_DOWN)


@wrong("17.1", VACUUMED)
def test_a_vacuum_behind_the_rename(shop: Workspace) -> None:
    rename(shop, f'{RENAME_UP}\n    op.execute("VACUUM")', RENAME_DOWN)


@wrong("17.1", VACUUMED.replace("upgrade", "downgrade"))
def test_a_vacuum_on_the_way_back(shop: Workspace) -> None:
    rename(shop, RENAME_UP, DOWN + VACUUM)


@wrong("17.1", COPIED)
def test_another_journal_mode(shop: Workspace) -> None:
    wal = """
    with op.get_context().autocommit_block():
        op.execute("PRAGMA journal_mode = WAL")"""
    rename(shop, UP + wal, RENAME_DOWN)


@wrong("17.1", 'has no column "title". (The database is at 0001, and 0002 was not run.)')
def test_not_run(shop: Workspace) -> None:
    shop.edit(RENAME, UP, RENAME_UP)
    shop.edit(RENAME, DOWN, RENAME_DOWN)


@wrong("17.1", "The downgrade writes ")
def test_only_the_way_up(shop: Workspace) -> None:
    rename(shop, RENAME_UP, DOWN)


@wrong("17.1", COPIED)
def test_only_the_way_down(shop: Workspace) -> None:
    shop.edit(RENAME, DOWN, RENAME_DOWN)
    run_by_hand(RENAME_BY_HAND)
    stamp()


@wrong("17.1", COPIED)
def test_renamed_by_hand(shop: Workspace) -> None:
    run_by_hand(RENAME_BY_HAND)
    stamp()


@wrong("17.1", 'The table products has no column "title".')
def test_only_stamped(shop: Workspace) -> None:
    stamp()


@wrong("17.1", COPIED)
def test_added_copied_and_dropped(shop: Workspace) -> None:
    run_by_hand(RENAME_BY_HAND)
    stamp()
    shop.edit(RENAME, UP, ADD_COPY_DROP.format(function="upgrade", old="name", new="title"))
    shop.edit(RENAME, DOWN, RENAME_DOWN)


@wrong("17.1", COPIED)
def test_added_copied_and_dropped_both_ways(shop: Workspace) -> None:
    up = ADD_COPY_DROP.format(function="upgrade", old="name", new="title")
    down = ADD_COPY_DROP.format(function="downgrade", old="title", new="name")
    rename(shop, up, down)
    vacuum()


@wrong("17.1", "The title of product 1 should be Apple, and is NULL.")
def test_a_new_column(shop: Workspace) -> None:
    copied = '    op.execute("UPDATE products SET title = name")\n'
    up = ADD_COPY_DROP.format(function="upgrade", old="name", new="title").replace(copied, "")
    rename(shop, up, RENAME_DOWN)


@wrong("17.1", 'The table products still has a column "name".')
def test_a_column_that_shows_the_other(shop: Workspace) -> None:
    column = "title VARCHAR(50) GENERATED ALWAYS AS (name) VIRTUAL"
    rename(shop, f'def upgrade():\n    op.execute("ALTER TABLE products ADD {column}")', DOWN)


@wrong("17.1", 'The table products has no column "title".')
def test_a_new_name_in_the_model_only(shop: Workspace) -> None:
    shop.edit(MODELS, TITLE, TITLE.replace("mapped_column(", 'mapped_column("name", '))
    rename(shop, "def upgrade():\n    pass", "def downgrade():\n    pass")


@wrong("17.1", 'After a downgrade to 0001: The table products has no column "name".')
def test_no_way_back(shop: Workspace) -> None:
    rename(shop, RENAME_UP, "def downgrade():\n    pass")


@wrong("17.1", "Product 4, Fruit 4, is gone.")
def test_a_small_table(shop: Workspace) -> None:
    run_by_hand("DELETE FROM products WHERE id > 3")
    upgrade()
    vacuum()


@wrong("17.1", "The database is at 0001, not at 0002")
def test_renamed_by_hand_and_not_stamped(shop: Workspace) -> None:
    run_by_hand(RENAME_BY_HAND)


@right("17.1")
def test_plain_sql(shop: Workspace) -> None:
    up = f'def upgrade():\n    op.execute("{RENAME_BY_HAND}")'
    down = 'def downgrade():\n    op.execute("ALTER TABLE products RENAME title TO name")'
    rename(shop, up, down)


@right("17.1")
def test_a_batch_that_never_copies(shop: Workspace) -> None:
    never = '"products", recreate="never"'
    rename(shop, UP.replace('"products"', never), DOWN.replace('"products"', never))


@right("17.1")
def test_another_script(shop: Workspace) -> None:
    Path(RENAME).unlink()
    revision(message="titles")
    (script,) = Path("migrations/versions").glob("*_titles.py")
    shop.edit(str(script), "def upgrade():\n    pass", RENAME_UP)
    shop.edit(str(script), "def downgrade():\n    pass", RENAME_DOWN)
    upgrade()


@right("17.1")
def test_run_as_it_is_and_changed_afterwards(shop: Workspace) -> None:
    upgrade()
    shop.edit(RENAME, UP, RENAME_UP)
    shop.edit(RENAME, DOWN, RENAME_DOWN)


@right("17.1")
def test_run_as_it_is_changed_and_run_again(shop: Workspace) -> None:
    upgrade()
    shop.edit(RENAME, UP, RENAME_UP)
    shop.edit(RENAME, DOWN, RENAME_DOWN)
    downgrade()
    upgrade()


# --- 17.2 ---


@wrong(
    "17.2", 'Product 500 should be "Fruit 500" with "F-500"; the table says "Fruit 500" with NULL'
)
def test_smaller_ranges(shop: Workspace) -> None:
    shop.edit(CODES, "SIZE = 500", "SIZE = 50")
    downgrade()
    upgrade()


@wrong("17.2", 'Product 500 should be "Fruit 500" with "F-500"')
def test_the_end_of_a_range_forgotten(shop: Workspace) -> None:
    fill(shop, IN_RANGES, "<")


@wrong("17.2", 'Product 2001 should be "Fruit 2001" with "F-2001"')
def test_the_gap_forgotten(shop: Workspace) -> None:
    fill(shop, LOOP)


@wrong("17.2", 'Product 500 should be "Fruit 500" with "F-500"')
def test_mended_and_not_run(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    shop.edit(CODES, "id < :end", "id <= :end")


@wrong("17.2", 'Product 2001 should be "Fruit 2001" with "F-2001"')
def test_as_many_numbers_as_products(shop: Workspace) -> None:
    fill(shop, IN_RANGES.replace(SUM, "count(*)"))


@wrong("17.2", 'On another database: Product 999 should be "Nut 999" with "F-999"')
def test_filled_by_hand(shop: Workspace) -> None:
    run_by_hand("UPDATE products SET code = 'F-' || id WHERE code IS NULL")


@wrong("17.2", 'On another database: Product 4001 should be "Nut 4001" with "F-4001"')
def test_the_last_number_of_this_shop(shop: Workspace) -> None:
    fill(shop, IN_RANGES.replace("range(0, last, SIZE)", "range(0, 3000, SIZE)"))


@wrong("17.2", 'On another database: Product 60000 should be "Nut 60000" with "F-60000"')
def test_a_few_empty_ranges_allowed(shop: Workspace) -> None:
    loop = LOOP.replace("start, filled = 0, None", "start, empty = 0, 0")
    loop = loop.replace("filled != 0", "empty < 20").replace(
        "            filled = ", " " * 12 + "done = "
    )
    loop = loop.replace(
        "start += SIZE", "start += SIZE\n            empty = 0 if done else empty + 1"
    )
    fill(shop, loop)


@wrong("17.2", 'Product 1000600 should be "Lime" with "F-1000600"')
def test_a_large_number_as_the_last(shop: Workspace) -> None:
    fill(shop, IN_RANGES.replace("range(0, last, SIZE)", "range(0, 1_000_000, SIZE)"))


@wrong("17.2", f"The database is at 0002, not at 0003. {COMMITTED}")
def test_commits_of_its_own(shop: Workspace) -> None:
    fill(shop, COMMITS)


@wrong("17.2", f"On another database: The database is at 0002, not at 0003. {COMMITTED}")
def test_commits_of_its_own_and_stamped(shop: Workspace) -> None:
    fill(shop, COMMITS)
    stamp()


@wrong("17.2", f'Product 1 should be "Apple" with "A1"; the table says "Apple" with "F-1". {LOST}')
def test_too_far_back(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    shop.edit(CODES, "id < :end", "id <= :end")
    downgrade(revision="0001")
    upgrade()


@wrong("17.2", f'Product 1 should be "Apple" with "A1"; the table says "Apple" with NULL. {LOST}')
def test_too_far_back_and_stamped(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    downgrade(revision="0001")
    upgrade(revision="0002")
    stamp()


@wrong("17.2", "On another database: One transaction writes 15")
def test_one_statement(shop: Workspace) -> None:
    fill(shop, AT_ONCE)


@wrong("17.2", "On another database: One transaction writes 15")
def test_ranges_in_one_transaction(shop: Workspace) -> None:
    fill(shop, IN_RANGES.replace("with op.get_context().autocommit_block():", "if last:"))


@wrong("17.2", "On another database: One transaction writes 15")
def test_one_large_range(shop: Workspace) -> None:
    shop.edit(CODES, "SIZE = 500", "SIZE = 100_000")
    fill(shop, IN_RANGES)


@wrong("17.2", 'Product 1 should be "Apple" with "A1"; the table says "Apple" with "F-1"')
def test_codes_overwritten(shop: Workspace) -> None:
    shop.edit(CODES, " AND code IS NULL", "")
    fill(shop, IN_RANGES)


@wrong("17.2", 'Product 2 should be "Salt" with ""; the table says "Salt" with "F-2"')
def test_empty_texts_overwritten(shop: Workspace) -> None:
    shop.edit(CODES, "code IS NULL", "coalesce(code, '') = ''")
    fill(shop, IN_RANGES)


@wrong("17.2", "On an empty database: upgrade")
def test_no_last_number_in_an_empty_table(shop: Workspace) -> None:
    fill(shop, IN_RANGES.replace(SUM, "max(id)"))


@wrong("17.2", 'Product 1 should be "Leek" with "L1"; the table says "Leek" with "F-1"')
def test_a_way_back_that_empties_all(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    shop.edit(CODES, "id < :end", "id <= :end")
    upgrade_by_hand = "UPDATE products SET code = 'F-' || id WHERE code IS NULL"
    run_by_hand(upgrade_by_hand)
    shop.edit(CODES, NOTHING, '    op.execute("UPDATE products SET code = NULL")\n')


@wrong("17.2", 'Product 500, "Fruit 500" with "F-500", is gone.')
def test_those_without_deleted(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    shop.edit(CODES, "id < :end", "id <= :end")
    run_by_hand("DELETE FROM products WHERE code IS NULL")


@wrong("17.2", "(The database is at 0003, and 0004 was not run.)")
def test_another_script_not_run(shop: Workspace) -> None:
    revision(message="fill the rest", rev_id="0004")


@wrong("17.2", "Product 500 should be")
def test_another_script_stamped(shop: Workspace) -> None:
    fill_in_another_script(shop, run=False)
    stamp()


def fill_in_another_script(shop: Workspace, *, run: bool = True) -> None:
    revision(message="fill the rest", rev_id="0004")
    script = "migrations/versions/0004_fill_the_rest.py"
    constants = FILL.replace("id < :end", "id <= :end")
    shop.edit(script, "def upgrade():\n    pass", f"{constants}\n\n\n{IN_RANGES}")
    if run:
        upgrade()


@right("17.2")
def test_a_script_that_fills_the_rest(shop: Workspace) -> None:
    fill_in_another_script(shop)


@right("17.2")
def test_while_there_are_some(shop: Workspace) -> None:
    fill(shop, WHILE_THERE_ARE_SOME)


@right("17.2")
def test_from_one_to_the_next(shop: Workspace) -> None:
    fill(shop, FROM_ONE_TO_THE_NEXT)


@right("17.2")
def test_script_mended_and_shop_filled_by_hand(shop: Workspace) -> None:
    shop.edit(CODES, LOOP, IN_RANGES)
    shop.edit(CODES, "id < :end", "id <= :end")
    run_by_hand("UPDATE products SET code = 'F-' || id WHERE code IS NULL")


@right("17.2")
def test_a_way_back_that_empties_its_own(shop: Workspace) -> None:
    empty = "UPDATE products SET code = NULL WHERE code = 'F-' || id"
    shop.edit(CODES, NOTHING, f'    op.execute("{empty}")\n')
    fill(shop, IN_RANGES)
