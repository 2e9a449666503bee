"""The exercises of chapter 4, Go back."""

import shutil

from flask_migrate import downgrade, migrate, upgrade

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, need
from .trial import Trial

COLOUR = "    colour: Mapped[str | None] = mapped_column(String(20))\n"
PRICE = "    price: Mapped[int | None]\n"
STOCK = "    stock: Mapped[int | None]\n"
COLOURS = {"Apple": "red", "Orange": "orange", "Banana": "yellow"}
SAVED = {"Apple": 125, "Orange": 85, "Banana": 55}
PRICES = SAVED | {"Cherry": 310}
STOCKS = {"Apple": 40, "Orange": 25, "Banana": 0}
DROP_STOCK = "        batch_op.drop_column('stock')\n"


def add_columns(shop: Workspace, lines: str, message: str) -> None:
    """Revision 0002 adds the columns of these lines of the model."""
    shop.edit(MODELS, NAME, NAME + lines)
    shop.restart()
    migrate(message=message, rev_id="0002")
    upgrade()


def write(column: str, values: dict[str, int] | dict[str, str]) -> None:
    """Give the products of these names their values in the column."""
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        setattr(product, column, values[product.name])
    db.session.commit()


def with_colours(shop: Workspace) -> None:
    """Revision 0002 adds the colour, and each fruit has one."""
    add_columns(shop, COLOUR, "add colour")
    write("colour", COLOURS)


def judge_no_colour(trial: Trial) -> None:
    """The column, its script and the line in the model are gone."""
    gone = [revision for revision in trial.current if revision not in trial.scripts]
    line = f"The database is at {', '.join(gone)}, and the script that leads back is gone."
    need(not gone, line)
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_no_column("products", "colour")
    need("0002" not in trial.scripts, "The script of 0002 is still in migrations/versions/.")
    need([*trial.scripts] == ["0001"], "The history should end at 0001, without a new script.")
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()


def with_lost_prices(shop: Workspace) -> None:
    """A copy has the prices; the shop's own were lost on the way back, and a cherry came in."""
    add_columns(shop, PRICE, "add price")
    write("price", SAVED)
    from flask_app import Product, db

    db.session.remove()
    db.engine.dispose()
    shutil.copyfile("instance/app.db", "instance/copy.db")
    downgrade()
    upgrade()
    db.session.add(Product(name="Cherry", price=PRICES["Cherry"]))
    db.session.commit()


def judge_prices_back(trial: Trial) -> None:
    """The prices of the copy are back, and what came in since is still there."""
    trial.need_column("products", "price")
    trial.need_rows_kept(columns=["id", "name"])
    need_values(trial, "price", PRICES)
    need(len(trial.rows("products")) == len(PRICES), "There are more products than the four.")
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()


def need_values(trial: Trial, column: str, wanted: dict[str, int]) -> None:
    """The products of these names have these values in the column."""
    found = {row["name"]: row[column] for row in trial.rows("products")}
    for name, value in wanted.items():
        said = "NULL" if found[name] is None else found[name]
        line = f"The {column} of {name} is not what it was; the table says {said}."
        need(found[name] == value, line)


def with_half_a_downgrade(shop: Workspace) -> None:
    """Revision 0002 adds two columns, its downgrade drops one, and somebody ran it."""
    add_columns(shop, STOCK + PRICE, "add stock and price")
    write("stock", STOCKS)
    shop.edit("migrations/versions/0002_add_stock_and_price.py", DROP_STOCK, "")
    downgrade()


def judge_half_a_downgrade(trial: Trial) -> None:
    """Both columns are there, the stock is kept, and the way back leads back."""
    trial.need_column("products", "price")
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_column("products", "stock")
    need_values(trial, "stock", STOCKS)
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    trial.downgrade("0001")
    left = {column["name"] for column in trial.inspector.get_columns("products")} - {"id", "name"}
    line = f"After a downgrade to 0001, products still has {', '.join(sorted(left))}."
    need(not left, line)
    trial.need_rows_kept(columns=["id", "name"])


EXERCISES = (
    Exercise(
        "4.1",
        "No more colours",
        judge_no_colour,
        "Take the step back while its script is there, and only then delete the script.",
        (
            "Three things must go: the column, the script, and a line in the model."
            " One of the first two needs the other.",
            "First `downgrade()`, then delete the script of `0002`. The model still says colour.",
        ),
        with_colours,
    ),
    Exercise(
        "4.2",
        "The prices from the copy",
        judge_prices_back,
        "A downgrade loses values, a copy has them, and a copy knows nothing of what came later.",
        (
            "What happens to the cherry if you put the old file in place of the new one?",
            '`shop.restart("sqlite:///copy.db")` starts the shop on the copy. Note the prices that'
            " it has; then `shop.restart()` brings you back.",
            "Import `Product` and `db` anew after each restart. On the copy, make a dictionary of"
            " names and prices; in the shop, set `product.price` for those in it, and commit.",
        ),
        with_lost_prices,
    ),
    Exercise(
        "4.3",
        "Half a downgrade",
        judge_half_a_downgrade,
        "A downgrade must undo all that its upgrade did, or the way forward is blocked.",
        (
            "Read the script of 0002: does `downgrade()` undo each line of `upgrade()`?"
            " Then look what the database has with `shop.schema('products')`.",
            "The database is at 0001 with half of 0002. `upgrade()` fails at the half that is there"
            " already. Nothing forbids that a script says less while it runs once.",
            "Put `batch_op.drop_column('stock')` into `downgrade()`. Take the line that adds the"
            " stock out of `upgrade()`, run it, and put the line back.",
        ),
        with_half_a_downgrade,
    ),
)
