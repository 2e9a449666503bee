"""Answers to the exercises of chapter 15, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from workbook import Workspace, expect_error
from workbook.exercises.chapter_15 import CALL, CONNECTED, ENV, MODELS

SHELVES = "migrations/versions/0002_shelves.py"
SUPPLIERS = "migrations/versions/0002_suppliers.py"
INDEX = "migrations/versions/0003_index_names.py"
DATABASE = "flask_app/database.py"
SLIP, MENDED = '["shelve"]', '["shelf"]'
STEP_4 = (
    '    op.create_index(op.f("ix_products_shelf"), "products", ["shelve"], unique=False)  # 4\n'
)
UNDO = ("DROP TABLE shelves", "ALTER TABLE products DROP COLUMN shelf")
FRESH = "UPDATE products SET name = name || ', fresh'"
MAKE_INDEX = "CREATE INDEX ix_products_shelf ON products (shelf)"
UP, DOWN = "def upgrade():\n", "\n\ndef downgrade"

BEGUN = "        with context.begin_transaction():\n"
RUN = "            context.run_migrations()\n\n\nif"
NEVER_MOVES = "On another database: upgrade() says no error. The database is at base, not at 0001."
FAILING = "On another database: When a script after 0003 fails, "
LATE = f"{FAILING}the database still says 0001, though 0002 and 0003 ran, and suppliers is"
NOT_TAKEN_BACK = f"{FAILING}what it had written to the rows is not taken back."
LOST = ", and the products are lost: a downgrade undoes 0001, which drops them. Start anew with"
WITH_LEFTOVER = "With a table _alembic_tmp_suppliers, "
CURE = """, say_unreachable)
        event.listen(db.engine, "connect", leave_it_to_us)
        event.listen(db.engine, "begin", begin)


def leave_it_to_us(connection, record):
    connection.isolation_level = None


def begin(connection):
    connection.exec_driver_sql("BEGIN")

"""


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def move_call(shop: Workspace) -> None:
    """The refusal where it belongs."""
    shop.edit(ENV, CALL, "")
    shop.edit(ENV, BEGUN, f"{BEGUN}    {CALL}")


def try_to_run(shop: Workspace, clause: str) -> None:
    """The migrations within a ``try`` with this clause."""
    text = Path(ENV).read_text("utf-8")
    start, _, end = text.rpartition(BEGUN)
    body, _, rest = end.partition("\n\n\nif")
    tried = "".join(f"    {line}\n" for line in (BEGUN + body).splitlines())
    Path(ENV).write_text(f"{start}        try:\n{tried}        {clause}\n\n\nif{rest}", "utf-8")


def forward() -> None:
    """The way out that loses no suppliers."""
    stamp(revision="0002")
    upgrade()


# --- 15.1 ---


@wrong("15.1", 'Product 1 should be called "Apple, fresh"; it is called "Apple".')
def test_only_the_script_mended(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)


@wrong("15.1", 'Product 1 should be called "Apple, fresh"; it is called "Apple".')
def test_mended_and_run_again(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    with expect_error("OperationalError"):
        upgrade()


@wrong("15.1", 'Product 1 should be called "Apple, fresh"; it is called "Apple".')
def test_only_the_table_dropped(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(UNDO[0])
    with expect_error("OperationalError"):
        upgrade()


@wrong("15.1", 'The database has no table "shelves". (The database is at 0001, and 0002 was not')
def test_undone_and_not_run(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(*UNDO)


@wrong("15.1", 'Product 1 should be called "Apple, fresh"; it is called "Apple".')
def test_only_stamped(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    stamp()


@wrong("15.1", "The column shelf has no index.")
def test_forward_without_the_index(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(FRESH)
    stamp()


@wrong("15.1", "The database is at 0001, not at 0002.")
def test_forward_and_not_stamped(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(FRESH, MAKE_INDEX)


@wrong("15.1", 'should be called "Apple, fresh"; it is called "Apple, fresh, fresh".')
def test_both_ways_at_once(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(FRESH, *UNDO)
    upgrade()


@wrong("15.1", "On an empty database: upgrade")
def test_forward_and_the_slip_stays(shop: Workspace) -> None:
    run_by_hand(FRESH, MAKE_INDEX)
    stamp()


@wrong("15.1", "On an empty database: Models and database do not agree: migrate() would write add")
def test_step_4_taken_out_of_the_script(shop: Workspace) -> None:
    shop.edit(SHELVES, STEP_4, "")
    run_by_hand(FRESH, MAKE_INDEX)
    stamp()


@wrong("15.1", "The column shelf has no index.")
def test_step_4_taken_out_everywhere(shop: Workspace) -> None:
    shop.edit(SHELVES, STEP_4, "")
    shop.edit(MODELS, ", index=True", "")
    shop.restart()
    run_by_hand(*UNDO)
    upgrade()


@wrong(
    "15.1", 'On another database: Product 1 should be called "Leek, fresh"; it is called "Leek".'
)
def test_the_names_by_hand_and_out_of_the_script(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    shop.edit(SHELVES, "    op.execute(products.", "    (products.")
    run_by_hand(*UNDO)
    upgrade()
    run_by_hand(FRESH)


@wrong("15.1", "On an empty database: upgrade")
def test_the_steps_done_cut_out_of_the_script(shop: Workspace) -> None:
    text = Path(SHELVES).read_text("utf-8").replace(SLIP, MENDED)
    start, end = text.index("    op.create_table"), text.index("    op.execute(products")
    Path(SHELVES).write_text(text[:start] + text[end:], "utf-8")
    upgrade()


@wrong("15.1", f'The database is at base{LOST} `exercise("15.1")`.')
def test_downgraded(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    downgrade()


@wrong("15.1", f"The database is at 0001{LOST}")
def test_downgraded_and_upgraded(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    downgrade()
    with expect_error("OperationalError"):
        upgrade()


@wrong("15.1", "The table products has lost a row that it had: 3.")
def test_a_product_deleted(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand("DELETE FROM products WHERE id = 3", *UNDO)
    upgrade()


@wrong("15.1", f"The database is at 0002{LOST}")
def test_downgraded_to_base(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    downgrade(revision="base")
    run_by_hand(UNDO[0])
    upgrade()


@right("15.1")
def test_forward(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    run_by_hand(FRESH, MAKE_INDEX)
    stamp()


@right("15.1")
def test_a_script_that_runs_over_the_half(shop: Workspace) -> None:
    shop.edit(SHELVES, SLIP, MENDED)
    shop.edit(SHELVES, '_shelves")),\n', '_shelves")),\n        if_not_exists=True,\n')
    shop.edit(SHELVES, "    op.add_column", "    if 'shelf' not in there():\n        op.add_column")
    there = """def there():
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns("products")}


"""
    shop.edit(SHELVES, UP, there + UP)
    upgrade()


@right("15.1")
def test_step_4_in_a_script_of_its_own(shop: Workspace) -> None:
    shop.edit(SHELVES, STEP_4, "")
    shop.edit(SHELVES, '    op.drop_index(op.f("ix_products_shelf"), table_name="products")\n', "")
    run_by_hand(*UNDO)
    upgrade()
    migrate(message="index shelf")
    upgrade()


# --- 15.2 ---


@wrong("15.2", NEVER_MOVES)
def test_upgraded_again(shop: Workspace) -> None:
    run_by_hand("INSERT INTO products (name) VALUES ('Cherry')")
    with expect_error("OperationalError"):
        upgrade()


@wrong("15.2", NEVER_MOVES)
def test_the_version_by_hand(shop: Workspace) -> None:
    run_by_hand(
        "UPDATE alembic_version SET version_num = '0003'",
        "CREATE INDEX ix_products_name ON products (name)",
    )


@wrong("15.2", NEVER_MOVES)
def test_told_that_sqlite_is_transactional(shop: Workspace) -> None:
    shop.edit(
        "flask_app/__init__.py", "Migrate(app, db)", "Migrate(app, db, transactional_ddl=True)"
    )


@wrong("15.2", f"{WITH_LEFTOVER}downgrade() goes through: env.py must refuse.")
def test_the_refusal_taken_out(shop: Workspace) -> None:
    shop.edit(ENV, CALL, "")
    forward()


@wrong("15.2", f"{WITH_LEFTOVER}downgrade() goes through: env.py must refuse.")
def test_the_refusal_in_a_script(shop: Workspace) -> None:
    shop.edit(ENV, CALL, "")
    left = "sa.inspect(op.get_bind()).get_table_names()"
    refuse = f"    if any(name.startswith('_alembic_tmp') for name in {left}):\n"
    shop.edit(INDEX, UP, f"{UP}{refuse}        raise RuntimeError('A leftover.')\n")
    forward()


@wrong("15.2", f"{WITH_LEFTOVER}downgrade() refuses, but only when it has changed something.")
def test_the_refusal_after_the_migrations(shop: Workspace) -> None:
    shop.edit(ENV, CALL, "")
    shop.edit(ENV, RUN, RUN.replace("\n\n\nif", f"\n    {CALL}\n\nif"))
    forward()


@wrong("15.2", f"{WITH_LEFTOVER}downgrade() fails, but by mistake: NameError")
def test_the_refusal_stops_by_mistake(shop: Workspace) -> None:
    move_call(shop)
    shop.edit(ENV, "raise RuntimeError(", "raise Leftover(")
    forward()


@wrong("15.2", LATE)
def test_a_commit_at_the_end(shop: Workspace) -> None:
    shop.edit(ENV, RUN, RUN.replace("\n\n\nif", "\n        connection.commit()\n\n\nif"))
    forward()


@wrong("15.2", LATE)
def test_one_begin_around_all(shop: Workspace) -> None:
    shop.edit(ENV, "connectable.connect()", "connectable.begin()")
    forward()


@wrong("15.2", NOT_TAKEN_BACK)
def test_a_commit_whatever_happens(shop: Workspace) -> None:
    try_to_run(shop, "finally:\n            connection.commit()")
    forward()


@wrong("15.2", f"{FAILING}upgrade() says no error.")
def test_errors_swallowed(shop: Workspace) -> None:
    move_call(shop)
    failed = "except ValueError:\n            connection.rollback()"
    try_to_run(shop, failed)
    forward()


@wrong("15.2", NOT_TAKEN_BACK)
def test_no_transactions_at_all(shop: Workspace) -> None:
    line = 'connection.execution_options(isolation_level="AUTOCOMMIT")'
    shop.edit(ENV, CONNECTED, f"{CONNECTED}        {line}\n")
    forward()


@wrong("15.2", "The database is at 0001, not at 0003.")
def test_only_env_py_mended(shop: Workspace) -> None:
    move_call(shop)


@wrong("15.2", "The table suppliers has lost a row that it had: 1, Orchard.")
def test_the_suppliers_dropped(shop: Workspace) -> None:
    move_call(shop)
    run_by_hand("DROP TABLE suppliers")
    upgrade()


@wrong("15.2", "The database is at 0001, not at 0003.")
def test_stamped_before_env_py_was_mended(shop: Workspace) -> None:
    stamp(revision="0002")
    move_call(shop)
    with expect_error("OperationalError"):
        upgrade()


@wrong("15.2", "Models and database do not agree: migrate() would write add_index ix_products_name")
def test_stamped_as_head(shop: Workspace) -> None:
    move_call(shop)
    stamp()


@wrong(
    "15.2", "On another database: Models and database do not agree: migrate() would write add_table"
)
def test_0002_emptied(shop: Workspace) -> None:
    move_call(shop)
    text = Path(SUPPLIERS).read_text("utf-8")
    body = f"{UP}    pass{DOWN}():\n    pass\n"
    Path(SUPPLIERS).write_text(text[: text.index(UP)] + body, "utf-8")
    upgrade()


@wrong("15.2", f'The database is at 0001{LOST} `exercise("15.2")`.')
def test_downgraded_before_env_py_was_mended(shop: Workspace) -> None:
    downgrade()


@wrong("15.2", f"The database is at base{LOST}")
def test_downgraded_with_env_py_mended(shop: Workspace) -> None:
    move_call(shop)
    downgrade()


@wrong("15.2", 'The database has no table "suppliers".')
def test_dropped_and_not_upgraded(shop: Workspace) -> None:
    move_call(shop)
    run_by_hand("DROP TABLE suppliers")


@right("15.2")
def test_a_rollback_before_configure(shop: Workspace) -> None:
    shop.edit(ENV, CALL, f"{CALL}        connection.rollback()\n")
    forward()


@right("15.2")
def test_a_commit_before_configure(shop: Workspace) -> None:
    shop.edit(ENV, CALL, f"{CALL}        connection.commit()\n")
    forward()


@right("15.2")
def test_a_script_more(shop: Workspace) -> None:
    move_call(shop)
    forward()
    revision(message="later", rev_id="0004")
    upgrade()


@right("15.2")
def test_a_connection_of_its_own(shop: Workspace) -> None:
    shop.edit(ENV, CALL, "")
    look = CONNECTED.replace("as connection", "as look") + CALL.replace("connection", "look")
    shop.edit(ENV, CONNECTED, look + CONNECTED)
    forward()


@right("15.2")
def test_all_or_nothing_with_the_cure(shop: Workspace) -> None:
    shop.edit(DATABASE, ", say_unreachable)\n\n", CURE)
    shop.edit(ENV, "connectable.connect()", "connectable.begin()")
    shop.restart()
    forward()


@right("15.2")
def test_the_suppliers_put_back(shop: Workspace) -> None:
    move_call(shop)
    run_by_hand("ALTER TABLE suppliers RENAME TO aside")
    upgrade()
    run_by_hand("INSERT INTO suppliers SELECT * FROM aside", "DROP TABLE aside")
