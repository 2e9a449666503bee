"""Answers to the exercises of chapter 19, wrong and right."""

import importlib
import shutil
from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, stamp, upgrade
from workbook import Workspace, expect_error
from workbook.exercises.chapter_19 import (
    CODE,
    CURRENCY,
    MODELS,
    NAME,
    SEED_NOTHING,
    SEEDED,
    SEEDS,
    write_script,
)

VERSIONS = Path("migrations/versions")
BASELINE = str(VERSIONS / "0006_baseline.py")
COLUMN = "sa.Column('currency', sa.String(length=3), "
KEY = "sa.PrimaryKeyConstraint('id', name=op.f('pk_products'))"
DROP = "op.drop_table('products')"
REFUSE = "raise NotImplementedError('restore a backup')"
UNIQUE = "sa.UniqueConstraint('code', name=op.f('uq_products_code'))"
ADD_CURRENCY = "ALTER TABLE products ADD COLUMN currency VARCHAR(3) DEFAULT 'EUR' NOT NULL"
IN_CENTS = "UPDATE products SET price = price * 100"

LOOP = "    for name, price in PRICES.items():\n"
ASK = LOOP + "        if not db.session.scalar(db.select(Product).filter_by(name=name)):\n"
ADD = "            db.session.add(Product(name=name, price=price))\n"
COMMIT = "    db.session.commit()\n"
PLAIN = LOOP + ADD[4:] + COMMIT
OWN = f"prices = {SEEDED}"
ASK_FOR_KIWI = """    if db.session.scalar(db.select(Product).filter_by(name="Kiwi")):
        return
"""
PUT_BACK = f"""{LOOP}        found = db.session.scalar(db.select(Product).filter_by(name=name))
        product = found or Product(name=name)
        product.price = price
        db.session.add(product)
{COMMIT}"""
TAKE_OUT = "    db.session.execute(db.delete(Product).where(Product.name.in_(PRICES)))\n"


def write_seed(shop: Workspace, body: str, runs: int = 2, imports: str = "") -> None:
    Path(SEEDS).write_text(imports + SEED_NOTHING + body, "utf-8")
    shop.restart()
    for _ in range(runs):
        importlib.import_module("flask_app.seeds").seed()


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


# --- 19.1 ---


@wrong(
    "19.1", "On a shop as at the start: There should be one Cherry in the table, and there are 2"
)
def test_the_seed_of_an_earlier_chapter(shop: Workspace) -> None:
    write_seed(shop, PLAIN)


@wrong("19.1", "after a second run: There should be one Kiwi in the table, and there are 2")
def test_only_the_cherry_is_looked_for(shop: Workspace) -> None:
    cherry = "db.session.scalar(db.select(Product).filter_by(name='Cherry'))"
    ask = f"        if name != 'Cherry' or not {cherry}:\n"
    write_seed(shop, LOOP + ask + ADD + COMMIT)


@wrong("19.1", "There should be one Cherry in the table, and there are 2")
def test_the_seed_of_an_earlier_chapter_once(shop: Workspace) -> None:
    write_seed(shop, PLAIN, runs=1)


@wrong("19.1", "seed() is right now, but there is no Kiwi here: run it.")
def test_written_and_never_run(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT, runs=0)


@wrong(
    "19.1",
    "seed() is right now, but an earlier run left 2 rows of Kiwi here: keep the first, or begin"
    ' anew with exercise("19.1") and run the %%writefile cell again.',
)
def test_right_after_two_plain_runs(shop: Workspace) -> None:
    write_seed(shop, PLAIN)
    run_by_hand("DELETE FROM products WHERE name = 'Cherry' AND price = 450")
    write_seed(shop, ASK + ADD + COMMIT)


@wrong("19.1", "seed() is right now, but product 4, Cherry, cost 390 and costs 450 here")
def test_right_after_the_price_was_put_back(shop: Workspace) -> None:
    write_seed(shop, PUT_BACK)
    write_seed(shop, ASK + ADD + COMMIT)


@wrong("19.1", "seed() is right now, but product 4, Cherry, is gone here")
def test_right_after_all_were_taken_out(shop: Workspace) -> None:
    write_seed(shop, TAKE_OUT + PLAIN)
    write_seed(shop, ASK + ADD + COMMIT)


@wrong("19.1", "There is no Kiwi in the table. (Only what is committed counts.)")
def test_no_commit(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD)


@wrong("19.1", "On a shop as at the start: There is no Kiwi in the table")
def test_no_commit_in_the_seed_itself(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD)
    from flask_app import db

    db.session.commit()


@wrong("19.1", "On a shop as at the start: There is no Kiwi in the table")
def test_put_in_by_hand(shop: Workspace) -> None:
    run_by_hand("INSERT INTO products (name, price) VALUES ('Kiwi', 50), ('Melon', 300)")


@wrong("19.1", "There should be one Cherry in the table, and there are 2")
def test_known_by_name_and_price(shop: Workspace) -> None:
    write_seed(shop, ASK.replace("=name)", "=name, price=price)") + ADD + COMMIT)


@wrong("19.1", "Product 4, Cherry, cost 390 and costs 450 now: what is there stays as it is.")
def test_the_price_put_back(shop: Workspace) -> None:
    write_seed(shop, PUT_BACK)


@wrong("19.1", "has run again: There should be one Kiwi in the table, and there are 2")
def test_a_price_of_nothing_taken_for_nothing(shop: Workspace) -> None:
    body = ASK.replace("(Product).", "(Product.price).").replace("filter_by(", "where(Product.")
    write_seed(shop, body.replace("=name)", " == name)") + ADD + COMMIT)


@wrong("19.1", "Product 4, Cherry, is gone")
def test_taken_out_and_put_in_anew(shop: Workspace) -> None:
    write_seed(shop, TAKE_OUT + PLAIN)


@wrong("19.1", "after Cherry was deleted, and seed() has run again: There is no Cherry")
def test_nothing_to_do_if_the_kiwi_is_there(shop: Workspace) -> None:
    write_seed(shop, ASK_FOR_KIWI + ASK + ADD + COMMIT)


@wrong("19.1", "after Kiwi was deleted, and seed() has run again: There is no Kiwi")
def test_nothing_to_do_if_the_melon_is_there(shop: Workspace) -> None:
    write_seed(shop, ASK_FOR_KIWI.replace("Kiwi", "Melon") + ASK + ADD + COMMIT)


@wrong("19.1", "after a fourth name came into PRICES: There is no Plum in the table.")
def test_a_second_dictionary(shop: Workspace) -> None:
    write_seed(shop, f"    {OWN}\n{ASK.replace('PRICES', 'prices')}{ADD}{COMMIT}")


@wrong("19.1", "There is no dictionary PRICES in flask_app/seeds.py any more.")
def test_the_prices_moved_away(shop: Workspace) -> None:
    write_seed(shop, f"    {OWN}\n{ASK.replace('PRICES', 'prices')}{ADD}{COMMIT}")
    shop.edit(SEEDS, "PRICES = {", "OLD = {")


@wrong("19.1", "after a fourth name came into PRICES: A new Plum should cost 75")
def test_prices_by_hand(shop: Workspace) -> None:
    body = ASK + ADD.replace("price=price", 'price={"Kiwi": 50, "Melon": 300}.get(name, 450)')
    write_seed(shop, body + COMMIT)


@wrong("19.1", "has run again: Product 5, Kiwi, cost 0 and costs 50 now")
def test_only_the_cherry_is_spared(shop: Workspace) -> None:
    body = f"""{ASK}{ADD}        elif name != "Cherry":
            db.session.execute(db.update(Product).filter_by(name=name).values(price=price))
"""
    write_seed(shop, body + COMMIT)


@wrong("19.1", "after a second run: Product 5, Kiwi, is gone")
def test_only_the_cherry_is_not_put_in_anew(shop: Workspace) -> None:
    body = LOOP.replace("PRICES", "{n: p for n, p in PRICES.items() if n != 'Cherry'}")
    out = body + "        db.session.execute(db.delete(Product).where(Product.name == name))\n"
    write_seed(shop, out + ADD[4:] + COMMIT)


@wrong(
    "19.1", "after Cherry was deleted, and seed() has run again: There is no Cherry in the table"
)
def test_the_cherry_is_left_out(shop: Workspace) -> None:
    write_seed(shop, ASK.replace("if not", "if name != 'Cherry' and not") + ADD + COMMIT)


@wrong("19.1", "There is no Kiwi in the table")
def test_only_into_an_empty_table(shop: Workspace) -> None:
    write_seed(shop, "    if db.session.scalar(db.select(Product)):\n        return\n" + PLAIN)


@wrong("19.1", "On a database with other products: There is no Kiwi in the table")
def test_known_by_a_part_of_the_name(shop: Workspace) -> None:
    body = ASK.replace("filter_by(name=name)", "where(Product.name.startswith(name))")
    write_seed(shop, body + ADD + COMMIT)


@wrong("19.1", "after a fourth name came into PRICES: There is no Plum in the table")
def test_known_by_their_numbers(shop: Workspace) -> None:
    body = """    for key, name in ((5, "Kiwi"), (4, "Cherry"), (6, "Melon")):
        if not db.session.get(Product, key):
            db.session.add(Product(id=key, name=name, price=PRICES[name]))
"""
    write_seed(shop, body + COMMIT)


@wrong("19.1", "A new Kiwi should cost 50; the table says 0")
def test_no_prices(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD.replace(", price=price", "") + COMMIT)


@wrong("19.1", "There is no function seed in flask_app/seeds.py")
def test_a_function_of_another_name(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT)
    shop.edit(SEEDS, "def seed():", "def put_in():")


@wrong("19.1", "flask_app/seeds.py cannot be imported: ImportError")
def test_a_file_that_imports_what_is_not_there(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT)
    shop.edit(SEEDS, "import Product", "import Product, Prices")


@wrong("19.1", "flask_app/seeds.py cannot be imported: SyntaxError")
def test_a_file_that_is_no_python(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT)
    shop.edit(SEEDS, "def seed():", "def seed()")


@wrong("19.1", "has run again: seed() fails: AttributeError")
def test_a_seed_for_this_shop_only(shop: Workspace) -> None:
    cherry = "    cherry = db.session.scalar(db.select(Product).filter_by(name='Cherry'))\n"
    write_seed(shop, cherry + "    cherry.price += 0\n" + ASK + ADD + COMMIT)


@wrong("19.1", "On a shop as at the start: There is no Kiwi in the table")
def test_a_data_migration_and_no_seed(shop: Workspace) -> None:
    rows = "('Kiwi', 50), ('Melon', 300)"
    up = f'op.execute("INSERT INTO products (name, price) VALUES {rows}")'
    write_script("0003", "0002", "seed", up, "pass")
    upgrade()


@right("19.1")
def test_sql_that_looks_for_itself(shop: Workspace) -> None:
    body = f"""{LOOP}        db.session.execute(
            db.text(
                "INSERT INTO products (name, price) SELECT :name, :price"
                " WHERE NOT EXISTS (SELECT 1 FROM products WHERE name = :name)"
            ),
            {{"name": name, "price": price}},
        )
"""
    write_seed(shop, body + COMMIT)


@right("19.1")
def test_all_names_in_one_query_and_other_prices_tried_out(shop: Workspace) -> None:
    body = """    there = set(db.session.scalars(db.select(Product.name)))
    new = [Product(name=n, price=p) for n, p in PRICES.items() if n not in there]
    db.session.add_all(new)
"""
    write_seed(shop, body + COMMIT)
    run_by_hand("UPDATE products SET price = 65 WHERE name = 'Kiwi'")


@right("19.1")
def test_an_administrator_changes_what_was_there(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT)
    run_by_hand("UPDATE products SET price = price + 5")
    importlib.import_module("flask_app.seeds").seed()


@right("19.1")
def test_mended_by_hand_after_two_plain_runs(shop: Workspace) -> None:
    write_seed(shop, PLAIN)
    run_by_hand("DELETE FROM products WHERE id NOT IN (SELECT min(id) FROM products GROUP BY name)")
    write_seed(shop, ASK + ADD + COMMIT)


@right("19.1")
def test_a_unique_name_and_insert_or_ignore(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME.replace("(50)", "(50), unique=True"))
    shop.restart()
    migrate(message="unique names", rev_id="0003")
    upgrade()
    body = f"""{LOOP}        new = insert(Product).values(name=name, price=price)
        db.session.execute(new.on_conflict_do_nothing())
"""
    write_seed(shop, body + COMMIT, imports="from sqlalchemy.dialects.sqlite import insert\n")


@right("19.1")
def test_the_seed_is_run_by_a_command(shop: Workspace) -> None:
    write_seed(shop, ASK + ADD + COMMIT, runs=0)
    command = '\n\n@shop.cli.command("seed")\ndef seed_command():\n    seed()\n'
    shop.edit("flask_app/routes.py", 'World!</h1>"\n', f'World!</h1>"\n{command}')
    shop.edit("flask_app/routes.py", "\nshop =", "\nfrom .seeds import seed\n\nshop =")
    shop.edit("flask_app/routes.py", "__name__)", "__name__, cli_group=None)")
    shop.restart()
    from flask import current_app

    for _ in SEEDED:
        current_app.test_cli_runner().invoke(args=["seed"])


# --- 19.2 ---


def mend_baseline(
    shop: Workspace, default: bool = True, unique: bool = True, down: str = REFUSE
) -> None:
    if default:
        shop.edit(BASELINE, COLUMN, COLUMN + "server_default='EUR', ")
    if unique:
        shop.edit(BASELINE, KEY, f"{KEY},\n    {UNIQUE}")
    if down:
        shop.edit(BASELINE, DROP, down)


def swap(old: str, new: str) -> None:
    VERSIONS.rename(new)
    Path(old).rename(VERSIONS)


def go_the_old_way(begin: str = "0003") -> None:
    swap("old_versions", "new_versions")
    stamp(revision=begin, purge=True)
    upgrade()


def mend_database() -> None:
    go_the_old_way()
    swap("new_versions", "old_versions")
    stamp(revision="0006", purge=True)


def add_unique_by_hand(add_currency: str = ADD_CURRENCY, *more: str) -> None:
    """SQLite adds no constraint to a table, so make another table."""
    run_by_hand(
        add_currency,
        "ALTER TABLE products RENAME TO old",
        "CREATE TABLE products (id INTEGER NOT NULL, name VARCHAR(50),"
        " price INTEGER DEFAULT '0' NOT NULL, code VARCHAR(20),"
        " currency VARCHAR(3) DEFAULT 'EUR' NOT NULL,"
        " CONSTRAINT pk_products PRIMARY KEY (id), CONSTRAINT uq_products_code UNIQUE (code))",
        "INSERT INTO products SELECT id, name, price, code, currency FROM old",
        "DROP TABLE old",
        *more,
    )


@wrong("19.2", 'The table products has no column "currency"')
def test_only_the_baseline_mended(shop: Workspace) -> None:
    mend_baseline(shop)
    upgrade()


@wrong("19.2", 'The table products has no column "currency"')
def test_models_cut_down_to_the_database(shop: Workspace) -> None:
    shop.edit(MODELS, CURRENCY, "")
    shop.edit(MODELS, CODE, CODE.replace(", unique=True", ""))


@wrong("19.2", "On an empty database: A product without a price and a currency is refused")
def test_only_the_database_mended(shop: Workspace) -> None:
    mend_database()
    shop.edit(BASELINE, KEY, f"{KEY},\n    {UNIQUE}")


@wrong("19.2", "On an empty database: Models and database do not agree: migrate() would write")
def test_the_unique_constraint_forgotten(shop: Workspace) -> None:
    mend_database()
    mend_baseline(shop, unique=False)


@wrong("19.2", "Apple should cost 300 EUR cents; the table says 3 EUR")
def test_generated_and_run(shop: Workspace) -> None:
    migrate(message="add currency", rev_id="0007")
    upgrade()


@wrong("19.2", "On an empty database: upgrade")
def test_generated_with_the_cents(shop: Workspace) -> None:
    migrate(message="add currency", rev_id="0007")
    upgrade()
    run_by_hand(IN_CENTS)


@wrong("19.2", "On a shop that was whole when it was stamped: upgrade")
def test_a_script_for_this_shop_and_a_baseline_cut_down(shop: Workspace) -> None:
    migrate(message="add currency", rev_id="0007")
    (script,) = VERSIONS.glob("0007_*.py")
    shop.edit(str(script), "def upgrade():\n", f'def upgrade():\n    op.execute("{IN_CENTS}")\n')
    column = "    sa.Column('currency', sa.String(length=3), nullable=False),\n"
    shop.edit(BASELINE, column, "")
    upgrade()


@wrong("19.2", "On a shop that was whole when it was stamped: upgrade() changes the products")
def test_a_script_that_multiplies_everywhere(shop: Workspace) -> None:
    mend_baseline(shop)
    add_unique_by_hand()
    write_script("0007", "0006", "cents", f'op.execute("{IN_CENTS}")', "pass")
    upgrade()


@wrong("19.2", "Apple should cost 300 EUR cents; the table says 3 EUR")
def test_by_hand_without_the_cents(shop: Workspace) -> None:
    mend_baseline(shop)
    add_unique_by_hand()


@wrong("19.2", "Apple should cost 300 EUR cents; the table says 30000 EUR")
def test_cents_twice(shop: Workspace) -> None:
    mend_baseline(shop)
    mend_database()
    run_by_hand(IN_CENTS)


@wrong("19.2", "Models and database do not agree: migrate() would write add_constraint")
def test_by_hand_without_the_constraint(shop: Workspace) -> None:
    mend_baseline(shop)
    run_by_hand(ADD_CURRENCY, IN_CENTS)


@wrong("19.2", "A product without a price and a currency is refused")
def test_a_default_for_the_old_rows_only(shop: Workspace) -> None:
    mend_baseline(shop)
    mend_database()
    up = """with op.batch_alter_table('products') as batch_op:
        batch_op.alter_column('currency', existing_type=sa.String(3), server_default=None)"""
    write_script("0007", "0006", "no default", up, "pass")
    upgrade()


@wrong("19.2", "The history should begin with the baseline, 0006, not with 0001")
def test_the_squash_taken_back(shop: Workspace) -> None:
    go_the_old_way()


@wrong("19.2", "The history should begin with the baseline, 0006, not with 0001")
def test_the_baseline_put_behind_the_old_scripts(shop: Workspace) -> None:
    go_the_old_way()
    write_script("0006", "0005", "baseline", "pass", "pass")
    upgrade()


@wrong("19.2", "The database is at 0005, not at 0006")
def test_the_last_stamp_forgotten(shop: Workspace) -> None:
    mend_baseline(shop)
    go_the_old_way()
    swap("new_versions", "old_versions")


@wrong("19.2", "The history has 2 heads, 0005, 0006")
def test_the_old_scripts_left_beside_the_baseline(shop: Workspace) -> None:
    mend_baseline(shop)
    for script in Path("old_versions").glob("*.py"):
        shutil.copy(script, VERSIONS)
    stamp(revision="0003", purge=True)
    upgrade(revision="0005")


@wrong("19.2", 'The table products has no column "currency"')
def test_stamped_again_before_0004(shop: Workspace) -> None:
    mend_baseline(shop)
    with expect_error("OperationalError"):
        go_the_old_way("0002")
    swap("new_versions", "old_versions")
    stamp(revision="0006", purge=True)


@wrong("19.2", 'The table products has no column "currency"')
def test_stamped_too_far(shop: Workspace) -> None:
    mend_baseline(shop)
    go_the_old_way("0004")
    swap("new_versions", "old_versions")
    stamp(revision="0006", purge=True)


@wrong("19.2", "The table products has lost a row that it had: 1, Apple, A1")
def test_a_new_database_without_the_rows(shop: Workspace) -> None:
    mend_baseline(shop, down="")
    downgrade(revision="base")
    upgrade()


@wrong("19.2", "On an empty database")
def test_the_baseline_emptied(shop: Workspace) -> None:
    mend_database()
    write_script("0006", None, "baseline", "pass", "pass")


@wrong("19.2", "downgrade() goes below the baseline, 0006: it should raise an error")
def test_the_baseline_still_drops_the_table(shop: Workspace) -> None:
    mend_baseline(shop, down="")
    mend_database()


@wrong("19.2", "downgrade() goes below the baseline, 0006: it should raise an error")
def test_the_way_down_emptied(shop: Workspace) -> None:
    mend_baseline(shop, down="pass")
    mend_database()


@wrong("19.2", "A downgrade of the baseline is refused, but changes the products")
def test_the_refusal_comes_too_late(shop: Workspace) -> None:
    mend_baseline(shop, down=f"{DROP}\n    {REFUSE}")
    mend_database()


@right("19.2")
def test_a_refusal_that_flask_migrate_turns_into_an_exit(shop: Workspace) -> None:
    mend_baseline(shop, down="raise RuntimeError('restore a backup')")
    mend_database()


@right("19.2")
def test_by_hand(shop: Workspace) -> None:
    mend_baseline(shop)
    add_unique_by_hand(ADD_CURRENCY, IN_CENTS)


@right("19.2")
def test_the_old_scripts_beside_the_baseline_for_a_while(shop: Workspace) -> None:
    mend_baseline(shop)
    copies = [shutil.copy(script, VERSIONS) for script in Path("old_versions").glob("*.py")]
    stamp(revision="0003", purge=True)
    upgrade(revision="0005")
    stamp(revision="0006", purge=True)
    for copy in copies:
        Path(copy).unlink()


@right("19.2")
def test_a_script_that_looks_first(shop: Workspace) -> None:
    mend_baseline(shop)
    migrate(message="add currency", rev_id="0007")
    (script,) = VERSIONS.glob("0007_*.py")
    columns = '[c["name"] for c in sa.inspect(op.get_bind()).get_columns("products")]'
    look = f'    if "currency" in {columns}:\n        return\n    op.execute("{IN_CENTS}")\n'
    shop.edit(str(script), "def upgrade():\n", "def upgrade():\n" + look)
    text = script.read_text("utf-8").partition("def downgrade")[0]
    script.write_text(f"{text}def downgrade():\n    pass\n", "utf-8")
    upgrade()


@right("19.2")
def test_a_baseline_generated_anew(shop: Workspace) -> None:
    mend_database()
    Path(BASELINE).unlink()
    shop.restart("sqlite:///new.db")
    migrate(message="squashed", rev_id="0006")
    (script,) = VERSIONS.glob("0006_*.py")
    shop.edit(str(script), DROP, REFUSE)
    shop.restart()
