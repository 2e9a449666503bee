"""Answers to the exercises of chapter 11, wrong and right."""

from contextlib import suppress
from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from sqlalchemy.exc import InvalidRequestError
from workbook import Workspace
from workbook.exercises.chapter_11 import FACTORY, IMPORT, MIGRATE, MODELS, SILENCED, STOCK, run

TABLE = '    __tablename__ = "products"\n'
CHECK = '    __table_args__ = (db.CheckConstraint("price >= 0", name="not_negative"),)\n'
RULE_SCRIPT = "migrations/versions/0003_rule.py"
STOCK_SCRIPT = "migrations/versions/0003_add_stock.py"
DROP_SCRIPT = "migrations/versions/0002_add_price.py"
BATCH = "    with op.batch_alter_table('products') as batch_op:\n        batch_op."
CREATE = f"{BATCH}create_check_constraint('not_negative', 'price >= 0')"
DROP = f"{BATCH}drop_constraint('not_negative', type_='check')"
RULE = "ck_products_not_negative"
LOCAL_IMPORT = "    from .models import Product\n"
ONLY_TABLES = 'lambda name, kind, parents: kind != "table" or name not in ("sold", "price")'


# --- 11.1 A rule that nobody sees ---


def in_the_model(shop: Workspace, check: str = CHECK) -> None:
    """Give the model this rule."""
    shop.edit(MODELS, TABLE, TABLE + check)
    shop.restart()


def in_a_script(shop: Workspace, create: str, drop: str) -> None:
    """Write a script by hand and run it."""
    revision(message="rule", rev_id="0003")
    shop.edit(RULE_SCRIPT, "def upgrade():\n    pass", f"def upgrade():\n{create}")
    shop.edit(RULE_SCRIPT, "def downgrade():\n    pass", f"def downgrade():\n{drop}")
    upgrade()


@wrong("11.1", "The database takes a fruit with a price of -1.")
def test_rule_only_in_the_model(shop: Workspace) -> None:
    in_the_model(shop)
    migrate(message="rule", rev_id="0003")
    upgrade()


@wrong("11.1", "The database takes a fruit with a price of -1.")
def test_rule_in_an_empty_script(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, "    pass", "    pass")


@wrong("11.1", "The database takes a fruit with a price of -1.")
def test_rule_not_upgraded(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, DROP)
    downgrade()


@wrong("11.1", "The model does not have the rule")
def test_rule_only_in_the_script(shop: Workspace) -> None:
    in_a_script(shop, CREATE, DROP)


@wrong("11.1", "A price of 0 is refused")
def test_rule_that_refuses_too_much(shop: Workspace) -> None:
    in_the_model(shop, CHECK.replace(">=", ">"))
    in_a_script(shop, CREATE.replace(">=", ">"), DROP)


@wrong("11.1", "A fruit without a price is refused")
def test_rule_that_asks_for_a_price(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE.replace("price >= 0", "price IS NOT NULL AND price >= 0"), DROP)


@wrong("11.1", "There is no new script")
def test_rule_in_the_database_by_hand(shop: Workspace) -> None:
    in_the_model(shop)
    rebuild()


def rebuild() -> None:
    """Make the table anew, with the rule, without a migration."""
    run(
        "CREATE TABLE new (id INTEGER NOT NULL, name VARCHAR(50), price INTEGER,"
        " CONSTRAINT pk_products PRIMARY KEY (id),"
        " CONSTRAINT ck_products_not_negative CHECK (price >= 0))",
        "INSERT INTO new SELECT id, name, price FROM products",
        "DROP TABLE products",
        "ALTER TABLE new RENAME TO products",
    )


@wrong("11.1", "On an empty database, the scripts do not make the rule.")
def test_rule_by_hand_and_an_empty_script(shop: Workspace) -> None:
    in_the_model(shop)
    rebuild()
    in_a_script(shop, "    pass", "    pass")


@wrong("11.1", "After a downgrade to 0002 a price of -1 is still refused.")
def test_rule_without_a_downgrade(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, "    pass")


@wrong("11.1", "The database takes a fruit with a price of -1.")
def test_rule_without_a_name(shop: Workspace) -> None:
    in_the_model(shop)
    with suppress(InvalidRequestError):  # upgrade() says that it must be named
        in_a_script(shop, CREATE.replace("'not_negative'", "None"), DROP)


@wrong("11.1", "No such constraint: 'ck_products_ck_products_not_negative'.")
def test_rule_with_the_convention_twice(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, DROP.replace("'not_", "'ck_products_not_"))


@wrong("11.1", "has lost a row")
def test_rule_on_an_empty_table(shop: Workspace) -> None:
    run("DELETE FROM products")
    in_the_model(shop)
    in_a_script(shop, CREATE, DROP)


@wrong("11.1", "The database is at 0002, not at 0003.")
def test_rule_with_the_revision_stamped_back(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, DROP)
    stamp(revision="0002")


@wrong("11.1", "The table products has lost a row that it had: 1, Apple, 40.")
def test_rule_and_the_prices_lost_on_the_way(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, DROP)
    downgrade(revision="0001")
    upgrade()


@wrong("11.1", "The table products has lost a row that it had: 1, Apple, 40.")
def test_rule_and_a_downgrade_that_empties_the_table(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE, f"    op.execute('DELETE FROM products')\n{DROP}")


@wrong("11.1", "Models and database do not agree: migrate() would write add_column products.stock")
def test_rule_and_a_column_too_many(shop: Workspace) -> None:
    in_the_model(shop, CHECK + STOCK)
    in_a_script(shop, CREATE, DROP)


@wrong("11.1", "A price of 1000000 is refused, and only those below 0 should be.")
def test_rule_with_an_upper_end(shop: Workspace) -> None:
    in_the_model(shop, CHECK.replace(">= 0", "BETWEEN 0 AND 1000"))
    in_a_script(shop, CREATE.replace(">= 0", "BETWEEN 0 AND 1000"), DROP)


@wrong(
    "11.1",
    "The database calls the rule ck_products_other, the model ck_products_not_negative.",
)
def test_rule_by_two_names(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(
        shop, CREATE.replace("not_negative", "other"), DROP.replace("not_negative", "other")
    )


@wrong("11.1", "The database calls the rule ck_products_ck_products_not_negative, the model")
def test_rule_by_its_full_name_in_the_script(shop: Workspace) -> None:
    in_the_model(shop)
    in_a_script(shop, CREATE.replace("'not_", "'ck_products_not_"), DROP)


@wrong("11.1", "The price is refused, but not by a CHECK of the table products.")
def test_rule_by_a_trigger(shop: Workspace) -> None:
    in_the_model(shop)
    trigger = (
        "CREATE TRIGGER rule BEFORE INSERT ON products WHEN NEW.price < 0"
        " BEGIN SELECT RAISE(ABORT, 'below 0'); END"
    )
    in_a_script(shop, f'    op.execute("{trigger}")', '    op.execute("DROP TRIGGER rule")')


@right("11.1")
def test_rule_in_other_words(shop: Workspace) -> None:
    in_the_model(shop, CHECK.replace("price >= 0", "NOT price < 0"))
    in_a_script(
        shop,
        CREATE.replace("price >= 0", "price > -1"),
        f"{BATCH}drop_constraint('ck_products_not_negative')",
    )


@right("11.1")
def test_rule_on_the_column(shop: Workspace) -> None:
    column = 'mapped_column(db.CheckConstraint("price >= 0", name="not_negative"))'
    shop.edit(MODELS, "Mapped[int | None]\n", f"Mapped[int | None] = {column}\n")
    shop.restart()
    in_a_script(shop, CREATE, DROP)


@right("11.1")
def test_rule_by_sql(shop: Workspace) -> None:
    in_the_model(shop)
    statement = "    op.execute('''{}''')\n"
    columns = "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50), price INTEGER"
    steps = [
        f"CREATE TABLE new ({columns})",
        "INSERT INTO new SELECT * FROM products",
        "DROP TABLE products",
        "ALTER TABLE new RENAME TO products",
    ]
    without = "".join(map(statement.format, steps))
    steps[0] = f"CREATE TABLE new ({columns}, CONSTRAINT {RULE} CHECK (price >= 0))"
    in_a_script(shop, "".join(map(statement.format, steps)), without)


# --- 11.2 The neighbours' tables ---


def set_up(shop: Workspace, settings: str) -> None:
    """Give Migrate these settings."""
    shop.edit(FACTORY, MIGRATE, f"Migrate(app, db, {settings})")
    shop.restart()


def add_stock() -> None:
    """Write the script and run it."""
    migrate(message="add stock", rev_id="0003")
    upgrade()


@wrong("11.2", 'The database has no table "sold".')
def test_neighbours_dropped(shop: Workspace) -> None:
    add_stock()


@wrong("11.2", "The table sold has lost a row that it had: Apple.")
def test_neighbours_dropped_and_made_again(shop: Workspace) -> None:
    add_stock()
    downgrade()
    set_up(shop, f"include_name={ONLY_TABLES}")
    Path(STOCK_SCRIPT).unlink()
    add_stock()


@wrong("11.2", 'has no column "stock"')
def test_neighbours_left_alone_and_no_migration(shop: Workspace) -> None:
    set_up(shop, f"include_name={ONLY_TABLES}")


@wrong("11.2", "Your migrate() would write remove_table")
def test_neighbours_taken_out_of_one_script(shop: Workspace) -> None:
    migrate(message="add stock", rev_id="0003")
    text = Path(STOCK_SCRIPT).read_text("utf-8")
    drops = [f"    op.drop_table('{table}')\n" for table in ("sold", "price")]
    for drop in drops:
        assert drop in text
        text = text.replace(drop, "")
    Path(STOCK_SCRIPT).write_text(text.partition("    op.create_table")[0], "utf-8")
    upgrade()


@wrong("11.2", 'has no column "stock"')
def test_neighbours_by_their_names_only(shop: Workspace) -> None:
    """Now autogenerate does not see the column price, and adds it: the upgrade fails."""
    set_up(shop, 'include_name=lambda name, kind, parents: name not in ("sold", "price")')
    migrate(message="add stock", rev_id="0003")


@wrong("11.2", "Your migrate() would write add_column products.price.")
def test_neighbours_by_their_names_and_the_script_mended(shop: Workspace) -> None:
    set_up(shop, 'include_name=lambda name, kind, parents: name not in ("sold", "price")')
    migrate(message="add stock", rev_id="0003")
    for text in (
        "        batch_op.add_column(sa.Column('price', sa.Integer(), nullable=True))\n",
        "        batch_op.drop_column('price')\n",
    ):
        shop.edit(STOCK_SCRIPT, text, "")
    upgrade()


@wrong("11.2", "Your migrate() would write remove_table price.")
def test_neighbours_only_one_of_them(shop: Workspace) -> None:
    set_up(shop, 'include_name=lambda name, kind, parents: name != "sold"')
    migrate(message="add stock", rev_id="0003")
    text = Path(STOCK_SCRIPT).read_text("utf-8")
    Path(STOCK_SCRIPT).write_text(text.replace("    op.drop_table('price')\n", ""), "utf-8")
    upgrade()


@wrong("11.2", "whose model was removed would stay unnoticed")
def test_neighbours_and_all_that_has_no_model(shop: Workspace) -> None:
    set_up(
        shop,
        "include_object=lambda thing, name, kind, reflected, other:"
        ' not (kind == "table" and reflected and other is None)',
    )
    add_stock()


@wrong("11.2", "whose model was removed would stay unnoticed")
def test_neighbours_and_all_but_products(shop: Workspace) -> None:
    set_up(shop, 'include_name=lambda name, kind, parents: kind != "table" or name == "products"')
    add_stock()


@wrong("11.2", "An index of the shop's own that was taken out of its model would stay unnoticed.")
def test_neighbours_and_all_but_tables_and_columns(shop: Workspace) -> None:
    set_up(
        shop,
        "include_object=lambda thing, name, kind, reflected, other:"
        ' kind == "column" or (kind == "table" and name not in {"sold", "price"})',
    )
    add_stock()


@wrong("11.2", "On an empty database")
def test_neighbours_as_models(shop: Workspace) -> None:
    with open(MODELS, "a", encoding="utf-8") as file:
        file.write(
            '\ndb.Table("sold", db.Column("name", db.Text))\n'
            'db.Table("price", db.Column("name", db.Text), db.Column("asked", db.Integer))\n'
        )
    shop.restart()
    add_stock()


def put_back(shop: Workspace) -> None:
    """Run a script that drops the neighbours' tables, and put them back from copies."""
    run("CREATE TABLE s AS SELECT * FROM sold", "CREATE TABLE p AS SELECT * FROM price")
    upgrade()
    run("ALTER TABLE s RENAME TO sold", "ALTER TABLE p RENAME TO price")
    set_up(shop, f"include_name={ONLY_TABLES}")


@wrong("11.2", "On an empty database: upgrade")
def test_neighbours_put_back_and_the_drops_left(shop: Workspace) -> None:
    migrate(message="add stock", rev_id="0003")
    put_back(shop)


@wrong("11.2", 'The database has no table "sold".')
def test_neighbours_put_back_and_dropped_where_there(shop: Workspace) -> None:
    migrate(message="add stock", rev_id="0003")
    text = Path(STOCK_SCRIPT).read_text("utf-8").partition("    op.create_table")[0]
    Path(STOCK_SCRIPT).write_text(text, "utf-8")
    for table in ("sold", "price"):
        shop.edit(STOCK_SCRIPT, f"drop_table('{table}')", f"drop_table('{table}', if_exists=True)")
    put_back(shop)


@right("11.2")
def test_neighbours_by_include_object(shop: Workspace) -> None:
    set_up(
        shop,
        "include_object=lambda thing, name, kind, reflected, other:"
        ' not (kind == "table" and name in {"sold", "price"})',
    )
    migrate(message="stock")
    upgrade()


@right("11.2")
def test_neighbours_in_env(shop: Workspace) -> None:
    shop.edit(
        "migrations/env.py",
        "            target_metadata=get_metadata(),\n            **conf_args\n",
        "            target_metadata=get_metadata(),\n"
        f"            include_name={ONLY_TABLES},\n            **conf_args\n",
    )
    add_stock()


@right("11.2")
def test_neighbours_and_a_script_by_hand(shop: Workspace) -> None:
    set_up(shop, f"include_name={ONLY_TABLES}")
    revision(message="add stock", rev_id="0003")
    add, drop = (
        "op.add_column('products', sa.Column('stock', sa.Integer()))",
        "drop_column('stock')",
    )
    shop.edit(STOCK_SCRIPT, "def upgrade():\n    pass", f"def upgrade():\n    {add}")
    shop.edit(STOCK_SCRIPT, "def downgrade():\n    pass", f"def downgrade():\n{BATCH}{drop}")
    upgrade()


@wrong("11.2", "Your migrate() would write remove_column products.stock.")
def test_neighbours_and_the_stock_given_up(shop: Workspace) -> None:
    set_up(shop, f"include_name={ONLY_TABLES}")
    add_stock()
    shop.edit(MODELS, STOCK, "")


@wrong("11.2", "The table products has lost a row that it had: 1, Apple, 40.")
def test_neighbours_and_the_prices_lost_on_the_way(shop: Workspace) -> None:
    set_up(shop, f"include_name={ONLY_TABLES}")
    add_stock()
    downgrade(revision="0001")
    upgrade()


@wrong("11.2", "The database is at 0002, not at 0003.")
def test_neighbours_and_the_stock_by_hand(shop: Workspace) -> None:
    set_up(shop, f"include_name={ONLY_TABLES}")
    migrate(message="add stock", rev_id="0003")
    run("ALTER TABLE products ADD COLUMN stock INTEGER")


# --- 11.3 No changes, and a drop ---


def import_again(shop: Workspace) -> None:
    """The factory imports the model."""
    shop.edit(FACTORY, "\n__all__", f"{IMPORT}\n__all__")


def speak_again(shop: Workspace) -> None:
    """No table is hidden from migrate()."""
    shop.edit(FACTORY, SILENCED, MIGRATE)


def migrate_anew(shop: Workspace) -> None:
    """Without the script that drops, write and run one."""
    Path(DROP_SCRIPT).unlink()
    shop.restart()
    migrate(message="add price", rev_id="0002")
    upgrade()


@wrong("11.3", 'The database has no table "products".')
def test_drop_run(shop: Workspace) -> None:
    upgrade()


@wrong("11.3", "has lost a row")
def test_drop_run_and_taken_back(shop: Workspace) -> None:
    upgrade()
    downgrade()
    import_again(shop)
    speak_again(shop)
    migrate_anew(shop)


@wrong("11.3", "A started app knows of no model")
def test_drop_without_the_import(shop: Workspace) -> None:
    speak_again(shop)
    migrate_anew_without_upgrade(shop)


def migrate_anew_without_upgrade(shop: Workspace) -> None:
    """Without the script that drops, write one, and do not run it."""
    Path(DROP_SCRIPT).unlink()
    shop.restart()
    migrate(message="add price", rev_id="0002")


@wrong("11.3", 'has no column "price"')
def test_drop_deleted_and_still_silent(shop: Workspace) -> None:
    """Now migrate() makes products anew, and the upgrade would fail."""
    import_again(shop)
    migrate_anew_without_upgrade(shop)


@wrong("11.3", "Your migrate() would write add_table products")
def test_drop_deleted_and_a_script_by_hand(shop: Workspace) -> None:
    import_again(shop)
    Path(DROP_SCRIPT).unlink()
    shop.restart()
    by_hand(shop)


def by_hand(shop: Workspace) -> None:
    """The script for the price, written by hand and run."""
    revision(message="add price", rev_id="0002")
    add, drop = (
        "op.add_column('products', sa.Column('price', sa.Integer()))",
        "drop_column('price')",
    )
    shop.edit(DROP_SCRIPT, "def upgrade():\n    pass", f"def upgrade():\n    {add}")
    shop.edit(DROP_SCRIPT, "def downgrade():\n    pass", f"def downgrade():\n{BATCH}{drop}")
    upgrade()


@wrong("11.3", 'has no column "price"')
def test_drop_stamped(shop: Workspace) -> None:
    import_again(shop)
    speak_again(shop)
    stamp(revision="0002")


@wrong("11.3", "A table of the shop's own whose model was removed would stay unnoticed.")
def test_drop_deleted_and_every_drop_hidden(shop: Workspace) -> None:
    import_again(shop)
    every = (
        "include_object=lambda o, name, kind, reflected, other: not (reflected and other is None)"
    )
    shop.edit(FACTORY, SILENCED, f"Migrate(app, db, {every})")
    migrate_anew(shop)


@wrong("11.3", "On an empty database: upgrade")
def test_drop_stamped_and_stepped_over(shop: Workspace) -> None:
    import_again(shop)
    speak_again(shop)
    shop.restart()
    stamp(revision="0002")
    migrate(message="add price", rev_id="0003")
    upgrade()


@wrong("11.3", "id, name in products are not what they were.")
def test_drop_left_and_the_fruits_put_in_again(shop: Workspace) -> None:
    upgrade()
    import_again(shop)
    speak_again(shop)
    shop.restart()
    migrate(message="make products", rev_id="0003")
    upgrade()
    run("INSERT INTO products (name) VALUES ('Apple'), ('Orange'), ('Banana')")


@wrong("11.3", "The database is at 0001, not at 0002.")
def test_drop_and_the_column_by_hand(shop: Workspace) -> None:
    import_again(shop)
    speak_again(shop)
    run("ALTER TABLE products ADD COLUMN price INTEGER")


@wrong("11.3", 'has no column "price"')
def test_drop_deleted_and_no_migration(shop: Workspace) -> None:
    import_again(shop)
    speak_again(shop)
    Path(DROP_SCRIPT).unlink()


@right("11.3")
def test_drop_mended_in_the_script(shop: Workspace) -> None:
    import_again(shop)
    speak_again(shop)
    Path(DROP_SCRIPT).unlink()
    shop.restart()
    by_hand(shop)


@right("11.3")
def test_drop_with_the_import_elsewhere(shop: Workspace) -> None:
    shop.edit(
        "flask_app/routes.py", "import Blueprint\n", "import Blueprint\n\nfrom . import models\n"
    )
    speak_again(shop)
    Path(DROP_SCRIPT).unlink()
    shop.restart()
    migrate(message="price")
    upgrade()


@right("11.3")
def test_drop_with_the_import_in_create_app(shop: Workspace) -> None:
    shop.edit(FACTORY, "    connect(app)\n", f"    connect(app)\n{LOCAL_IMPORT}")
    shop.edit(FACTORY, 'name != "products"', 'name != "sold"')
    migrate_anew(shop)
