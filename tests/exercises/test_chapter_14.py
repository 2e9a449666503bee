"""Answers to the exercises of chapter 14, wrong and right."""

from contextlib import suppress
from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from sqlalchemy.exc import IntegrityError
from workbook import Workspace, expect_error
from workbook.exercises.chapter_14 import (
    DATABASE,
    KEY,
    MODELS,
    NAME,
    PUBLIC,
)

APP = "flask_app/__init__.py"
TASTE = "migrations/versions/0002_add_taste.py"
ENUM = 'Enum("sweet", "sour", name="taste")'
COLUMN = f'    taste: Mapped[str] = mapped_column({ENUM}, server_default="sweet")\n'
MAY_BE_NULL = f"    taste: Mapped[str | None] = mapped_column({ENUM})\n"
UP = "def upgrade():\n"
CREATE = "    sa.Enum('sweet', 'sour', name='taste').create(op.get_bind(), checkfirst=True)\n"
DOWN = "        batch_op.drop_column('taste')\n"
DROP = "    sa.Enum(name='taste').drop(op.get_bind(), checkfirst=True)\n"
EMPTY = "    pass\n"

VERSIONS = Path("migrations/versions")
AGAIN = "migrations/versions/0003_again.py"
AND_AGAIN = "migrations/versions/0004_and_again.py"
SUPPLIERS = "migrations/versions/0002_add_suppliers.py"
OLD_INDEX, NEW_INDEX = "ix_public_products_supplier_id", "ix_products_supplier_id"
RENAME = f"ALTER INDEX {OLD_INDEX} RENAME TO {NEW_INDEX}"
LOOP = "migrate() would write remove_fk fk_products_supplier_id_suppliers"


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def add_taste(shop: Workspace, column: str = COLUMN, up: str = CREATE, down: str = DROP) -> None:
    """The model, and its script with these lines more; nobody runs it yet."""
    shop.edit(MODELS, "import String", "import Enum, String")
    shop.edit(MODELS, NAME, NAME + column)
    shop.restart()
    migrate(message="add taste", rev_id="0002")
    shop.edit(TASTE, UP, UP + up)
    shop.edit(TASTE, DOWN, DOWN + down)


# --- 14.1 ---


@wrong("14.1", 'The table products has no column "taste".')
def test_the_model_only(shop: Workspace) -> None:
    shop.edit(MODELS, "import String", "import Enum, String")
    shop.edit(MODELS, NAME, NAME + COLUMN)


@wrong("14.1", 'has no column "taste". (The database is at 0001, and 0002 was not run.)')
def test_the_script_as_it_was_written(shop: Workspace) -> None:
    add_taste(shop, up="", down="")
    with expect_error("ProgrammingError"):
        upgrade()


@wrong("14.1", "After a downgrade to 0001: A type is still there: taste.")
def test_the_type_stays(shop: Workspace) -> None:
    add_taste(shop, down="")
    upgrade()


@wrong("14.1", 'upgrade(revision="heads") fails: ProgrammingError: type "taste" does not exist')
def test_the_type_made_by_hand(shop: Workspace) -> None:
    add_taste(shop, up="")
    run_by_hand("CREATE TYPE taste AS ENUM ('sweet', 'sour')")
    upgrade()


@wrong("14.1", 'downgrade(revision="0001") fails: ')
def test_the_type_dropped_before_its_column(shop: Workspace) -> None:
    add_taste(shop, down="")
    shop.edit(TASTE, "def downgrade():\n", "def downgrade():\n" + DROP)
    upgrade()


@wrong("14.1", 'After a downgrade to 0001: The table products still has a column "taste".')
def test_no_way_back(shop: Workspace) -> None:
    add_taste(shop)
    shop.edit(TASTE, DOWN + DROP, "        pass\n")
    upgrade()


@wrong("14.1", "There is no script yet")
def test_all_scripts_deleted(shop: Workspace) -> None:
    by_hand_and_stamped(shop)
    for script in VERSIONS.glob("*.py"):
        script.unlink()


@wrong("14.1", 'After a downgrade to 0001: The table products still has a column "taste".')
def test_made_by_hand_and_stamped(shop: Workspace) -> None:
    by_hand_and_stamped(shop)


def by_hand_and_stamped(shop: Workspace) -> None:
    shop.edit(MODELS, "import String", "import Enum, String")
    shop.edit(MODELS, NAME, NAME + COLUMN)
    shop.restart()
    run_by_hand(
        "CREATE TYPE taste AS ENUM ('sweet', 'sour')",
        "ALTER TABLE products ADD taste taste DEFAULT 'sweet' NOT NULL",
    )
    revision(message="nothing", rev_id="0002")
    stamp()


@wrong("14.1", "The column taste is of the type VARCHAR(5), which is no enum.")
def test_a_text_with_a_list(shop: Workspace) -> None:
    listed = COLUMN.replace('name="taste"', 'name="taste", native_enum=False')
    add_taste(shop, listed, up="", down="")
    upgrade()


@wrong("14.1", "The enum's members should be sweet and sour; they are sweet.")
def test_a_member_forgotten(shop: Workspace) -> None:
    add_taste(shop, up=CREATE.replace(", 'sour'", ""))
    upgrade()


@wrong("14.1", "The model's taste is not an enum of sweet and sour.")
def test_a_member_forgotten_in_the_model(shop: Workspace) -> None:
    add_taste(shop)
    upgrade()
    shop.edit(MODELS, '"sweet", "sour"', '"sweet"')


@wrong("14.1", "After a downgrade to 0001, a new row and upgrade: The enum's members")
def test_a_member_added_by_hand(shop: Workspace) -> None:
    add_taste(shop, up=CREATE.replace(", 'sour'", ""))
    upgrade()
    run_by_hand("ALTER TYPE taste ADD VALUE 'sour'")


@wrong("14.1", "The column taste may be NULL: each fruit should have a taste.")
def test_the_chapters_own_way(shop: Workspace) -> None:
    add_taste(shop, MAY_BE_NULL)
    upgrade()


@wrong("14.1", 'has no column "taste". (The database is at 0001, and 0002 was not run.)')
def test_no_value_for_the_rows(shop: Workspace) -> None:
    add_taste(shop, COLUMN.replace(', server_default="sweet"', ""))
    with expect_error("IntegrityError"):
        upgrade()


@wrong("14.1", "Apple should be sweet; its taste is sour.")
def test_all_are_sour(shop: Workspace) -> None:
    add_taste(shop, COLUMN.replace('="sweet"', '="sour"'))
    upgrade()


@wrong("14.1", 'upgrade(revision="heads") fails: IntegrityError')
def test_the_old_rows_filled_by_hand(shop: Workspace) -> None:
    add_taste(shop, MAY_BE_NULL)
    upgrade()
    run_by_hand("UPDATE products SET taste = 'sweet'")
    shop.edit(MODELS, MAY_BE_NULL, COLUMN)
    shop.restart()
    migrate(message="never NULL", rev_id="0003")
    upgrade()


@wrong("14.1", 'upgrade(revision="heads") fails: IntegrityError')
def test_only_the_three_that_are_there_now(shop: Workspace) -> None:
    fill_and_close(shop, " WHERE id <= 3")


@wrong("14.1", "The table products has lost a row that it had: 1, Apple")
def test_the_fruits_deleted(shop: Workspace) -> None:
    run_by_hand("DELETE FROM products")
    add_taste(shop)
    upgrade()


@right("14.1")
def test_in_plain_sql(shop: Workspace) -> None:
    shop.edit(MODELS, "import String", "import Enum, String")
    shop.edit(MODELS, NAME, NAME + COLUMN)
    shop.restart()
    revision(message="add taste", rev_id="by_hand")
    script = "migrations/versions/by_hand_add_taste.py"
    up = [
        "    op.execute(\"CREATE TYPE taste AS ENUM ('sweet', 'sour')\")\n",
        "    op.execute(\"ALTER TABLE products ADD taste taste DEFAULT 'sweet' NOT NULL\")\n",
    ]
    shop.edit(script, UP + EMPTY, UP + "".join(up))
    down = '    op.execute("DROP TYPE taste CASCADE")\n'  # and with it the column
    shop.edit(script, "def downgrade():\n" + EMPTY, "def downgrade():\n" + down)
    upgrade()


@right("14.1")
def test_filled_and_then_closed(shop: Workspace) -> None:
    fill_and_close(shop, "")


def fill_and_close(shop: Workspace, which: str) -> None:
    """No default: the script adds the column, fills it in these rows, and forbids NULL."""
    add_taste(shop, COLUMN.replace(', server_default="sweet"', ""))
    shop.edit(TASTE, "name='taste'), nullable=False", "name='taste'), nullable=True")
    fill = f"""    op.execute("UPDATE products SET taste = 'sweet'{which}")\n"""
    close = "    op.alter_column('products', 'taste', nullable=False)\n"
    shop.edit(TASTE, "\n\ndef downgrade", fill + close + "\n\ndef downgrade")
    with suppress(IntegrityError):
        upgrade()


@right("14.1")
def test_an_enum_of_python_with_a_type_of_another_name(shop: Workspace) -> None:
    shop.edit(
        MODELS, "from sqlalchemy import String", "import enum\n\nfrom sqlalchemy import String"
    )
    members = 'class Flavour(enum.Enum):\n    sour = "Sour"\n    sweet = "Sweet"\n\n\n'
    shop.edit(MODELS, "class Product", members + "class Product")
    flavour = '    taste: Mapped[Flavour] = mapped_column(server_default="sweet")\n'
    shop.edit(MODELS, NAME, NAME + flavour)
    shop.restart()
    migrate(message="add taste", rev_id="0002")
    shop.edit(TASTE, UP, UP + CREATE.replace("'taste'", "'flavour'"))
    shop.edit(TASTE, DOWN, DOWN + DROP.replace("'taste'", "'flavour'"))
    upgrade()
    from flask_app import Product, db

    db.session.add(Product(id=4, name="Lemon", taste="sour"))
    db.session.commit()


@right("14.1")
def test_the_type_in_a_script_of_its_own(shop: Workspace) -> None:
    revision(message="make the type", rev_id="0002")
    script = "migrations/versions/0002_make_the_type.py"
    shop.edit(script, UP + EMPTY, UP + CREATE)
    shop.edit(script, "def downgrade():\n" + EMPTY, "def downgrade():\n" + DROP)
    upgrade()
    shop.edit(MODELS, "import String", "import Enum, String")
    shop.edit(MODELS, NAME, NAME + COLUMN)
    shop.restart()
    migrate(message="add taste", rev_id="0003")
    upgrade()


# --- 14.2 ---


def name_no_schema(shop: Workspace) -> None:
    shop.edit(DATABASE, PUBLIC, "")
    shop.edit(MODELS, "public.suppliers.id", "suppliers.id")
    shop.restart()


def solve(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    migrate(message="leave the loop", rev_id="0004")
    upgrade()


@wrong("14.2", LOOP)
def test_the_last_script_run(shop: Workspace) -> None:
    upgrade()


@wrong("14.2", LOOP)
def test_the_last_script_deleted(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()


@wrong("14.2", "(The database says that 0004 has run, but there is no such script here.)")
def test_the_last_script_run_and_then_deleted(shop: Workspace) -> None:
    upgrade()
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    with suppress(SystemExit):
        migrate(message="leave the loop")


@wrong("14.2", LOOP)
def test_all_schemas_included(shop: Workspace) -> None:
    upgrade()
    shop.edit(APP, "Migrate(app, db)", "Migrate(app, db, include_schemas=True)")
    shop.restart()


@wrong("14.2", "migrate() would fail: NoReferencedTableError")
def test_only_the_base(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    shop.edit(DATABASE, PUBLIC, "")


@wrong("14.2", f"migrate() would write remove_index {OLD_INDEX}")
def test_the_index_forgotten(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)


@wrong("14.2", "(The database is at 0003, and 0004 was not run.)")
def test_written_and_not_run(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    migrate(message="leave the loop", rev_id="0004")


@wrong("14.2", f"migrate() would write remove_index {OLD_INDEX}")
def test_stamped_only(shop: Workspace) -> None:
    name_no_schema(shop)
    stamp()


@wrong("14.2", "The database is at 0003, not at 0004")
def test_the_index_renamed_by_hand_and_the_script_left(shop: Workspace) -> None:
    name_no_schema(shop)
    run_by_hand(RENAME)


@wrong("14.2", "Another database, which has run the scripts up to 0003: Models and database")
def test_the_index_renamed_by_hand(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    run_by_hand(RENAME)


@wrong("14.2", "(Other databases have run 0002 already: your new 0002 never runs there.)")
def test_the_old_script_rewritten(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    run_by_hand(RENAME)
    text = Path(SUPPLIERS).read_text("utf-8")
    Path(SUPPLIERS).write_text(text.replace(OLD_INDEX, NEW_INDEX), "utf-8")


@wrong(
    "14.2", f"{OLD_INDEX}. (Other databases have run 0002 already: your new 0002 never runs there.)"
)
def test_the_old_script_rewritten_only(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    text = Path(SUPPLIERS).read_text("utf-8")
    Path(SUPPLIERS).write_text(text.replace(OLD_INDEX, NEW_INDEX), "utf-8")


@wrong("14.2", "(Other databases have run 0003 already: your new 0003 never runs there.)")
def test_another_script_of_the_same_name(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    downgrade()
    Path(AGAIN).unlink()
    name_no_schema(shop)
    migrate(message="leave the loop", rev_id="0003")
    upgrade()


@wrong("14.2", "Another database, which has run the scripts up to 0003: upgrade")
def test_a_script_deleted_that_has_run(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    downgrade()
    Path(AGAIN).unlink()
    name_no_schema(shop)
    migrate(message="leave the loop", rev_id="0005")
    upgrade()


@wrong("14.2", "The scripts do not make a history")
def test_the_wrong_script_deleted(shop: Workspace) -> None:
    Path(AGAIN).unlink()


@wrong("14.2", "The loop is hidden, not left")
def test_keys_hidden_from_autogenerate(shop: Workspace) -> None:
    upgrade()
    hide = "include_object=lambda o, name, kind, *_: kind != 'foreign_key_constraint'"
    shop.edit(APP, "Migrate(app, db)", f"Migrate(app, db, {hide})")
    shop.restart()


@wrong("14.2", "The table products should have one foreign key, to suppliers; it has 0.")
def test_no_key_no_loop(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    shop.edit(MODELS, f"{KEY}, ", "")
    shop.edit(DATABASE, PUBLIC, "")
    shop.restart()
    migrate(message="leave the loop", rev_id="0004")
    upgrade()


@wrong("14.2", "The table suppliers has lost a row that it had: 1, Orchard")
def test_begun_anew(shop: Workspace) -> None:
    solve(shop)
    downgrade(revision="0001")
    upgrade()


@wrong("14.2", "On an empty database: ")
def test_the_first_script_rewritten(shop: Workspace) -> None:
    solve(shop)
    text = Path(SUPPLIERS).read_text("utf-8")
    Path(SUPPLIERS).write_text(
        text.replace(
            "sa.Column('name', sa.String(length=50)", "sa.Column('name', sa.String(length=5)"
        ),
        "utf-8",
    )


@right("14.2")
def test_the_index_renamed_in_the_script(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    revision(message="rename the index", rev_id="0004")
    script = "migrations/versions/0004_rename_the_index.py"
    shop.edit(script, UP + EMPTY, f'{UP}    op.execute("{RENAME}")\n')
    back = f"ALTER INDEX {NEW_INDEX} RENAME TO {OLD_INDEX}"
    shop.edit(script, "def downgrade():\n" + EMPTY, f'def downgrade():\n    op.execute("{back}")\n')
    upgrade()


@right("14.2")
def test_the_last_script_run_first(shop: Workspace) -> None:
    upgrade()
    name_no_schema(shop)
    migrate(message="leave the loop")
    upgrade()


@right("14.2")
def test_the_index_keeps_its_name(shop: Workspace) -> None:
    Path(AND_AGAIN).unlink()
    name_no_schema(shop)
    shop.edit(MODELS, ", index=True)", ")")
    shop.edit(MODELS, "import ForeignKey", "import ForeignKey, Index")
    index = f'    __table_args__ = (Index("{OLD_INDEX}", "supplier_id"),)\n'
    shop.edit(
        MODELS, '    __tablename__ = "products"\n', f'    __tablename__ = "products"\n{index}'
    )
    shop.restart()


@right("14.2")
def test_the_last_script_emptied_and_used(shop: Workspace) -> None:
    """0004 has run nowhere, so it may become the one that is needed."""
    name_no_schema(shop)
    text = Path(AND_AGAIN).read_text("utf-8")
    head = text[: text.index("def upgrade")]
    body = """def upgrade():
    with op.batch_alter_table("products") as batch_op:
        batch_op.drop_index("{0}")
        batch_op.create_index("{1}", ["supplier_id"])


"""
    up = body.format(OLD_INDEX, NEW_INDEX)
    down = body.format(NEW_INDEX, OLD_INDEX).replace("upgrade", "downgrade").rstrip() + "\n"
    Path(AND_AGAIN).write_text(head + up + down, "utf-8")
    upgrade()
