"""Answers to the exercises of chapter 6, wrong and right."""

from collections.abc import Callable
from pathlib import Path

from attempts import right, wrong
from flask_migrate import migrate, revision, stamp, upgrade
from test_chapter_05 import fill, on_scratch, price_into_first_script
from workbook import Workspace
from workbook.exercises.chapter_05 import PRICE, STOCK, by_hand
from workbook.exercises.chapter_06 import READY
from workbook.exercises.definition import MODELS, NAME

VERSIONS = Path("migrations/versions")
ADD_PRICE = "op.add_column('products', sa.Column('price', sa.Integer()))"
DROP_PRICE = "op.drop_column('products', 'price')"
LOST = "9f3b00c1d2e4"


# --- 6.1 ---


@wrong("6.1", 'has no column "stock"')
def test_only_the_waiting_script(shop: Workspace) -> None:
    upgrade()


@wrong("6.1", 'has no column "stock"')
def test_the_second_upgrade_forgotten(shop: Workspace) -> None:
    upgrade()
    migrate(message="add stock", rev_id="0003")


@wrong("6.1", "On another database that is at 0001: Models and database do not agree")
def test_columns_by_hand(shop: Workspace) -> None:
    by_hand("ALTER TABLE products ADD COLUMN price INTEGER")
    by_hand("ALTER TABLE products ADD COLUMN stock INTEGER")
    stamp()


@wrong("6.1", 'has no column "stock"')
def test_the_stock_given_up(shop: Workspace) -> None:
    shop.edit(MODELS, STOCK, "")
    upgrade()


@wrong("6.1", 'has no column "price"')
def test_stamped_to_quieten_migrate(shop: Workspace) -> None:
    stamp()


@wrong(
    "6.1",
    "On another database that is at 0001: Nothing is there but what scripts have made: upgrade",
)
def test_stamped_and_generated(shop: Workspace) -> None:
    stamp()
    migrate(message="both", rev_id="0003")
    upgrade()


@wrong("6.1", "On another database that is at 0001: downgrade")
def test_a_stock_that_cannot_go_back(shop: Workspace) -> None:
    upgrade()
    revision(message="s", rev_id="0003")
    add = "op.add_column('products', sa.Column('stock', sa.Integer()))"
    fill(shop, "migrations/versions/0003_s.py", add, "op.drop_column('products', 'stick')")
    upgrade()


@wrong("6.1", "The database is at 0002, not at 0003.")
def test_stock_by_hand_without_stamp(shop: Workspace) -> None:
    upgrade()
    by_hand("ALTER TABLE products ADD COLUMN stock INTEGER")
    on_scratch(shop, "add stock", "0003")


@wrong("6.1", "Models and database do not agree: migrate() would write modify_type")
def test_columns_of_another_type(shop: Workspace) -> None:
    for column in ("price", "stock"):
        by_hand(f"ALTER TABLE products ADD COLUMN {column} VARCHAR(10)")
    on_scratch(shop, "add stock", "0003")
    stamp()


@wrong("6.1", "The history has 2 heads, ")
def test_a_second_script_that_follows_the_first(shop: Workspace) -> None:
    upgrade()
    migrate(message="s", rev_id="0003")
    upgrade()
    shop.edit("migrations/versions/0003_s.py", "down_revision = '0002'", "down_revision = '0001'")


@wrong("6.1", 'On an empty database: upgrade(revision="heads") fails: OperationalError: duplicate')
def test_the_price_in_two_scripts(shop: Workspace) -> None:
    upgrade()
    migrate(message="add stock", rev_id="0003")
    upgrade()
    price_into_first_script(shop)


@wrong("6.1", "has lost a row")
def test_the_database_made_anew(shop: Workspace) -> None:
    by_hand("DELETE FROM products")
    upgrade()
    migrate(message="add stock", rev_id="0003")
    upgrade()


@right("6.1")
def test_the_waiting_script_thrown_away(shop: Workspace) -> None:
    next(VERSIONS.glob("0002*.py")).unlink()
    migrate(message="both at once")
    upgrade()


@right("6.1")
def test_the_waiting_script_extended(shop: Workspace) -> None:
    script = "migrations/versions/0002_add_price.py"
    end = "    # ### end Alembic commands ###\n\n\ndef downgrade():"
    add = "    op.add_column('products', sa.Column('stock', sa.Integer()))\n"
    shop.edit(script, end, add + end + "\n    op.drop_column('products', 'stock')")
    upgrade()


# --- 6.2 ---

HEADS = """\
    extension = current_app.extensions["migrate"]
    config = extension.migrate.get_config()
    heads = ScriptDirectory.from_config(config).get_heads()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=extension.configure_args)
        current = context.get_current_heads()
        changes = compare_metadata(context, db.metadata)
"""


def write(body: str, top: str = "") -> Callable[[Workspace], None]:
    """An attempt that puts these lines into is_ready()."""

    def attempt(shop: Workspace) -> None:
        answer = top + READY.replace("    ready = False\n    return ready\n", body)
        Path("flask_app/ready.py").write_text(answer, "utf-8")

    return attempt


test_always_ready = wrong("6.2", "A script waits, and is_ready() says True.")(
    write("    return True\n")
)
test_a_list_is_no_tuple = wrong("6.2", "models agree, and is_ready() says False.")(
    write(HEADS + "    return heads == current and not changes\n")
)
test_no_answer = wrong("6.2", "models agree, and is_ready() says None.")(
    write(HEADS + "    print(set(heads) == set(current) and not changes)\n")
)
test_revisions_only = wrong("6.2", "a column that the table lacks, and is_ready() says True.")(
    write(HEADS + "    return set(heads) == set(current)\n")
)
test_the_settings_ignored = wrong(
    "6.2", "The model has a default that the table lacks, and is_ready() says True."
)(
    write(
        HEADS.replace(", opts=extension.configure_args", "")
        + "    return set(heads) == set(current) and not changes\n"
    )
)
test_tables_only = wrong("6.2", "A script waits, and is_ready() says True.")(
    write(HEADS + "    return not changes\n")
)
test_upgrading_is_not_asking = wrong("6.2", "A script waits, and is_ready() says True.")(
    write("    upgrade()\n    return True\n", "from flask_migrate import upgrade\n")
)
test_the_first_is_missing = wrong("6.2", "The database is empty, and is_ready() fails: IndexError")(
    write(HEADS + "    return heads[0] == [*current][0] and not changes\n")
)
test_no_such_name = wrong("6.2", "models agree, and is_ready() fails: NameError")(
    write("    return ready_or_not\n")
)
test_a_constant_revision = wrong("6.2", "A script waits, and is_ready() says True.")(
    write(HEADS + '    return current == ("0001",) and not changes\n')
)


@wrong("6.2", "models agree, and is_ready() fails: AttributeError")
def test_no_function(shop: Workspace) -> None:
    Path("flask_app/ready.py").write_text("", "utf-8")


@wrong("6.2", "The database is at base, not at 0001.")
def test_the_state_spoilt_meanwhile(shop: Workspace) -> None:
    write(HEADS + "    return set(heads) == set(current) and not changes\n")(shop)
    stamp(revision="base")


@wrong("6.2", "Models and database do not agree: migrate() would write add_column products.price")
def test_the_model_changed_meanwhile(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + PRICE)


test_by_flask_migrates_own_check = right("6.2")(
    write(
        "    try:\n        check()\n    except SystemExit:\n        return False\n"
        "    return True\n",
        "from flask_migrate import check\n",
    )
)
test_step_by_step = right("6.2")(
    write(
        HEADS
        + "    if sorted(heads) != sorted(current):\n        return False\n"
        + "    return changes == []\n"
    )
)


# --- 6.3 ---


@wrong("6.3", "On another database that is at 0001: Models and database do not agree")
def test_only_stamped(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)


@wrong("6.3", f"The database is at {LOST}, not at 0002.")
def test_the_script_without_the_stamp(shop: Workspace) -> None:
    on_scratch(shop, "add price", "0002")


@wrong("6.3", "has lost a row that it had: 1, Apple, 80.")
def test_the_column_dropped_and_made_again(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)
    by_hand("ALTER TABLE products DROP COLUMN price")
    migrate(message="add price", rev_id="0002")
    upgrade()


@wrong("6.3", 'has no column "price"')
def test_the_column_dropped_like_the_chapter_does(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)
    by_hand("ALTER TABLE products DROP COLUMN price")
    shop.edit(MODELS, PRICE, "")


@wrong("6.3", "Models and database do not agree: migrate() would write remove_column")
def test_the_model_made_to_fit(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)
    shop.edit(MODELS, PRICE, "")


@wrong("6.3", "On another database that is at 0001: Models and database do not agree")
def test_an_empty_script_of_that_id(shop: Workspace) -> None:
    revision(message="add price", rev_id=LOST)


@wrong("6.3", "On another database that is at 0001: Models and database do not agree")
def test_the_price_in_the_first_script(shop: Workspace) -> None:
    price_into_first_script(shop)
    stamp(purge=True)


@wrong("6.3", "After downgrade to 0001, the columns are not as before.")
def test_a_script_that_cannot_go_back(shop: Workspace) -> None:
    revision(message="p", rev_id=LOST)
    fill(shop, f"migrations/versions/{LOST}_p.py", ADD_PRICE, "pass")


@wrong("6.3", "The history has 2 heads, ")
def test_a_script_that_follows_none(shop: Workspace) -> None:
    on_scratch(shop, "add price", LOST)
    script = f"migrations/versions/{LOST}_add_price.py"
    shop.edit(script, "down_revision = '0001'", "down_revision = None")
    stamp(revision="heads", purge=True)


@wrong("6.3", 'On an empty database: upgrade(revision="heads") fails: OperationalError: duplicate')
def test_the_price_in_both_scripts(shop: Workspace) -> None:
    on_scratch(shop, "add price", LOST)
    price_into_first_script(shop)


@right("6.3")
def test_a_script_with_the_lost_ones_id(shop: Workspace) -> None:
    on_scratch(shop, "add price", LOST)


@right("6.3")
def test_written_by_hand(shop: Workspace) -> None:
    revision(message="p", rev_id="abc")
    fill(shop, "migrations/versions/abc_p.py", ADD_PRICE, DROP_PRICE)
    stamp(purge=True)


@right("6.3")
def test_purged_first(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)
    on_scratch(shop, "add price", "0002")
    stamp()
