"""Answers to the exercises of chapter 16, wrong and right."""

from attempts import right, wrong
from flask_migrate import revision, stamp, upgrade
from workbook import Workspace, expect_error
from workbook.exercises.chapter_16 import ADD_SHELF, MODELS, UNIQUE_NAMES

ADD = "migrations/versions/0002_add_shelf.py"
NAMES = "migrations/versions/0002_unique_names.py"
UP, DOWN = ADD_SHELF.split("\n\n\n")
BLOCK = "    with op.get_context().autocommit_block():\n"
LIMIT = """    op.execute("SET LOCAL lock_timeout = '100ms'")\n"""
COLUMN = """    op.add_column("products", sa.Column("shelf", sa.String(1)), if_not_exists=True)\n"""
FILL = """        op.execute("UPDATE products SET shelf = left(name, 1) WHERE shelf IS NULL")\n"""
DROP = '        op.drop_index("ix_products_shelf", if_exists=True, postgresql_concurrently=True)\n'
INDEX = """        op.create_index(
            "ix_products_shelf", "products", ["shelf"], postgresql_concurrently=True
        )
"""
GOOD = f"def upgrade():\n{LIMIT}{COLUMN}{BLOCK}{FILL}{DROP}{INDEX}"
WAITS = "the migration waits for its lock longer than 200 ms"
FILLS = "The rows get their shelves while the lock of add_column is held: nobody can read."
BUILDS = "Nobody can write to the table while its index is built."
AGAIN = "Run again after it has failed at its end: "
HELD = (
    "While somebody reads the products for long, dropping the invalid index holds all visitors up."
)

CREATE = UNIQUE_NAMES.split("\n\n\n")[0].split("\n", 2)[2]
DROP_NAMES = DROP.replace("shelf", "name")
PLAIN_DROP = '        op.execute("DROP INDEX IF EXISTS ix_products_{}")\n'
ENGINE = """    connectable = get_engine()
"""
IMPATIENT = """    options = {"options": "-c lock_timeout=200ms"}
    connectable = sa.create_engine(get_engine().url, connect_args=options, poolclass=sa.NullPool)
"""


def deploy(shop: Workspace, script: str) -> None:
    shop.edit(ADD, UP, script.rstrip())
    upgrade()


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def rename() -> None:
    run_by_hand("UPDATE products SET name = 'Green Apple' WHERE id = 4")


# --- 16.1 ---


@wrong("16.1", WAITS)
def test_run_as_it_is(shop: Workspace) -> None:
    upgrade()


@wrong("16.1", 'has no column "shelf". (The database is at 0001, and 0002 was not run.)')
def test_not_run(shop: Workspace) -> None:
    shop.edit(ADD, UP, GOOD.rstrip())


@wrong("16.1", FILLS)
def test_only_a_limit(shop: Workspace) -> None:
    deploy(shop, UP.replace("def upgrade():\n", f"def upgrade():\n{LIMIT}"))


@wrong("16.1", WAITS)
def test_no_limit(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(LIMIT, ""))


@wrong("16.1", WAITS)
def test_a_long_limit(shop: Workspace) -> None:
    deploy(shop, GOOD.replace("100ms", "10s"))


@wrong("16.1", WAITS)
def test_a_limit_that_ends_before_the_column(shop: Workspace) -> None:
    """LOCAL until the transaction ends: in the block each statement is its own."""
    deploy(shop, f"def upgrade():\n{BLOCK}    {LIMIT}    {COLUMN}{FILL}{DROP}{INDEX}")


@wrong("16.1", FILLS)
def test_filled_before_the_block(shop: Workspace) -> None:
    deploy(shop, f"def upgrade():\n{LIMIT}{COLUMN}{FILL[4:]}{BLOCK}{DROP}{INDEX}")


@wrong("16.1", FILLS)
def test_a_column_that_fills_itself(shop: Workspace) -> None:
    """The table is written anew, under the lock."""
    computed = 'sa.String(1), sa.Computed("left(name, 1)", persisted=True)'
    script = f"def upgrade():\n{LIMIT}{COLUMN}{BLOCK}{DROP}{INDEX}"
    deploy(shop, script.replace("sa.String(1)", computed))


@wrong("16.1", BUILDS)
def test_a_plain_index_in_the_block(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(INDEX, INDEX.replace(", postgresql_concurrently=True", "")))


@wrong("16.1", AGAIN)
def test_a_column_that_is_there_already(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(", if_not_exists=True", ""))


@wrong("16.1", AGAIN + 'upgrade(revision="heads") fails: ProgrammingError: relation "ix_products')
def test_an_index_that_is_there_already(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(DROP, ""))


@wrong("16.1", "is there, but it is not valid")
def test_an_invalid_index_skipped(shop: Workspace) -> None:
    skipped = INDEX.replace("rrently=True", "rrently=True, if_not_exists=True")
    deploy(shop, GOOD.replace(DROP + INDEX, skipped))


@wrong("16.1", AGAIN + HELD)
def test_an_invalid_index_dropped_behind_a_reader(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(DROP, PLAIN_DROP.format("shelf")))


@wrong("16.1", "After the upgrade, the app's connection still has the limit: SET LOCAL, or RESET.")
def test_a_limit_that_stays(shop: Workspace) -> None:
    deploy(shop, GOOD.replace("SET LOCAL", "SET"))


@wrong("16.1", 'After a downgrade to 0001 and upgrade: The table products has no column "shelf".')
def test_by_hand_with_a_way_back(shop: Workspace) -> None:
    run_by_hand(
        "ALTER TABLE products ADD shelf varchar(1)",
        "UPDATE products SET shelf = left(name, 1)",
        "CREATE INDEX ix_products_shelf ON products (shelf)",
    )
    shop.edit(ADD, DOWN, DOWN.replace('shelf")', 'shelf", if_exists=True)'))
    deploy(shop, "def upgrade():\n    pass")


@wrong("16.1", "After a downgrade to 0001 and upgrade: Product 1, Apple, has not its first letter")
def test_filled_by_hand(shop: Workspace) -> None:
    deploy(shop, GOOD.replace(FILL, ""))
    run_by_hand("UPDATE products SET shelf = left(name, 1)")


@wrong("16.1", "After a downgrade to 0001 and upgrade: Product 12010, Fruit 12010, has not")
def test_only_the_first_range(shop: Workspace) -> None:
    deploy(shop, GOOD.replace("WHERE", "WHERE id <= 12000 AND"))


@wrong("16.1", 'After a downgrade to 0001: The table products still has a column "shelf"')
def test_by_hand_and_stamped(shop: Workspace) -> None:
    shop.edit(ADD, UP, "def upgrade():\n    pass")
    shop.edit(ADD, DOWN, "def downgrade():\n    pass\n")
    run_by_hand(
        "ALTER TABLE products ADD shelf varchar(1)",
        "UPDATE products SET shelf = left(name, 1)",
        "CREATE INDEX ix_products_shelf ON products (shelf)",
    )
    stamp()


@wrong("16.1", "The table has no valid index on shelf.")
def test_no_index_at_all(shop: Workspace) -> None:
    deploy(shop, f"def upgrade():\n{LIMIT}{COLUMN}{BLOCK}{FILL}")
    shop.edit(MODELS, ", index=True", "")


@wrong("16.1", FILLS)
def test_two_scripts_in_one_transaction(shop: Workspace) -> None:
    in_three_scripts(shop, FILL[4:])


@wrong("16.1", "has lost a row that it had: 1, Apple")
def test_the_rows_deleted(shop: Workspace) -> None:
    run_by_hand("DELETE FROM products")
    deploy(shop, GOOD)


@right("16.1")
def test_in_ranges(shop: Workspace) -> None:
    ranges = """        count = sa.text("SELECT coalesce(max(id), 0) FROM products")
        last = op.get_bind().scalar(count)
        for first in range(1, last + 1, 5000):
            op.execute(f'''
                UPDATE products SET shelf = left(name, 1)
                WHERE id BETWEEN {first} AND {first + 4999} AND shelf IS NULL
            ''')
"""
    deploy(shop, GOOD.replace(FILL, ranges))


@right("16.1")
def test_three_scripts(shop: Workspace) -> None:
    in_three_scripts(shop, BLOCK + FILL)


def in_three_scripts(shop: Workspace, fill: str) -> None:
    shop.edit(ADD, UP, f"def upgrade():\n{LIMIT}{COLUMN}".rstrip())
    shop.edit(ADD, DOWN, 'def downgrade():\n    op.drop_column("products", "shelf")\n')
    add_script(shop, "0003", fill, "    pass\n")
    add_script(shop, "0004", BLOCK + DROP + INDEX, '    op.drop_index("ix_products_shelf")\n')
    upgrade()


def add_script(shop: Workspace, number: str, up: str, down: str) -> None:
    revision(message="more", rev_id=number)
    file = f"migrations/versions/{number}_more.py"
    shop.edit(file, "def upgrade():\n    pass\n", f"def upgrade():\n{up}")
    shop.edit(file, "def downgrade():\n    pass\n", f"def downgrade():\n{down}")


@right("16.1")
def test_a_limit_for_the_session_and_plain_sql(shop: Workspace) -> None:
    deploy(
        shop,
        f"""def upgrade():
{BLOCK}        op.execute("SET lock_timeout = '200ms'")
        op.execute("ALTER TABLE products ADD COLUMN IF NOT EXISTS shelf varchar(1)")
        op.execute("SET lock_timeout = 0")
        op.execute("UPDATE products SET shelf = left(name, 1)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_products_shelf")
        op.execute("create index concurrently ix_products_shelf on products (shelf)")
""",
    )


@right("16.1")
def test_no_limit_for_the_index_as_in_the_chapter(shop: Workspace) -> None:
    index = "".join(f"    {line}\n" for line in (DROP + INDEX).splitlines())
    no_limit = f"""        op.execute("SET lock_timeout = 0")
        try:
{index}        finally:
            op.execute("RESET lock_timeout")
"""
    deploy(shop, GOOD.replace(DROP + INDEX, no_limit))


@right("16.1")
def test_an_invalid_index_built_anew_where_it_is(shop: Workspace) -> None:
    skipped = INDEX.replace("rrently=True", "rrently=True, if_not_exists=True")
    again = '        op.execute("REINDEX INDEX CONCURRENTLY ix_products_shelf")\n'
    deploy(shop, GOOD.replace(DROP + INDEX, skipped + again))


@right("16.1")
def test_a_plain_drop_under_the_limit(shop: Workspace) -> None:
    drop = PLAIN_DROP.format("shelf")[4:]
    deploy(shop, GOOD.replace(DROP, "").replace(COLUMN, drop + COLUMN))


@right("16.1")
def test_a_limit_for_all_migrations(shop: Workspace) -> None:
    shop.edit("migrations/env.py", ENGINE, IMPATIENT)
    shop.edit("migrations/env.py", "import logging\n", "import logging\nimport sqlalchemy as sa\n")
    deploy(shop, GOOD.replace(LIMIT, ""))


@right("16.1")
def test_a_script_that_tries_again_by_itself(shop: Workspace) -> None:
    tries = f"""    import time
{BLOCK}        op.execute("SET lock_timeout = '50ms'")
        for _ in range(60):
            try:
            {COLUMN}                break
            except sa.exc.OperationalError:
                time.sleep(0.1)
        op.execute("SET lock_timeout = 0")
"""
    deploy(shop, f"def upgrade():\n{tries}{FILL}{DROP}{INDEX}")


# --- 16.2 ---


def repair(shop: Workspace, block: str) -> None:
    shop.edit(NAMES, CREATE, block.rstrip())
    upgrade()


@wrong("16.2", "Product 4 should be called Green Apple; it is called Apple.")
def test_an_invalid_index_passed_over(shop: Workspace) -> None:
    repair(shop, CREATE.replace("unique=True", "unique=True, if_not_exists=True"))


@wrong("16.2", "The table has no valid unique index on name.")
def test_renamed_and_passed_over(shop: Workspace) -> None:
    """In the database the index is there, and not valid: pg_dump leaves it out."""
    rename()
    repair(shop, CREATE.replace("unique=True", "unique=True, if_not_exists=True"))


@wrong("16.2", "The table has no valid unique index on name. (The database is at 0001, and 0002")
def test_only_renamed(shop: Workspace) -> None:
    rename()
    with expect_error("ProgrammingError"):
        upgrade()


@wrong("16.2", "The table has no valid unique index on name.")
def test_renamed_and_stamped(shop: Workspace) -> None:
    rename()
    stamp()


@wrong("16.2", "Another database, where it has failed before: upgrade(")
def test_the_index_dropped_by_hand(shop: Workspace) -> None:
    rename()
    run_by_hand("DROP INDEX ix_products_name")
    upgrade()


@wrong("16.2", "Another database, where it has failed before: " + BUILDS)
def test_not_concurrently_any_more(shop: Workspace) -> None:
    rename()
    plain = CREATE.replace(", postgresql_concurrently=True", "")
    repair(shop, DROP_NAMES + plain)


@wrong("16.2", "Another database, where it has failed before: " + HELD)
def test_dropped_behind_a_reader(shop: Workspace) -> None:
    rename()
    repair(shop, PLAIN_DROP.format("name") + CREATE)


@wrong("16.2", "Another database, where it has failed before: " + HELD)
def test_dropped_before_the_block(shop: Workspace) -> None:
    rename()
    shop.edit(NAMES, BLOCK, PLAIN_DROP.format("name")[4:] + BLOCK)
    upgrade()


@wrong("16.2", "Another database, where it has failed before: " + BUILDS)
def test_a_constraint_in_its_place(shop: Workspace) -> None:
    rename()
    shop.edit(MODELS, "index=True, unique=True", "unique=True")
    shop.edit(NAMES, '    op.drop_index("ix_products_name")', "    " + drop_constraint())
    repair(
        shop,
        DROP_NAMES
        + '        op.create_unique_constraint("uq_products_name", "products", ["name"])',
    )


def drop_constraint() -> str:
    return 'op.drop_constraint("uq_products_name", "products")'


@wrong("16.2", "Product 4, Green Apple, is gone.")
def test_the_second_apple_deleted(shop: Workspace) -> None:
    run_by_hand("DELETE FROM products WHERE id = 4")
    repair(shop, DROP_NAMES + CREATE)


@wrong("16.2", "Product 4 should be called Durian; it is called Green Apple.")
def test_renamed_in_all_databases(shop: Workspace) -> None:
    update = "        op.execute(\"UPDATE products SET name = 'Green Apple' WHERE id = 4\")\n"
    repair(shop, update + DROP_NAMES + CREATE)


@wrong("16.2", "The table has no valid unique index on name.")
def test_not_unique_any_more(shop: Workspace) -> None:
    rename()
    shop.edit(MODELS, ", unique=True", "")
    repair(shop, DROP_NAMES + CREATE.replace("unique=True, ", ""))


@wrong("16.2", "After a downgrade to 0001: The index is still there.")
def test_the_way_back_emptied(shop: Workspace) -> None:
    rename()
    shop.edit(NAMES, '    op.drop_index("ix_products_name")', "    pass")
    repair(shop, DROP_NAMES + CREATE)


@wrong("16.2", "The index ix_products_name is there, but it is not valid")
def test_another_name_for_a_new_index(shop: Workspace) -> None:
    rename()
    shop.edit(NAMES, 'drop_index("ix_products_name")', 'drop_index("ix_names")')
    repair(shop, CREATE.replace("ix_products_name", "ix_names"))
    shop.edit(MODELS, "String(50), index=True, unique=True", "String(50)")
    line = '    __table_args__ = (db.Index("ix_names", "name", unique=True),)\n'
    shop.edit(MODELS, '__tablename__ = "products"\n', '__tablename__ = "products"\n' + line)


@right("16.2")
def test_dropped_before_the_block_with_a_limit(shop: Workspace) -> None:
    rename()
    shop.edit(NAMES, BLOCK, LIMIT + PLAIN_DROP.format("name")[4:] + BLOCK)
    upgrade()


@right("16.2")
def test_renamed_in_the_script(shop: Workspace) -> None:
    update = "UPDATE products SET name = 'Green Apple' WHERE id = 4 AND name = 'Apple'"
    repair(shop, f'        op.execute("{update}")\n' + DROP_NAMES + CREATE)


@right("16.2")
def test_built_anew_where_it_is(shop: Workspace) -> None:
    rename()
    again = '        op.execute("REINDEX INDEX CONCURRENTLY ix_products_name")\n'
    repair(shop, CREATE.replace("unique=True", "unique=True, if_not_exists=True") + "\n" + again)


@right("16.2")
def test_a_way_down_that_does_not_wait_either(shop: Workspace) -> None:
    rename()
    shop.edit(NAMES, '    op.drop_index("ix_products_name")', BLOCK + DROP_NAMES.rstrip())
    repair(shop, DROP_NAMES + CREATE)
