"""The exercises of chapter 19, Ship it."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask_migrate import migrate, stamp, upgrade
from sqlalchemy.exc import IntegrityError

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial, told

SEEDS = "flask_app/seeds.py"
PRICE = '    price: Mapped[int] = mapped_column(server_default="0")\n'
CODE = "    code: Mapped[str | None] = mapped_column(String(20), unique=True)\n"
CURRENCY = '    currency: Mapped[str] = mapped_column(String(3), server_default="EUR")\n'
SEEDED = {"Kiwi": 50, "Cherry": 450, "Melon": 300}

Rows = Mapping[int, tuple[str | int | None, ...]]

PRICED: Rows = {1: ("Apple", 120), 2: ("Orange", 80), 3: ("Banana", 50), 4: ("Cherry", 390)}
OTHERS: Rows = {
    1: ("Kiwi, green", 70),
    2: (None, 0),
    4: ("Melon", 1),
    5: ("kiwifruit", 20),
    6: ("Leek", 90),
    7: ("Salt", 40),
}
PLACES = {
    "On a shop as at the start": PRICED,
    "On an empty database": {},
    "On a database with other products": OTHERS,
}
FOURTH = {"Plum": 75}
ANEW = 'or begin anew with exercise("19.1") and run the %%writefile cell again.'

CODED: Rows = {1: ("Apple", 3, "A1"), 2: ("Orange", 2, "F7"), 3: ("Banana", 1, None)}
CENTS = {"Apple": 300, "Orange": 200, "Banana": 100}
WHOLE: Rows = {1: ("Fig", 250, "A1", "USD"), 2: (None, 0, None, "EUR")}

SEED_NOTHING = '''"""Products that every shop begins with."""

from .database import db
from .models import Product

PRICES = {"Kiwi": 50, "Cherry": 450, "Melon": 300}


def seed():
    """Put in those that are not there yet, and commit."""
'''
SCRIPT = '''"""{message}

Revision ID: {revision}
Revises: {parent}

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '{revision}'
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade():
    {up}


def downgrade():
    {down}
'''
BATCH = """with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op."""
ADD = BATCH + "add_column(sa.Column({column}))"
DROP = BATCH + "drop_column('{name}')"
SET_PRICE = "UPDATE products SET price ="
IN_EURO = "'currency', sa.String(length=3), server_default='EUR', nullable=False"
UNIQUE = "create_unique_constraint(batch_op.f('uq_products_code'), ['code'])"
NOT_UNIQUE = "drop_constraint(batch_op.f('uq_products_code'), type_='unique')"
STEPS = (
    (
        "add price",
        ADD.format(column="'price', sa.Integer(), server_default='0', nullable=False"),
        DROP.format(name="price"),
    ),
    (
        "add code",
        ADD.format(column="'code', sa.String(length=20), nullable=True"),
        DROP.format(name="code"),
    ),
    (
        "cents",
        f'op.execute("{SET_PRICE} price * 100")\n    {ADD.format(column=IN_EURO)}',
        f'{DROP.format(name="currency")}\n    op.execute("{SET_PRICE} price / 100")',
    ),
    ("unique codes", BATCH + UNIQUE, BATCH + NOT_UNIQUE),
)
BASELINE = """op.create_table('products',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=50), nullable=True),
    sa.Column('code', sa.String(length=20), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('price', sa.Integer(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_products'))
    )"""
WHOLE_SHOP = (
    """CREATE TABLE products (
        id INTEGER NOT NULL,
        name VARCHAR(50),
        price INTEGER DEFAULT '0' NOT NULL,
        code VARCHAR(20),
        currency VARCHAR(3) DEFAULT 'EUR' NOT NULL,
        CONSTRAINT pk_products PRIMARY KEY (id),
        CONSTRAINT uq_products_code UNIQUE (code)
    )""",
    """CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL,
        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )""",
    "INSERT INTO alembic_version VALUES ('0006')",
)


def put_in(trial: Trial, columns: str, rows: Rows) -> None:
    """Put products with an id and values in these columns into the copy's database."""
    names = columns.split(", ")
    values = ", ".join(f":{name}" for name in names)
    for key, row in rows.items():
        statement = f"INSERT INTO products (id, {columns}) VALUES ({key}, {values})"
        trial.sql(statement, **dict(zip(names, row, strict=True)))


def products(trial: Trial, columns: str) -> Rows:
    """The products in the copy's database: by their id the values in these columns."""
    names = ["id", *columns.split(", ")]
    return {int(key): tuple(row) for key, *row in trial.values("products", names)}


# --- 19.1 ---


def with_a_seed_to_write(shop: Workspace) -> None:
    """0002 adds the price; the seed is there, and puts nothing in yet."""
    shop.edit(MODELS, NAME, NAME + PRICE)
    shop.restart()
    migrate(message="add price", rev_id="0002")
    upgrade()
    from flask_app import Product, db

    db.session.execute(db.delete(Product))
    rows = PRICED.items()
    db.session.add_all(Product(id=key, name=name, price=price) for key, (name, price) in rows)
    db.session.commit()
    Path(SEEDS).write_text(SEED_NOTHING, "utf-8")


def seeds() -> Any:
    """The copy's module with the seed."""
    try:
        return importlib.import_module("flask_app.seeds")
    except Exception as error:
        raise NotYet(f"{SEEDS} cannot be imported: {told(error)}") from error


def run_seed(trial: Trial) -> None:
    """Call the copy's seed(); what it does not commit is lost."""
    module = seeds()
    need(callable(getattr(module, "seed", None)), f"There is no function seed in {SEEDS}.")
    try:
        module.seed()
    except (Exception, SystemExit) as error:
        raise NotYet(f"seed() fails: {told(error)}") from error
    finally:
        trial.db.session.remove()


def need_run(trial: Trial, before: Rows, seeded: Mapping[str, int] = SEEDED) -> Rows:
    """After a run each product of the seed is there once, and what was before is as it was.

    Returns the products that are there then.
    """
    run_seed(trial)
    found = products(trial, "name, price")
    for key, (name, price) in before.items():
        there, now = found.get(key, (None, None))
        need(key in found and there == name, f"Product {key}, {name}, is gone.")
        line = f"Product {key}, {name}, cost {price} and costs {now} now: what is there stays"
        need(now == price, f"{line} as it is.")
    named = [name for name, _ in found.values()]
    for name in seeded:
        count = named.count(name)
        need(count, f"There is no {name} in the table. (Only what is committed counts.)")
        need(count == 1, f"There should be one {name} in the table, and there are {count}.")
    for key, (name, price) in found.items():
        wanted = price if key in before else seeded.get(str(name), price)
        need(price == wanted, f"A new {name} should cost {wanted}; the table says {price}.")
    return found


def need_run_changes_nothing(trial: Trial) -> None:
    """Where all of the seed is there, the seed does nothing."""
    before = products(trial, "name, price")
    more = len(need_run(trial, before)) - len(before)
    need(not more, f"The table has more products than before: {more}.")


def judge_seed(trial: Trial) -> None:
    """The seed puts in what is missing, whatever is there, and nothing else."""
    trial.need_column("products", "name")
    trial.need_column("products", "price")
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    for place, others in PLACES.items():
        with where(place), trial.empty_database():
            trial.upgrade()
            trial.sql("DELETE FROM products")
            put_in(trial, "name, price", others)
            need_runs(trial, others)
    need_seeded_here(trial)
    with where("After another run of seed()"):
        need_run_changes_nothing(trial)


def need_runs(trial: Trial, others: Rows) -> None:
    """The seed puts in what is missing, then and later, and nothing more."""
    need_run(trial, others)
    with where("after a second run"):
        need_run_changes_nothing(trial)
    with where("after an administrator has set other prices, and seed() has run again"):
        trial.sql("UPDATE products SET price = id - 1")
        trial.sql("UPDATE products SET price = 0 WHERE name = 'Kiwi'")
        need_run_changes_nothing(trial)
    for name in SEEDED:
        with where(f"after {name} was deleted, and seed() has run again"):
            trial.sql("DELETE FROM products WHERE name = :name", name=name)
            need_run(trial, products(trial, "name, price"))
    with where("after a fourth name came into PRICES"):
        prices: Any = getattr(seeds(), "PRICES", None)
        need(isinstance(prices, dict), f"There is no dictionary PRICES in {SEEDS} any more.")
        prices.update(FOURTH)
        try:
            need_run(trial, products(trial, "name, price"), SEEDED | FOURTH)
        finally:
            for name in FOURTH:
                prices.pop(name, None)


def need_seeded_here(trial: Trial) -> None:
    """The shop itself has the seed's products, and no traces of a seed that was wrong."""
    found = products(trial, "name, price")
    for key, (name, price) in PRICED.items():
        there, now = found.get(key, (None, None))
        said = f"seed() is right now, but product {key}, {name},"
        need(there == name, f"{said} is gone here: put it back, {ANEW}")
        overwritten = now != price and now == SEEDED.get(str(name))
        line = f"{said} cost {price} and costs {now} here: set it back, {ANEW}"
        need(not overwritten, line)
    named = [name for name, _ in found.values()]
    for name in SEEDED:
        count = named.count(name)
        need(count, f"seed() is right now, but there is no {name} here: run it.")
        line = f"seed() is right now, but an earlier run left {count} rows of {name} here: keep"
        need(count == 1, f"{line} the first, {ANEW}")


# --- 19.2 ---


def write_script(revision: str, parent: str | None, message: str, up: str, down: str) -> None:
    """A script of the shop."""
    file = Path("migrations", "versions", f"{revision}_{message.replace(' ', '_')}.py")
    parts = {"message": message, "revision": revision, "parent": parent}
    file.write_text(SCRIPT.format(**parts, up=up, down=down), "utf-8")


def with_a_bad_squash(shop: Workspace) -> None:
    """Five scripts in old_versions/, a baseline that forgot something, and a hasty stamp."""
    for number, (message, up, down) in enumerate(STEPS, 2):
        write_script(f"{number:04}", f"{number - 1:04}", message, up, down)
    upgrade(revision="0003")
    from flask_app import db

    for key, (_, price, code) in CODED.items():
        values = {"key": key, "price": price, "code": code}
        statement = "UPDATE products SET price = :price, code = :code WHERE id = :key"
        db.session.execute(db.text(statement), values)
    db.session.commit()
    versions = Path("migrations", "versions")
    versions.rename("old_versions")
    versions.mkdir()
    write_script("0006", None, "baseline", BASELINE, "op.drop_table('products')")
    shop.edit(MODELS, NAME, NAME + CODE + CURRENCY + PRICE)
    shop.restart()
    stamp(revision="0006", purge=True)


def judge_squash(trial: Trial) -> None:
    """The shop's database, new ones and whole ones have the same, and the rows are right."""
    trial.need_rows_kept(columns=["id", "name", "code"])
    trial.need_column("products", "currency")
    trial.need_one_head()
    trial.need_at_head()
    first = next(iter(trial.scripts))
    need(first == "0006", f"The history should begin with the baseline, 0006, not with {first}.")
    need_prices(trial)
    trial.need_models_agree()
    need_constraints(trial)
    with where("On an empty database"), trial.empty_database():
        trial.upgrade()
        trial.need_models_agree()
        need_constraints(trial)
    with where("On a shop that was whole when it was stamped"), trial.empty_database():
        for statement in WHOLE_SHOP:
            trial.sql(statement)
        columns = "name, price, code, currency"
        put_in(trial, columns, WHOLE)
        trial.upgrade()
        need(products(trial, columns) == WHOLE, "upgrade() changes the products.")
        trial.need_models_agree()
        need_constraints(trial)
        need_no_way_back(trial)


def need_no_way_back(trial: Trial) -> None:
    """A downgrade below the baseline is refused, and takes nothing away."""
    trial.sql("UPDATE alembic_version SET version_num = '0006'")  # past what may stand above it
    before = trial.now.tables["products"]
    try:
        trial.downgrade("base")
    except NotYet:
        after = trial.now.tables.get("products")
        need(after == before, "A downgrade of the baseline is refused, but changes the products.")
        need("0006" in trial.current, "A downgrade is refused, but the database is not at 0006.")
        return
    raise NotYet("downgrade() goes below the baseline, 0006: it should raise an error.")


def need_prices(trial: Trial) -> None:
    """The products of the start cost what the old scripts make of their prices."""
    for key, (name, price, currency) in products(trial, "name, price, currency").items():
        if key in CODED:
            wanted = CENTS[str(name)]
            line = f"{name} should cost {wanted} EUR cents; the table says {price} {currency}."
            need((price, currency) == (wanted, "EUR"), line)


def need_constraints(trial: Trial) -> None:
    """What the models say of a product without values, and of a second equal code, holds."""
    try:
        put_in(trial, "name", {901: ("Leek",)})
    except IntegrityError as error:
        line = "A product without a price and a currency is refused; the models have defaults."
        raise NotYet(line) from error
    found = products(trial, "price, currency")[901]
    need(found == (0, "EUR"), f"A product without values should get 0 EUR, not {found}.")
    put_in(trial, "code", {902: ("X9",)})
    try:
        put_in(trial, "code", {903: ("X9",)})
    except IntegrityError:
        trial.sql("DELETE FROM products WHERE id > 900")
        return
    raise NotYet("The table takes two products with the same code.")


EXERCISES = (
    Exercise(
        "19.1",
        "A seed that runs twice",
        judge_seed,
        "However often it runs, each product is there once, and nobody's price is touched.",
        (
            "What tells you that a product is there already? Its price may have been changed, and"
            " its number may be any.",
            "Go through `PRICES.items()`. For each name, ask the table, as the chapter did for its"
            " Kiwi, and put a product in only if the answer is nothing.",
            "`if not db.session.scalar(db.select(Product).filter_by(name=name)):`, in it"
            " `db.session.add(...)`, and after the loop one `db.session.commit()`.",
        ),
        with_a_seed_to_write,
    ),
    Exercise(
        "19.2",
        "A squash gone wrong",
        judge_squash,
        "New, old and repaired databases have the same schema, the prices are in cents, and the"
        " baseline drops nothing.",
        (
            "Compare the shop's columns with what the five scripts make, one after the other. At"
            " which of them was it really? And what do the rest do, besides adding columns?",
            "The old scripts still work: put them back into `migrations/versions` for a while,"
            " stamp the truth (`0006` is not among them: `purge=True`), and upgrade. As to the"
            " baseline: for each line of the old scripts, is there a line in it?",
            "It was at `0003`: `stamp`, `upgrade`, then put the baseline back and `stamp` `0006`,"
            " both with `purge=True`. The baseline lacks `server_default='EUR'` and"
            " `sa.UniqueConstraint('code', name=op.f('uq_products_code'))`, and its `downgrade()`"
            " should be a `raise NotImplementedError(...)`.",
        ),
        with_a_bad_squash,
    ),
)
