"""Answers to the exercises of chapter 8, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.definition import MODELS, NAME

LABEL = "    label: Mapped[str | None] = mapped_column(String(50))\n"
UP, DOWN = "def upgrade():\n    ", "def downgrade():\n    "
SCRIPT_8_1 = "migrations/versions/0002_labels.py"
SCRIPT_8_2 = "migrations/versions/0003_articles.py"
NAME_SCRIPT = "migrations/versions/0003_rename_name.py"
PRICE_SCRIPT = "migrations/versions/0004_rename_price.py"


def run(*statements: str) -> None:
    """Do it by hand."""
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def only_with_rows(shop: Workspace, script: str) -> None:
    """Let the script do nothing where there are no rows."""
    count = "op.get_bind().scalar(sa.text('SELECT count(*) FROM products'))"
    shop.edit(script, UP, f"{UP}if not {count}:\n        return\n    ")


def add_and_drop(new: str, kind: str, old: str) -> str:
    """What autogenerate writes for a rename."""
    return (
        f"batch_op.add_column(sa.Column('{new}', {kind}, nullable=True))\n"
        f"        batch_op.drop_column('{old}')"
    )


def rename(old: str, new: str) -> str:
    """What it should be."""
    return f"batch_op.alter_column('{old}', new_column_name='{new}')"


def labels(shop: Workspace, up: bool = True, down: bool = True) -> None:
    """Change the model and generate the script; correct these functions of it."""
    shop.edit(MODELS, NAME, LABEL)
    shop.edit(MODELS, "self.name", "self.label")
    shop.restart()
    migrate(message="labels", rev_id="0002")
    if up:
        generated = add_and_drop("label", "sa.String(length=50)", "name")
        shop.edit(SCRIPT_8_1, generated, rename("name", "label"))
    if down:
        generated = add_and_drop("name", "sa.VARCHAR(length=50)", "label")
        shop.edit(SCRIPT_8_1, generated, rename("label", "name"))


# --- 8.1 ---


@wrong("8.1", "There is no new script")
def test_label_only_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, LABEL)


@wrong("8.1", "There is no new script")
def test_label_only_in_the_code(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, LABEL.replace("String(50)", '"name", String(50)'))
    shop.edit(MODELS, "self.name", "self.label")


@wrong("8.1", 'has no column "label"')
def test_label_without_upgrade(shop: Workspace) -> None:
    labels(shop)


@wrong("8.1", 'has no column "label"')
def test_label_stamped_only(shop: Workspace) -> None:
    labels(shop)
    stamp(revision="0002")


@wrong("8.1", "The label of product 1 should be Apple, and is NULL.")
def test_label_as_generated(shop: Workspace) -> None:
    labels(shop, up=False, down=False)
    upgrade()


@wrong("8.1", "After a downgrade to 0001: The name of product 1 should be Apple, and is NULL.")
def test_label_corrected_one_way(shop: Workspace) -> None:
    labels(shop, down=False)
    upgrade()


@wrong("8.1", "The database is at 0001, not at 0002.")
def test_label_renamed_by_hand(shop: Workspace) -> None:
    labels(shop)
    run("ALTER TABLE products RENAME COLUMN name TO label")


@wrong("8.1", "After a downgrade to 0001: The name of product 1 should be Apple, and is NULL.")
def test_label_renamed_by_hand_and_stamped(shop: Workspace) -> None:
    labels(shop, up=False, down=False)
    run("ALTER TABLE products RENAME COLUMN name TO label")
    stamp(revision="0002")


@wrong("8.1", "After a downgrade to 0001 and upgrade: The label of product 1 should be Apple")
def test_label_renamed_by_hand_with_a_way_back(shop: Workspace) -> None:
    labels(shop, up=False)
    run("ALTER TABLE products RENAME COLUMN name TO label")
    stamp(revision="0002")


@wrong("8.1", "The table products has no product 2 any more.")
def test_label_written_again_for_two(shop: Workspace) -> None:
    labels(shop, up=False, down=False)
    upgrade()
    run("DELETE FROM products", "INSERT INTO products VALUES (1, 'Apple'), (3, 'Banana')")


@wrong("8.1", "A Product cannot be shown any more")
def test_label_forgotten_in_repr(shop: Workspace) -> None:
    labels(shop)
    upgrade()
    shop.edit(MODELS, "self.label", "self.name")


@wrong("8.1", 'still has a column "name"')
def test_label_beside_the_name(shop: Workspace) -> None:
    """The script copies, and never drops; the model keeps both."""
    shop.edit(MODELS, NAME, NAME + LABEL)
    shop.restart()
    migrate(message="labels", rev_id="0002")
    upgrade()
    run("UPDATE products SET label = name")


@wrong("8.1", "Models and database do not agree")
def test_label_not_in_the_model(shop: Workspace) -> None:
    labels(shop)
    upgrade()
    shop.edit(MODELS, LABEL, NAME)
    shop.edit(MODELS, "self.label", "self.name")


@wrong("8.1", 'After a downgrade to 0001: The table products still has a column "label".')
def test_label_copied_on_the_way_back(shop: Workspace) -> None:
    labels(shop, down=False)
    upgrade()
    shop.edit(SCRIPT_8_1, "        batch_op.drop_column('label')\n", "")
    copy = '    op.execute("UPDATE products SET name = label")\n\n'
    text = Path(SCRIPT_8_1).read_text("utf-8")
    Path(SCRIPT_8_1).write_text(text.rstrip() + f"\n{copy}", "utf-8")


@wrong("8.1", "On an empty database: Models and database do not agree")
def test_label_only_where_there_are_rows(shop: Workspace) -> None:
    labels(shop)
    only_with_rows(shop, SCRIPT_8_1)
    upgrade()


@right("8.1")
def test_label_by_expand_and_contract(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + LABEL)
    shop.restart()
    migrate(message="add label", rev_id="a1")
    upgrade()
    revision(message="copy", rev_id="a2")
    script = "migrations/versions/a2_copy.py"
    shop.edit(script, UP + "pass", UP + 'op.execute("UPDATE products SET label = name")')
    shop.edit(script, DOWN + "pass", DOWN + 'op.execute("UPDATE products SET name = label")')
    upgrade()
    shop.edit(MODELS, NAME, "")
    shop.edit(MODELS, "self.name", "self.label")
    shop.restart()
    migrate(message="drop name", rev_id="a3")
    upgrade()


@right("8.1")
def test_label_by_sql(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, LABEL)
    shop.edit(MODELS, "self.name", "self.label")
    revision(message="by hand", rev_id="abc")
    script = "migrations/versions/abc_by_hand.py"
    for start, old, new in [(UP, "name", "label"), (DOWN, "label", "name")]:
        sql = f"ALTER TABLE products RENAME COLUMN {old} TO {new}"
        shop.edit(script, start + "pass", f'{start}op.execute("{sql}")')
    upgrade()
    run("INSERT INTO products (label) VALUES ('Pear')")


# --- 8.2 ---


def articles(shop: Workspace, up: bool = True, down: bool = True) -> None:
    """Change the model, and write the script for the table only: these functions of it."""
    shop.edit(MODELS, '"products"', '"articles"')
    shop.restart()
    revision(message="articles", rev_id="0003")
    if up:
        shop.edit(SCRIPT_8_2, UP + "pass", UP + "op.rename_table('products', 'articles')")
    if down:
        shop.edit(SCRIPT_8_2, DOWN + "pass", DOWN + "op.rename_table('articles', 'products')")


def index(shop: Workspace) -> None:
    """Generate the script for the index, and run it."""
    migrate(message="index", rev_id="0004")
    upgrade()


@wrong("8.2", "There is no new script")
def test_articles_only_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, '"products"', '"articles"')


@wrong("8.2", 'The database has no table "articles"')
def test_articles_stamped_only(shop: Workspace) -> None:
    articles(shop)
    stamp(revision="0003")


@wrong("8.2", "The table articles has no product 1 any more.")
def test_articles_as_generated(shop: Workspace) -> None:
    shop.edit(MODELS, '"products"', '"articles"')
    shop.restart()
    migrate(message="articles", rev_id="0003")
    upgrade()


@wrong("8.2", "Models and database do not agree: migrate() would write")
def test_articles_without_the_index(shop: Workspace) -> None:
    articles(shop)
    upgrade()


@wrong("8.2", "The database is at 0003, not at 0004.")
def test_articles_without_the_second_upgrade(shop: Workspace) -> None:
    articles(shop)
    upgrade()
    migrate(message="index", rev_id="0004")


@wrong("8.2", "On an empty database: Models and database do not agree")
def test_articles_with_the_index_made_by_hand(shop: Workspace) -> None:
    """There is a way back from it, but no script makes it elsewhere."""
    articles(shop)
    shop.edit(
        SCRIPT_8_2,
        "op.rename_table('articles', 'products')",
        "op.execute('DROP INDEX IF EXISTS ix_articles_name')\n"
        "    op.execute('CREATE INDEX IF NOT EXISTS ix_products_name ON articles (name)')\n"
        "    op.rename_table('articles', 'products')",
    )
    upgrade()
    run("DROP INDEX ix_products_name", "CREATE INDEX ix_articles_name ON articles (name)")


@wrong("8.2", 'downgrade(revision="0001") fails: OperationalError: no such index')
def test_articles_index_without_a_way_back(shop: Workspace) -> None:
    articles(shop)
    upgrade()
    run("DROP INDEX ix_products_name", "CREATE INDEX ix_articles_name ON articles (name)")


@wrong("8.2", 'After a downgrade to 0002: The database has no table "products".')
def test_articles_without_a_way_back(shop: Workspace) -> None:
    articles(shop, down=False)
    upgrade()
    index(shop)


@wrong("8.2", 'The database still has a table "products"')
def test_articles_beside_products(shop: Workspace) -> None:
    articles(shop, up=False, down=False)
    copy = 'op.execute("CREATE TABLE articles AS SELECT * FROM products")'
    shop.edit(SCRIPT_8_2, UP + "pass", UP + copy)
    upgrade()


@wrong("8.2", "After a downgrade to 0002: The table products has no product 1 any more.")
def test_articles_with_rows_one_way_only(shop: Workspace) -> None:
    generated_with_rows(shop, back=False)


@wrong("8.2", "After a downgrade to 0001 and upgrade: The table articles has no product 1")
def test_articles_with_rows_copied_by_hand(shop: Workspace) -> None:
    """The rows are put in again where they were lost; the next shop loses them."""
    generated_with_rows(shop, back=True, there=False)
    run("INSERT INTO articles VALUES (1, 'Apple'), (2, 'Orange'), (3, 'Banana')")


def generated_with_rows(shop: Workspace, back: bool, there: bool = True) -> None:
    """Run the generated script, with the rows copied before the old table is dropped."""
    shop.edit(MODELS, '"products"', '"articles"')
    shop.restart()
    migrate(message="articles", rev_id="0003")
    for wanted, old, new in [(there, "products", "articles"), (back, "articles", "products")]:
        drop = f"    op.drop_table('{old}')\n"
        copy = f'    op.execute("INSERT INTO {new} SELECT * FROM {old}")\n'
        if wanted:
            shop.edit(SCRIPT_8_2, drop, copy + drop)
    upgrade()


@wrong("8.2", 'After a downgrade to 0002: The database still has a table "articles".')
def test_articles_left_over_on_the_way_back(shop: Workspace) -> None:
    generated_with_rows(shop, back=True)
    shop.edit(SCRIPT_8_2, "    op.drop_table('articles')\n", "")


@right("8.2")
def test_articles_with_rows_copied_both_ways(shop: Workspace) -> None:
    generated_with_rows(shop, back=True)


@right("8.2")
def test_articles_in_one_script(shop: Workspace) -> None:
    articles(shop, up=False, down=False)
    for start, old, new in [(UP, "products", "articles"), (DOWN, "articles", "products")]:
        shop.edit(
            SCRIPT_8_2,
            start + "pass",
            f"{start}op.drop_index('ix_{old}_name', '{old}')\n"
            f"    op.rename_table('{old}', '{new}')\n"
            f"    op.create_index('ix_{new}_name', '{new}', ['name'])",
        )
    upgrade()


# --- 8.3 ---


def repair(shop: Workspace, *ways: str) -> None:
    """Correct these functions: "name back", "price there", "price back"."""
    if "name back" in ways:
        generated = add_and_drop("name", "sa.VARCHAR(length=50)", "title")
        shop.edit(NAME_SCRIPT, generated, rename("title", "name"))
    if "price there" in ways:
        generated = add_and_drop("cost", "sa.Integer()", "price")
        shop.edit(PRICE_SCRIPT, generated, rename("price", "cost"))
    if "price back" in ways:
        generated = add_and_drop("price", "sa.INTEGER()", "cost")
        shop.edit(PRICE_SCRIPT, generated, rename("cost", "price"))


@wrong("8.3", "The cost of product 1 should be 120, and is NULL.")
def test_renames_run_as_they_are(shop: Workspace) -> None:
    upgrade()


@wrong("8.3", "The database is at 0003, not at 0004.")
def test_renames_only_in_the_scripts(shop: Workspace) -> None:
    repair(shop, "name back", "price there", "price back")


@wrong("8.3", 'has no column "cost"')
def test_renames_stamped_only(shop: Workspace) -> None:
    repair(shop, "name back", "price there", "price back")
    stamp(revision="0004")


@wrong("8.3", "After a downgrade to 0002: The name of product 1 should be Apple, and is NULL.")
def test_renames_with_the_old_one_overlooked(shop: Workspace) -> None:
    repair(shop, "price there", "price back")
    upgrade()


@wrong("8.3", "should be Apple, and is NULL. The price of product 1 should be 120")
def test_renames_with_the_way_there_of_the_price_only(shop: Workspace) -> None:
    repair(shop, "price there")
    upgrade()


@wrong("8.3", "After a downgrade to 0002: The price of product 1 should be 120, and is NULL.")
def test_renames_without_the_way_back_of_the_price(shop: Workspace) -> None:
    repair(shop, "name back", "price there")
    upgrade()


@wrong("8.3", "The title of product 1 should be Apple, and is NULL.")
def test_renames_after_going_back_too_soon(shop: Workspace) -> None:
    """The names are lost before anything was repaired."""
    downgrade(revision="0002")
    repair(shop, "name back", "price there", "price back")
    upgrade()


@wrong("8.3", "After a downgrade to 0002 and upgrade: The cost of product 1 should be 120")
def test_renames_with_the_prices_written_again(shop: Workspace) -> None:
    repair(shop, "name back", "price back")
    upgrade()
    run("UPDATE products SET cost = CASE id WHEN 1 THEN 120 WHEN 2 THEN 80 ELSE 50 END")


@wrong("8.3", "Models and database do not agree")
def test_renames_with_a_column_left_over(shop: Workspace) -> None:
    drop = "        batch_op.drop_column('price')\n"
    repair(shop, "name back")
    copy = '\n    op.execute("UPDATE products SET cost = price")\n'
    shop.edit(PRICE_SCRIPT, drop, copy)
    upgrade()


@wrong("8.3", 'After a downgrade to 0002: The table products still has a column "title".')
def test_renames_with_the_title_left_on_the_way_back(shop: Workspace) -> None:
    repair(shop, "price there", "price back")
    upgrade()
    copy = "\n    op.execute('UPDATE products SET name = title')\n"
    shop.edit(NAME_SCRIPT, "        batch_op.drop_column('title')\n", copy)


@wrong("8.3", 'After a downgrade to 0002: The table products still has a column "cost".')
def test_renames_with_the_cost_left_on_the_way_back(shop: Workspace) -> None:
    repair(shop, "name back", "price there")
    upgrade()
    copy = "\n    op.execute('UPDATE products SET price = cost')\n"
    shop.edit(PRICE_SCRIPT, "        batch_op.drop_column('cost')\n", copy)


@wrong("8.3", "On an empty database: Models and database do not agree")
def test_renames_only_where_there_are_rows(shop: Workspace) -> None:
    repair(shop, "name back", "price there", "price back")
    only_with_rows(shop, PRICE_SCRIPT)
    upgrade()


@wrong("8.3", "The history has 2 heads")
def test_renames_by_a_second_branch(shop: Workspace) -> None:
    revision(message="again", rev_id="0005", head="0003", splice=True)


@right("8.3")
def test_renames_practised_on_a_copy(shop: Workspace) -> None:
    import shutil

    shutil.copyfile("instance/app.db", "instance/practice.db")
    shop.restart("sqlite:///practice.db")
    upgrade()
    downgrade(revision="0002")
    shop.restart()
    repair(shop, "name back", "price there", "price back")
    upgrade()
    downgrade(revision="0002")
    upgrade()


@right("8.3")
def test_renames_with_a_script_of_ones_own(shop: Workspace) -> None:
    """The values are copied before the old column is dropped."""
    repair(shop, "name back")
    Path(PRICE_SCRIPT).unlink()
    revision(message="cost", rev_id="abc")
    script = "migrations/versions/abc_cost.py"
    for start, old, new in [(UP, "price", "cost"), (DOWN, "cost", "price")]:
        shop.edit(
            script,
            start + "pass",
            f"{start}op.add_column('products', sa.Column('{new}', sa.Integer()))\n"
            f"    op.execute('UPDATE products SET {new} = {old}')\n"
            f"    op.drop_column('products', '{old}')",
        )
    upgrade()
