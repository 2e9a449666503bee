"""Answers to the exercises of chapter 9, wrong and right."""

from contextlib import suppress
from pathlib import Path

from attempts import right, wrong
from flask_migrate import migrate, revision, stamp, upgrade
from sqlalchemy.exc import OperationalError
from workbook import Workspace
from workbook.exercises.chapter_09 import TRIGGER, UNIQUE_NAME
from workbook.exercises.definition import MODELS, NAME

CHECK = 'db.CheckConstraint("places > 0", name="has_places")'
STALL = f"""
class Stall(db.Model):
    __tablename__ = "stalls"
    __table_args__ = ({CHECK},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    places: Mapped[int]
"""
STALLS = "migrations/versions/0002_stalls.py"
KEEP_PRODUCTS = "migrations/versions/0002_keep_products.py"
UNIQUE_NAMES = "migrations/versions/0003_unique_names.py"
STUCK = "migrations/versions/0002_unique_names.py"
END_OF_UPGRADE = "['name'])\n"
END_OF_DOWNGRADE = "type_='unique')\n"
KEEP = f'    op.execute("{TRIGGER}")\n'
INDEX = NAME.replace("String(50)", "String(50), index=True, unique=True")


def sql(statement: str) -> None:
    """Run a statement by hand."""
    from flask_app import db

    db.session.execute(db.text(statement))
    db.session.commit()


def fill_in(shop: Workspace, script: str, up: str, down: str) -> None:
    """Write the two functions of an empty script."""
    for function, lines in [("upgrade", up), ("downgrade", down)]:
        shop.edit(script, f"def {function}():\n    pass", f"def {function}():\n{lines}")


# --- 9.1 ---


def with_stalls(shop: Workspace, old: str = "", new: str = "") -> None:
    """The model, with one text in it replaced, stands in the file."""
    models = shop.path / MODELS
    models.write_text(models.read_text("utf-8") + STALL.replace(old, new), "utf-8")


def by_migration(shop: Workspace, old: str = "", new: str = "") -> None:
    """The model, with one text in it replaced, is in the database."""
    with_stalls(shop, old, new)
    shop.restart()
    migrate(message="stalls", rev_id="0002")
    upgrade()


def by_hand(shop: Workspace, up: str, down: str = "    op.drop_table('stalls')") -> None:
    """The right model, and a script that nobody generated."""
    with_stalls(shop)
    shop.restart()
    revision(message="stalls", rev_id="0002")
    fill_in(shop, STALLS, up, down)
    upgrade()


@wrong("9.1", "There is no new script")
def test_stalls_only_in_the_model(shop: Workspace) -> None:
    with_stalls(shop)


@wrong("9.1", "The app does not start: InvalidRequestError: Naming convention including")
def test_check_without_a_word(shop: Workspace) -> None:
    with_stalls(shop, ', name="has_places"')


@wrong("9.1", 'has no table "stalls"')
def test_stalls_without_upgrade(shop: Workspace) -> None:
    with_stalls(shop)
    shop.restart()
    migrate(message="stalls", rev_id="0002")


@wrong("9.1", 'has no table "stalls"')
def test_stalls_stamped(shop: Workspace) -> None:
    with_stalls(shop)
    shop.restart()
    migrate(message="stalls", rev_id="0002")
    stamp()


@wrong("9.1", "The database is at 0001, not at 0002.")
def test_stalls_by_create_all_instead_of_upgrade(shop: Workspace) -> None:
    with_stalls(shop)
    shop.restart()
    migrate(message="stalls", rev_id="0002")
    from flask_app import db

    db.create_all()


@wrong("9.1", "There is no new script")
def test_stalls_without_restart(shop: Workspace) -> None:
    with_stalls(shop)
    migrate(message="stalls", rev_id="0002")
    upgrade()


@wrong("9.1", "The name of a stall should be a text of at most 40 characters.")
def test_name_of_any_length(shop: Workspace) -> None:
    by_migration(shop, "String(40), ", "")


@wrong("9.1", "takes a stall without name.")
def test_name_may_be_null(shop: Workspace) -> None:
    by_migration(shop, "Mapped[str]", "Mapped[str | None]")


@wrong("9.1", "takes a stall without places.")
def test_places_may_be_null(shop: Workspace) -> None:
    """A CHECK lets NULL pass."""
    by_migration(shop, "places: Mapped[int]", "places: Mapped[int | None]")


@wrong("9.1", "takes two stalls of the same name")
def test_unique_forgotten(shop: Workspace) -> None:
    by_migration(shop, ", unique=True")


@wrong("9.1", "takes two stalls of the same name")
def test_unique_pairs(shop: Workspace) -> None:
    with_stalls(shop, ", unique=True")
    shop.edit(MODELS, f"({CHECK},)", f'({CHECK}, db.UniqueConstraint("name", "places"))')
    shop.restart()
    migrate(message="stalls", rev_id="0002")
    upgrade()


@wrong("9.1", "refuses a stall that breaks neither rule: another name")
def test_places_unique_too(shop: Workspace) -> None:
    by_migration(shop, "Mapped[int]\n", "Mapped[int] = mapped_column(unique=True)\n")


@wrong("9.1", "takes a stall with places = 0.")
def test_check_added_after_the_migration(shop: Workspace) -> None:
    by_migration(shop, f"    __table_args__ = ({CHECK},)\n")
    shop.edit(MODELS, '"stalls"\n', f'"stalls"\n    __table_args__ = ({CHECK},)\n')
    shop.restart()
    migrate(message="nothing that it sees")


@wrong("9.1", "takes a stall with places = 0.")
def test_check_put_into_a_script_that_has_run(shop: Workspace) -> None:
    by_migration(shop, f"    __table_args__ = ({CHECK},)\n")
    key = "    sa.PrimaryKeyConstraint('id', name=op.f('pk_stalls')),\n"
    shop.edit(STALLS, key, f"{key}    sa.CheckConstraint('places > 0', name='has_places'),\n")


@wrong("9.1", "takes a stall with places = 0.")
def test_check_that_lets_zero_in(shop: Workspace) -> None:
    by_migration(shop, "places > 0", "places >= 0")


@wrong("9.1", "refuses a stall that breaks neither rule: a new name, and places = 1.")
def test_check_that_refuses_one(shop: Workspace) -> None:
    by_migration(shop, "places > 0", "places > 1")


@wrong("9.1", "refuses a stall that breaks neither rule: a new name, and places = 200.")
def test_check_that_refuses_many(shop: Workspace) -> None:
    by_migration(shop, "places > 0", "places BETWEEN 1 AND 9")


@wrong("9.1", "A constraint of the table stalls has no name.")
def test_nameless_check_by_sql(shop: Workspace) -> None:
    table = (
        "CREATE TABLE stalls (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, places"
        " INTEGER NOT NULL CHECK (places > 0), CONSTRAINT uq_stalls_name UNIQUE (name))"
    )
    by_hand(shop, f'    op.execute("{table}")')


@wrong("9.1", "After a downgrade to 0001, the table stalls is still there.")
def test_stalls_by_create_all(shop: Workspace) -> None:
    with_stalls(shop)
    shop.restart()
    from flask_app import db

    db.create_all()
    revision(message="stalls", rev_id="0002")
    upgrade()


@wrong("9.1", "On an empty database: The table stalls takes a stall with places = 0.")
def test_check_in_this_database_only(shop: Workspace) -> None:
    with_stalls(shop)
    shop.restart()
    migrate(message="stalls", rev_id="0002")
    upgrade()
    script = shop.path / STALLS
    lines = script.read_text("utf-8").splitlines(keepends=True)
    script.write_text("".join(line for line in lines if "CheckConstraint" not in line), "utf-8")


@wrong("9.1", "After a downgrade to 0001, the table stalls is still there.")
def test_stalls_without_a_downgrade(shop: Workspace) -> None:
    by_migration(shop)
    shop.edit(STALLS, "op.drop_table('stalls')", "pass")
    shop.edit(
        STALLS, "op.create_table('stalls',", "op.create_table('stalls', if_not_exists=True, *["
    )
    shop.edit(STALLS, "name=op.f('uq_stalls_name'))\n", "name=op.f('uq_stalls_name'))]\n")


@wrong("9.1", "has lost a row")
def test_downgrade_that_empties_products(shop: Workspace) -> None:
    by_migration(shop)
    drop = "    op.drop_table('stalls')\n"
    shop.edit(STALLS, drop, f"{drop}    op.execute('DELETE FROM products')\n")


@wrong("9.1", "Models and database do not agree: migrate() would write remove_column stalls.note.")
def test_stalls_with_a_column_by_hand(shop: Workspace) -> None:
    by_migration(shop)
    sql("ALTER TABLE stalls ADD COLUMN note INTEGER")


@wrong("9.1", "has lost a row")
def test_stalls_and_no_fruits(shop: Workspace) -> None:
    by_migration(shop)
    sql("DELETE FROM products WHERE id = 2")


@right("9.1")
def test_stalls_by_a_script_written_by_hand(shop: Workspace) -> None:
    by_hand(
        shop,
        "    op.create_table('stalls',\n"
        "        sa.Column('id', sa.Integer(), primary_key=True),\n"
        "        sa.Column('name', sa.String(40), nullable=False),\n"
        "        sa.Column('places', sa.Integer(), nullable=False),\n"
        "        sa.CheckConstraint('places >= 1', name='at_least_one'),\n"
        "        sa.UniqueConstraint('name'))",
    )


@right("9.1")
def test_stalls_with_a_unique_index(shop: Workspace) -> None:
    by_migration(shop, "unique=True", "unique=True, index=True")


@right("9.1")
def test_stalls_first_and_rules_later(shop: Workspace) -> None:
    by_migration(shop, f"    __table_args__ = ({CHECK},)\n")
    sql("INSERT INTO stalls (name, places) VALUES ('one', 1)")
    revision(message="rules", rev_id="0003")
    batch = "    with op.batch_alter_table('stalls') as batch_op:\n        batch_op."
    fill_in(
        shop,
        "migrations/versions/0003_rules.py",
        f"{batch}create_check_constraint('has_places', 'places > 0')",
        f"{batch}drop_constraint('has_places', type_='check')",
    )
    upgrade()


# --- 9.2 ---


def complete(shop: Workspace, up: str = KEEP, down: str = KEEP) -> None:
    """Put lines behind the two blocks."""
    shop.edit(UNIQUE_NAMES, END_OF_UPGRADE, f"{END_OF_UPGRADE}\n{up}")
    shop.edit(UNIQUE_NAMES, END_OF_DOWNGRADE, f"{END_OF_DOWNGRADE}\n{down}")


@wrong("9.2", "The database is at 0002, not at 0003.")
def test_trigger_without_upgrade(shop: Workspace) -> None:
    complete(shop)


@wrong("9.2", "still takes two products of the same name")
def test_trigger_stamped(shop: Workspace) -> None:
    complete(shop)
    stamp()


@wrong("9.2", "After upgrade: A product can be deleted")
def test_script_run_as_it_is(shop: Workspace) -> None:
    upgrade()


@wrong("9.2", "After upgrade: A product can be deleted")
def test_trigger_made_before_the_block(shop: Workspace) -> None:
    early = KEEP.replace("TRIGGER keep", "TRIGGER IF NOT EXISTS keep")
    for function in ("upgrade", "downgrade"):
        begin = f"def {function}():\n"
        shop.edit(UNIQUE_NAMES, begin, begin + early)
    upgrade()


@wrong("9.2", "The database is at 0002, not at 0003.")
def test_trigger_made_within_the_block(shop: Workspace) -> None:
    complete(shop, f"    {KEEP}", f"    {KEEP}")
    with suppress(OperationalError):
        upgrade()


@wrong("9.2", "After upgrade: A product can be deleted: the trigger is gone, or lets it pass.")
def test_trigger_for_the_fruits_of_this_shop(shop: Workspace) -> None:
    some = KEEP.replace(" BEGIN", " WHEN old.id < 4 BEGIN")
    complete(shop, some, some)
    upgrade()


@wrong("9.2", "After a downgrade to 0002: A product can be deleted")
def test_trigger_kept_on_the_way_up_only(shop: Workspace) -> None:
    complete(shop, down="")
    upgrade()


@wrong("9.2", "After a downgrade to 0002: A product can be deleted")
def test_trigger_made_by_hand(shop: Workspace) -> None:
    upgrade()
    sql(TRIGGER)


@wrong("9.2", "After a downgrade to 0002 and upgrade: A product can be deleted")
def test_trigger_made_by_hand_after_upgrade(shop: Workspace) -> None:
    complete(shop, up="")
    upgrade()
    sql(TRIGGER)


@wrong("9.2", "After a downgrade to 0002: A product can be deleted")
def test_trigger_in_a_further_script(shop: Workspace) -> None:
    upgrade()
    revision(message="keep again", rev_id="0004")
    script = "migrations/versions/0004_keep_again.py"
    fill_in(shop, script, KEEP, "    op.execute('DROP TRIGGER keep')")
    upgrade()


@wrong("9.2", "still takes two products of the same name")
def test_nothing_made_unique(shop: Workspace) -> None:
    shop.edit(MODELS, UNIQUE_NAME, NAME)
    Path(UNIQUE_NAMES).unlink()
    revision(message="nothing", rev_id="0003")
    upgrade()


@wrong("9.2", "After a downgrade to 0002, two products of the same name are still refused.")
def test_downgrade_that_does_nothing(shop: Workspace) -> None:
    complete(shop)
    text = Path(UNIQUE_NAMES).read_text("utf-8")
    Path(UNIQUE_NAMES).write_text(
        text.partition("def downgrade")[0] + "def downgrade():\n    pass\n", "utf-8"
    )
    upgrade()


@wrong("9.2", "Models and database do not agree")
def test_unique_out_of_the_model(shop: Workspace) -> None:
    complete(shop)
    upgrade()
    shop.edit(MODELS, UNIQUE_NAME, NAME)


@wrong(
    "9.2", "Models and database do not agree: migrate() would write remove_column products.note."
)
def test_trigger_and_a_column_by_hand(shop: Workspace) -> None:
    complete(shop)
    upgrade()
    sql("ALTER TABLE products ADD COLUMN note INTEGER")


@wrong("9.2", 'downgrade(revision="0001") fails: OperationalError: no such trigger: keep.')
def test_trigger_of_another_name(shop: Workspace) -> None:
    other = KEEP.replace("TRIGGER keep", "TRIGGER hold")
    complete(shop, other, other)
    upgrade()


@wrong("9.2", "The history has 2 heads")
def test_trigger_and_a_second_head(shop: Workspace) -> None:
    complete(shop)
    revision(message="another head", rev_id="abc", head="0002", splice=True)
    upgrade(revision="heads")


@wrong("9.2", "On an empty database: A product can be deleted")
def test_trigger_kept_but_never_made(shop: Workspace) -> None:
    shop.edit(KEEP_PRODUCTS, KEEP, "    pass\n")
    shop.edit(KEEP_PRODUCTS, "TRIGGER keep", "TRIGGER IF EXISTS keep")
    as_the_database_had_it(shop)
    upgrade()


@wrong("9.2", "On an empty database: Models and database do not agree")
def test_unique_only_where_there_are_products(shop: Workspace) -> None:
    complete(shop)
    begin = "def upgrade():\n"
    count = "op.get_bind().scalar(sa.text('SELECT count(*) FROM products'))"
    shop.edit(UNIQUE_NAMES, begin, f"{begin}    if not {count}:\n        return\n")
    upgrade()


@wrong("9.2", "has lost a row")
def test_trigger_and_no_fruits(shop: Workspace) -> None:
    complete(shop)
    sql("DROP TRIGGER keep")
    sql("DELETE FROM products WHERE id = 2")
    sql(TRIGGER)
    upgrade()


@right("9.2")
def test_trigger_dropped_and_made_again(shop: Workspace) -> None:
    for function in ("upgrade", "downgrade"):
        begin = f"def {function}():\n"
        shop.edit(UNIQUE_NAMES, begin, f"{begin}    op.execute('DROP TRIGGER keep')\n")
    complete(shop)
    upgrade()


def as_the_database_had_it(shop: Workspace) -> None:
    """The script reads the triggers, and makes again those that there were."""
    look = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    for function in ("upgrade", "downgrade"):
        begin = f"def {function}():\n"
        read = f'    triggers = op.get_bind().execute(sa.text("{look}")).scalars().all()\n'
        shop.edit(UNIQUE_NAMES, begin, begin + read)
    again = "    for trigger in triggers:\n        op.execute(trigger)\n"
    complete(shop, again, again)


@right("9.2")
def test_trigger_as_the_database_had_it(shop: Workspace) -> None:
    as_the_database_had_it(shop)
    upgrade()


@right("9.2")
def test_unique_index_without_a_new_table(shop: Workspace) -> None:
    Path(UNIQUE_NAMES).unlink()
    shop.edit(MODELS, UNIQUE_NAME, INDEX)
    shop.restart()
    migrate(message="an index leaves the table alone")
    upgrade()


@right("9.2")
def test_trigger_lost_and_found(shop: Workspace) -> None:
    upgrade()
    sql(TRIGGER)
    complete(shop)


# --- 9.3 ---


def drop_leftover() -> None:
    sql("DROP TABLE _alembic_tmp_products")


def rename_apple() -> None:
    sql("UPDATE products SET name = 'Green apple' WHERE id = 4")


def name_constraint(shop: Workspace) -> None:
    """In both functions, as the convention has it."""
    for after in ("['name'])", "type_='unique')"):
        shop.edit(STUCK, f"(None, {after}", f"('uq_products_name', {after}")


@wrong("9.3", "More than one product is called Apple.")
def test_leftover_dropped_only(shop: Workspace) -> None:
    drop_leftover()


@wrong("9.3", "More than one product is called Apple.")
def test_names_made_unique_in_the_script_only(shop: Workspace) -> None:
    name_constraint(shop)


@wrong("9.3", 'still has a table "_alembic_tmp_products"')
def test_apple_renamed_only(shop: Workspace) -> None:
    rename_apple()


@wrong("9.3", "has lost a row that it had: 4.")
def test_second_apple_deleted(shop: Workspace) -> None:
    drop_leftover()
    sql("DELETE FROM products WHERE id = 4")
    name_constraint(shop)
    upgrade()


@wrong("9.3", "has lost a row that it had: 1.")
def test_leftover_taken_for_the_table(shop: Workspace) -> None:
    sql("DROP TABLE products")
    sql("ALTER TABLE _alembic_tmp_products RENAME TO products")
    stamp()


@wrong("9.3", "A product has no name.")
def test_apple_without_a_name(shop: Workspace) -> None:
    drop_leftover()
    sql("UPDATE products SET name = NULL WHERE id = 4")
    name_constraint(shop)
    upgrade()


@wrong("9.3", "The product 2 was called Orange, and should be.")
def test_all_products_renamed(shop: Workspace) -> None:
    drop_leftover()
    sql("UPDATE products SET name = name || ' ' || id")
    name_constraint(shop)
    upgrade()


@wrong("9.3", "The database is at 0001, not at 0002.")
def test_stuck_shop_without_upgrade(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)


@wrong("9.3", "still takes two products of the same name")
def test_stuck_shop_stamped(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    stamp()


@wrong("9.3", "still takes two products of the same name")
def test_rule_given_up(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    shop.edit(MODELS, UNIQUE_NAME, NAME)
    Path(STUCK).unlink()
    revision(message="nothing", rev_id="0002")
    upgrade()


@wrong("9.3", "The constraint has no name in the script, or not the same in both functions.")
def test_constraint_left_without_a_name(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    upgrade()


@wrong("9.3", "The constraint has no name in the script, or not the same in both functions.")
def test_constraint_named_on_the_way_up_only(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    shop.edit(STUCK, "(None, ['name'])", "('uq_products_name', ['name'])")
    upgrade()


@wrong("9.3", "Models and database do not agree")
def test_constraint_with_a_name_that_the_model_does_not_know(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    text = Path(STUCK).read_text("utf-8")
    Path(STUCK).write_text(text.replace("uq_products_name", "one_of_a_kind"), "utf-8")
    upgrade()


@wrong("9.3", "After a downgrade to 0001, two products of the same name are still refused.")
def test_stuck_shop_without_a_downgrade(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    text = Path(STUCK).read_text("utf-8")
    Path(STUCK).write_text(
        text.partition("def downgrade")[0] + "def downgrade():\n    pass\n", "utf-8"
    )
    upgrade()


@wrong("9.3", "After a downgrade to 0001, the rows of products are not what they were.")
def test_downgrade_that_loses_the_apple(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    delete = "    op.execute('DELETE FROM products WHERE id = 4')\n"
    shop.edit(STUCK, END_OF_DOWNGRADE, f"{END_OF_DOWNGRADE}\n{delete}")
    upgrade()


@wrong("9.3", "The product 2 was called Orange, and should be.")
def test_script_that_renames_all_and_a_hand_that_corrects(shop: Workspace) -> None:
    drop_leftover()
    name_constraint(shop)
    begin = "def upgrade():\n"
    rename = "    op.execute(\"UPDATE products SET name = name || ' ' || id\")\n"
    shop.edit(STUCK, begin, begin + rename)
    upgrade()
    sql("UPDATE products SET name = 'Orange' WHERE id = 2")
    sql("UPDATE products SET name = 'Banana' WHERE id = 3")


@wrong(
    "9.3", "Models and database do not agree: migrate() would write remove_column products.note."
)
def test_stuck_shop_with_a_column_by_hand(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    upgrade()
    sql("ALTER TABLE products ADD COLUMN note INTEGER")


@wrong("9.3", "The history has 2 heads")
def test_stuck_shop_with_a_second_head(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    revision(message="another head", rev_id="abc", head="0001", splice=True)
    upgrade(revision="heads")


@wrong("9.3", "On an empty database: upgrade")
def test_generated_again_with_the_leftover_there(shop: Workspace) -> None:
    rename_apple()
    Path(STUCK).unlink()
    migrate(message="unique names", rev_id="0002")
    upgrade()


@wrong("9.3", 'upgrade(revision="heads") fails: OperationalError: no such table')
def test_leftover_dropped_by_the_script(shop: Workspace) -> None:
    rename_apple()
    name_constraint(shop)
    begin = "def upgrade():\n"
    shop.edit(STUCK, begin, f"{begin}    op.drop_table('_alembic_tmp_products')\n")
    upgrade()


@wrong("9.3", "On an empty database: Models and database do not agree")
def test_stuck_shop_repaired_in_the_database_only(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    shop.edit(MODELS, UNIQUE_NAME, INDEX)
    sql("CREATE UNIQUE INDEX ix_products_name ON products (name)")
    Path(STUCK).unlink()
    revision(message="by hand", rev_id="0002")
    fill_in(
        shop,
        "migrations/versions/0002_by_hand.py",
        "    if sa.inspect(op.get_bind()).get_indexes('products') == []:\n"
        "        if op.get_bind().scalar(sa.text('SELECT count(*) FROM products')):\n"
        "            op.create_index('ix_products_name', 'products', ['name'], unique=True)",
        "    op.drop_index('ix_products_name')",
    )
    upgrade()


@right("9.3")
def test_script_edited(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    name_constraint(shop)
    upgrade()


@right("9.3")
def test_all_in_the_script(shop: Workspace) -> None:
    name_constraint(shop)
    begin = "def upgrade():\n"
    shop.edit(
        STUCK,
        begin,
        f"{begin}    op.execute('DROP TABLE IF EXISTS _alembic_tmp_products')\n"
        "    op.execute(\"UPDATE products SET name = 'Apple 2' WHERE id = 4\")\n",
    )
    upgrade()


@right("9.3")
def test_both_apples_renamed_and_a_new_fruit(shop: Workspace) -> None:
    drop_leftover()
    sql("UPDATE products SET name = 'Apple ' || id WHERE name = 'Apple'")
    sql("INSERT INTO products (name) VALUES ('Kiwi')")
    name_constraint(shop)
    upgrade()


@right("9.3")
def test_a_unique_index_instead(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    Path(STUCK).unlink()
    shop.edit(MODELS, UNIQUE_NAME, INDEX)
    shop.restart()
    migrate(message="an index")
    upgrade()


@right("9.3")
def test_a_name_of_its_own_in_the_model_too(shop: Workspace) -> None:
    drop_leftover()
    rename_apple()
    own = f'{NAME}    __table_args__ = (db.UniqueConstraint("name", name="one_of_a_kind"),)\n'
    shop.edit(MODELS, UNIQUE_NAME, own)
    Path(STUCK).unlink()
    shop.restart()
    migrate(message="a name of its own", rev_id="0002")
    upgrade()
