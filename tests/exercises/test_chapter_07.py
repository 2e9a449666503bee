"""Answers to the exercises of chapter 7, wrong and right."""

from contextlib import suppress
from pathlib import Path

from attempts import right, wrong
from flask_migrate import migrate, revision, stamp, upgrade
from sqlalchemy.exc import IntegrityError, OperationalError
from workbook import Workspace
from workbook.exercises.chapter_07 import LEFTOVER
from workbook.exercises.definition import MODELS, NAME

CURRENCY = "    currency: Mapped[str] = mapped_column(String(3))\n"
SLUG = "    slug: Mapped[str] = mapped_column(String(80), unique=True)\n"
BLOCK = "    with op.batch_alter_table('products') as batch_op:\n"
DROP_DEFAULT = (
    f"server_default='EUR'))\n\n{BLOCK}"
    "        batch_op.alter_column('currency', existing_type=sa.String(3), server_default=None)"
)
SLUGS = "UPDATE products SET slug = lower(name) || '-' || id"
OTHERS = "UPDATE products SET price = 100 WHERE price IS NULL"
APPLES = "UPDATE products SET price = 120 WHERE name = 'Apple'"
PRICE = "migrations/versions/0002_add_price.py"
CONSTRAINT = "        batch_op.create_unique_constraint(batch_op.f('uq_products_slug'), ['slug'])\n"


def generate(shop: Workspace, line: str, column: str) -> str:
    """Put the line into the model and let migrate() write the script; returns its path."""
    shop.edit(MODELS, NAME, NAME + line)
    shop.restart()
    migrate(message=f"add {column}", rev_id="0002")
    return f"migrations/versions/0002_add_{column}.py"


def run(*statements: str) -> None:
    """Do it by hand."""
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


def fill_then_tighten(update: str, column: str, length: int) -> str:
    """What the third way puts in place of ``nullable=False))``."""
    return (
        f'nullable=True))\n\n    op.execute("{update}")\n\n{BLOCK}'
        f"        batch_op.alter_column('{column}', existing_type=sa.String({length}),"
        " nullable=False)"
    )


def only_with_rows(shop: Workspace, script: str) -> None:
    """Let the script do nothing where there are no rows."""
    count = "op.get_bind().scalar(sa.text('SELECT count(*) FROM products'))"
    start = "def upgrade():\n"
    shop.edit(script, start, f"{start}    if not {count}:\n        return\n")


# --- 7.1 ---


@wrong("7.1", "There is no new script")
def test_currency_only_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + CURRENCY)


@wrong("7.1", 'has no column "currency"')
def test_currency_as_generated(shop: Workspace) -> None:
    generate(shop, CURRENCY, "currency")
    with suppress(OperationalError):
        upgrade()


@wrong("7.1", 'still has a table "_alembic_tmp_products"')
def test_currency_in_one_block(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", DROP_DEFAULT.replace(f"\n\n{BLOCK}", "\n"))
    shop.edit(script, "server_default='EUR'))", "nullable=False, server_default='EUR'))")
    with suppress(IntegrityError):
        upgrade()


@wrong("7.1", "A product that says no currency is accepted")
def test_currency_keeps_its_default(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False", "nullable=False, server_default='EUR'")
    upgrade()


@wrong("7.1", "The model has a default for currency")
def test_currency_default_left_in_the_model(shop: Workspace) -> None:
    script = generate(shop, CURRENCY.replace("(3)", '(3), server_default="EUR"'), "currency")
    shop.edit(script, "server_default='EUR', nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()


@wrong("7.1", "The model has a default for currency")
def test_currency_default_in_python(shop: Workspace) -> None:
    script = generate(shop, CURRENCY.replace("(3)", '(3), default="EUR"'), "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()


@wrong("7.1", "A product whose currency is NULL is accepted")
def test_currency_filled_and_not_tightened(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False", "nullable=True")
    upgrade()
    run("UPDATE products SET currency = 'EUR'")


@wrong("7.1", "The currency of Apple should be EUR; the table says .")
def test_currency_empty_text(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    default = DROP_DEFAULT.replace("EUR", "")
    shop.edit(script, "nullable=False))", f"nullable=False, {default}")
    upgrade()


@wrong("7.1", "has lost a row")
def test_currency_for_an_emptied_table(shop: Workspace) -> None:
    generate(shop, CURRENCY, "currency")
    run("DELETE FROM products")
    upgrade()


@wrong("7.1", "In another shop, which is at 0001 and has products: upgrade")
def test_currency_by_hand_and_stamped(shop: Workspace) -> None:
    """The database is right; the script is the generated one, and would fail elsewhere."""
    script = generate(shop, CURRENCY, "currency")
    generated = Path(script).read_text("utf-8")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()
    Path(script).write_text(generated, "utf-8")


@wrong("7.1", 'has no column "currency"')
def test_currency_stamped_only(shop: Workspace) -> None:
    generate(shop, CURRENCY, "currency")
    stamp(revision="0002")


@wrong("7.1", "A product whose currency is NULL is accepted")
def test_currency_with_a_default_instead_of_required(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False", "nullable=True, server_default='EUR'")
    upgrade()


@wrong("7.1", "In another shop, which is at 0001 and has products: A product that says no")
def test_currency_default_dropped_in_this_database_only(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()
    text = Path(script).read_text("utf-8")
    Path(script).write_text(text.replace("server_default=None", "nullable=False"), "utf-8")


@wrong("7.1", 'still has a column "currency"')
def test_currency_without_a_way_back(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    shop.edit(script, "batch_op.drop_column('currency')", "pass")
    upgrade()


@wrong("7.1", "After a downgrade to 0001: The table products has lost a row")
def test_currency_way_back_without_rows(shop: Workspace) -> None:
    """The column goes, and the rows with it."""
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()
    drop = "        batch_op.drop_column('currency')"
    shop.edit(script, drop, f"{drop}\n    op.execute('DELETE FROM products')")


@wrong("7.1", "The currency should be a text of at most 3 characters")
def test_currency_of_any_length(shop: Workspace) -> None:
    script = generate(shop, CURRENCY.replace("String(3)", "String(30)"), "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()


@wrong("7.1", "The database is at 0001, and the column currency is there already")
def test_currency_by_hand(shop: Workspace) -> None:
    generate(shop, CURRENCY, "currency")
    run("ALTER TABLE products ADD COLUMN currency VARCHAR(3) NOT NULL DEFAULT 'EUR'")


@wrong("7.1", "Models and database do not agree")
def test_currency_not_in_the_model(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    upgrade()
    shop.edit(MODELS, CURRENCY, "")


@wrong("7.1", "In another shop, which is at 0001 and has products: The currency of Pear")
def test_currency_for_the_fruits_of_this_shop(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    fruits = "('Apple', 'Orange', 'Banana')"
    update = f"UPDATE products SET currency = iif(name IN {fruits}, 'EUR', '')"
    shop.edit(script, "nullable=False))", fill_then_tighten(update, "currency", 3))
    upgrade()


@wrong("7.1", "On an empty database: Models and database do not agree")
def test_currency_only_where_there_are_rows(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False))", f"nullable=False, {DROP_DEFAULT}")
    only_with_rows(shop, script)
    upgrade()


@right("7.1")
def test_currency_filled_then_tightened(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    update = "UPDATE products SET currency = 'EUR'"
    shop.edit(script, "nullable=False))", fill_then_tighten(update, "currency", 3))
    upgrade()
    run("INSERT INTO products (name, currency) VALUES ('Papaya', 'USD')")


@right("7.1")
def test_currency_in_two_scripts(shop: Workspace) -> None:
    script = generate(shop, CURRENCY, "currency")
    shop.edit(script, "nullable=False", "nullable=False, server_default='EUR'")
    upgrade()
    revision(message="drop the default", rev_id="0003")
    shop.edit(
        "migrations/versions/0003_drop_the_default.py",
        "def upgrade():\n    pass",
        f"def upgrade():\n{BLOCK}        batch_op.alter_column('currency', server_default=None)",
    )
    upgrade()


# --- 7.2 ---


@wrong("7.2", "There is no new script")
def test_slug_only_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + SLUG)


@wrong("7.2", f'still has a table "{LEFTOVER}"')
def test_slug_as_generated(shop: Workspace) -> None:
    generate(shop, SLUG, "slug")
    with suppress(IntegrityError):
        upgrade()


@wrong("7.2", f'still has a table "{LEFTOVER}"')
def test_slug_with_one_default(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False", "nullable=False, server_default='none'")
    with suppress(IntegrityError):
        upgrade()


@wrong("7.2", f'still has a table "{LEFTOVER}"')
def test_slug_with_the_leftover_in_the_way(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    with suppress(IntegrityError):
        upgrade()
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    with suppress(OperationalError):
        upgrade()


@wrong("7.2", "The database is at 0001, and the column slug is there already")
def test_slug_of_the_name_alone(shop: Workspace) -> None:
    """The two apples have the same, and the upgrade stops halfway."""
    script = generate(shop, SLUG, "slug")
    update = "UPDATE products SET slug = lower(name)"
    shop.edit(script, "nullable=False))", fill_then_tighten(update, "slug", 80))
    with suppress(IntegrityError):
        upgrade()


@wrong("7.2", "The slug of product 1 should be apple-1; the table says Apple-1.")
def test_slug_not_in_lower_case(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    update = SLUGS.replace("lower(name)", "name")
    shop.edit(script, "nullable=False))", fill_then_tighten(update, "slug", 80))
    upgrade()


@wrong("7.2", "The slug should be a text of at most 80 characters.")
def test_slug_of_any_length(shop: Workspace) -> None:
    script = generate(shop, SLUG.replace("String(80), ", ""), "slug")
    shop.edit(
        script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80).replace("(80)", "()")
    )
    upgrade()


@wrong("7.2", "A product whose slug is NULL is accepted")
def test_slug_not_tightened(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    update = f'nullable=True))\n\n    op.execute("{SLUGS}")\n\n{BLOCK}'
    shop.edit(script, "nullable=False))", update)
    upgrade()


@wrong("7.2", "A product with the slug of another is accepted")
def test_slug_without_unique(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    shop.edit(script, CONSTRAINT, "")
    upgrade()


@wrong("7.2", "has lost a row")
def test_slug_without_the_second_apple(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    run("DELETE FROM products WHERE id = 4")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    upgrade()


@wrong("7.2", "The slug of product 1 should be pear-1; the table says apple-1.")
def test_slug_for_these_rows_only(shop: Workspace) -> None:
    """The four addresses are written down."""
    script = generate(shop, SLUG, "slug")
    written = ("apple-1", "orange-2", "banana-3", "apple-4")
    cases = " ".join(f"WHEN {key} THEN '{slug}'" for key, slug in enumerate(written, start=1))
    update = f"UPDATE products SET slug = CASE id {cases} END"
    shop.edit(script, "nullable=False))", fill_then_tighten(update, "slug", 80))
    upgrade()


@wrong("7.2", "In another shop, which is at 0001 and has products: upgrade")
def test_slug_by_hand(shop: Workspace) -> None:
    """The database is right; the script is the generated one, and would fail elsewhere."""
    script = generate(shop, SLUG, "slug")
    generated = Path(script).read_text("utf-8")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    upgrade()
    Path(script).write_text(generated, "utf-8")


@wrong("7.2", 'downgrade(revision="0001") fails')
def test_slug_without_a_way_back(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    drop = "        batch_op.drop_constraint(batch_op.f('uq_products_slug'), type_='unique')\n"
    shop.edit(script, drop, drop.replace("uq_products_slug", "slug"))
    upgrade()


@wrong("7.2", 'has no column "slug"')
def test_slug_without_upgrade(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))


@wrong("7.2", "Models and database do not agree")
def test_slug_not_unique_in_the_model(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    upgrade()
    shop.edit(MODELS, ", unique=True", "")


@wrong("7.2", "The model has a default for slug")
def test_slug_with_a_default_in_the_model(shop: Workspace) -> None:
    script = generate(shop, SLUG.replace("unique=True", 'default="", unique=True'), "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    upgrade()


@wrong("7.2", "On an empty database: Models and database do not agree")
def test_slug_only_where_there_are_rows(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    only_with_rows(shop, script)
    upgrade()


@right("7.2")
def test_slug_in_three_scripts(shop: Workspace) -> None:
    """The way of three deploys: with the model of each step, all generated."""
    generate(shop, "    slug: Mapped[str | None] = mapped_column(String(80))\n", "slug")
    upgrade()
    revision(message="fill", rev_id="0003")
    script = "migrations/versions/0003_fill.py"
    shop.edit(script, "def upgrade():\n    pass", f'def upgrade():\n    op.execute("{SLUGS}")')
    upgrade()
    shop.edit(MODELS, "slug: Mapped[str | None] = mapped_column(String(80))", SLUG.strip())
    shop.restart()
    migrate(message="tighten")
    upgrade()


@right("7.2")
def test_slug_after_a_failure(shop: Workspace) -> None:
    script = generate(shop, SLUG, "slug")
    with suppress(IntegrityError):
        upgrade()
    run(f"DROP TABLE {LEFTOVER}")
    shop.edit(script, "nullable=False))", fill_then_tighten(SLUGS, "slug", 80))
    upgrade()


@right("7.2")
def test_slug_by_a_unique_index_and_python(shop: Workspace) -> None:
    script = generate(shop, SLUG.replace("unique=True", "index=True, unique=True"), "slug")
    loop = (
        "nullable=True))\n\n    query = sa.text('SELECT id, name FROM products')\n"
        "    for row in op.get_bind().execute(query).all():\n"
        "        slug = f'{row.name.lower()}-{row.id}'\n"
        "        op.execute(f\"UPDATE products SET slug = '{slug}' WHERE id = {row.id}\")\n\n"
        f"{BLOCK}        batch_op.alter_column('slug', existing_type=sa.String(80), nullable=False)"
    )
    shop.edit(script, "nullable=False))", loop)
    upgrade()


# --- 7.3 ---


@wrong("7.3", "The database is at 0001, and the column price is there already")
def test_price_filled_by_hand(shop: Workspace) -> None:
    run(APPLES, OTHERS)


@wrong("7.3", "Apple should cost 120; the table says NULL")
def test_price_stamped_only(shop: Workspace) -> None:
    stamp(revision="0002")


@wrong("7.3", "A product whose price is NULL is accepted")
def test_price_filled_and_stamped(shop: Workspace) -> None:
    run(APPLES, OTHERS)
    stamp(revision="0002")


@wrong("7.3", "The database is at 0001, and the column price is there already")
def test_price_only_in_the_script(shop: Workspace) -> None:
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    with suppress(OperationalError):
        upgrade()


@wrong("7.3", 'has no column "price"')
def test_price_only_the_column_dropped(shop: Workspace) -> None:
    run("ALTER TABLE products DROP COLUMN price")


@wrong("7.3", "In another shop, which is at 0001 and has products, one without a name: upgrade")
def test_price_for_the_rows_of_this_shop(shop: Workspace) -> None:
    more = " OR ".join(f"name = '{name}'" for name in ("Orange", "Banana"))
    update = f'op.execute("UPDATE products SET price = 100 WHERE {more}")'
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    {update}')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "products, one without a name: upgrade")
def test_price_for_what_has_another_name(shop: Workspace) -> None:
    """NULL is not unequal to Apple."""
    update = "UPDATE products SET price = 100 WHERE name != 'Apple'"
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{update}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "A product without a name should cost 100; the table says 0")
def test_price_free_for_what_has_no_name(shop: Workspace) -> None:
    update = "UPDATE products SET price = iif(name IS NULL, 0, 100) WHERE price IS NULL"
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{update}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "Apple should cost 120; the table says 100")
def test_price_others_fill_all(shop: Workspace) -> None:
    update = "UPDATE products SET price = 100"
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{update}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "A product whose price is NULL is accepted")
def test_price_never_tightened(shop: Workspace) -> None:
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    shop.edit(PRICE, "existing_type=sa.Integer(), nullable=False", "existing_type=sa.Integer()")
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "A product that says no price is accepted")
def test_price_by_a_default_that_stays(shop: Workspace) -> None:
    shop.edit(PRICE, "nullable=True)", "nullable=True, server_default='100')")
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "Models and database do not agree")
def test_price_may_be_null_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, "price: Mapped[int]", "price: Mapped[int | None]")
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "In another shop, which is at 0001 and has products, one without a name: upgrade")
def test_price_first_step_taken_out_for_good(shop: Workspace) -> None:
    """Here it runs: the column is there already."""
    add = "        batch_op.add_column(sa.Column('price', sa.Integer(), nullable=True))\n"
    shop.edit(PRICE, add, "        pass\n")
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    upgrade()


@wrong("7.3", "In another shop, which is at 0001 and has products, one without a name: upgrade")
def test_price_with_the_rows_out_of_the_way(shop: Workspace) -> None:
    """The shop is emptied, upgraded, and filled again."""
    run("DELETE FROM products", "ALTER TABLE products DROP COLUMN price")
    upgrade()
    rows = "(1, 'Apple', 120), (2, 'Orange', 100), (3, 'Banana', 100)"
    run(f"INSERT INTO products (id, name, price) VALUES {rows}")


@wrong("7.3", f'still has a table "{LEFTOVER}"')
def test_price_without_any_filling(shop: Workspace) -> None:
    shop.edit(PRICE, f'op.execute("{APPLES}")', "pass")
    run("ALTER TABLE products DROP COLUMN price")
    with suppress(IntegrityError):
        upgrade()


@wrong("7.3", "has lost a row that it had: 2, Orange")
def test_price_for_apples_only(shop: Workspace) -> None:
    """What stops the script is taken out of the shop."""
    run("DELETE FROM products WHERE name <> 'Apple'", "ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "The history has 2 heads")
def test_price_by_a_second_branch(shop: Workspace) -> None:
    revision(message="again", rev_id="0003", head="0001", splice=True)


@wrong("7.3", "The model has a default for price")
def test_price_with_a_default_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, "price: Mapped[int]", "price: Mapped[int] = mapped_column(default=100)")
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "products, one without a name: Pear should cost 100")
def test_price_free_for_what_is_not_sold_here(shop: Workspace) -> None:
    update = OTHERS.replace("100", "iif(name IN ('Orange', 'Banana'), 100, 0)")
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{update}")')
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "After a downgrade to 0001: The table products still has a column")
def test_price_without_a_way_back(shop: Workspace) -> None:
    """It seems to help: the column is not to be lost again."""
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    shop.edit(PRICE, "batch_op.drop_column('price')", "pass")
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@wrong("7.3", "On an empty database: Models and database do not agree")
def test_price_only_where_there_are_rows(shop: Workspace) -> None:
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    only_with_rows(shop, PRICE)
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@right("7.3")
def test_price_first_step_out_for_one_run(shop: Workspace) -> None:
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    whole = Path(PRICE).read_text("utf-8")
    add = "        batch_op.add_column(sa.Column('price', sa.Integer(), nullable=True))\n"
    shop.edit(PRICE, add, "        pass\n")
    upgrade()
    Path(PRICE).write_text(whole, "utf-8")


@right("7.3")
def test_price_by_a_default_that_is_dropped(shop: Workspace) -> None:
    shop.edit(PRICE, "nullable=True))", "nullable=False, server_default='100'))")
    shop.edit(PRICE, "existing_type=sa.Integer(), nullable=False", "server_default=None")
    run("ALTER TABLE products DROP COLUMN price")
    upgrade()


@right("7.3")
def test_price_with_a_first_step_that_looks(shop: Workspace) -> None:
    """Nothing is undone by hand: the script adds the column where it is not there yet."""
    add = "        batch_op.add_column("
    look = "sa.inspect(op.get_bind()).get_columns('products')"
    there = f"        if 'price' not in [column['name'] for column in {look}]:\n    "
    shop.edit(PRICE, add, there + add)
    shop.edit(PRICE, f'"{APPLES}")', f'"{APPLES}")\n    op.execute("{OTHERS}")')
    upgrade()
