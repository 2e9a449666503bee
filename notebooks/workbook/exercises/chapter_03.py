"""The exercises of chapter 3, Add a price."""

from flask_migrate import migrate, upgrade

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial

PRICES = {"Apple": 130, "Orange": 90, "Banana": 60}


def judge_colour(trial: Trial) -> None:
    """A column colour that may be NULL, made by a migration."""
    need(trial.new_scripts, "There is no new script: edit the model, restart, then migrate().")
    column = trial.need_text("products", "colour", 20)
    trial.need_at_head()
    need(column["nullable"], "The column colour must allow NULL: the old rows have no colour.")
    trial.need_rows_kept()
    trial.need_models_agree()
    trial.need_way_back("0001")
    trial.need_from_empty()


def with_price(shop: Workspace) -> None:
    """Revision 0002 adds the price, and the database is there."""
    shop.edit(MODELS, NAME, NAME + "    price: Mapped[int | None]\n")
    shop.restart()
    migrate(message="add price", rev_id="0002")
    upgrade()


def with_two_apples(shop: Workspace) -> None:
    """The price is there, and a fourth product has the first one's name."""
    with_price(shop)
    from flask_app import Product, db

    db.session.add(Product(name="Apple"))
    db.session.commit()


def judge_prices(trial: Trial) -> None:
    """Every fruit has its price."""
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_column("products", "price")
    for row in trial.rows("products"):
        wanted = PRICES.get(row["name"], row["price"])
        said = "NULL" if row["price"] is None else row["price"]
        line = f"{row['name']}, number {row['id']}, should cost {wanted}; the table says {said}."
        need(row["price"] == wanted, line)


def with_misspelt_price(shop: Workspace) -> None:
    """The model says price; the script was edited by hand, and makes prcie."""
    shop.edit(MODELS, NAME, NAME + "    price: Mapped[int | None]\n")
    shop.restart()
    migrate(message="add price", rev_id="0002")
    script = "migrations/versions/0002_add_price.py"
    shop.edit(script, "sa.Column('price'", "sa.Column('prcie'")
    shop.edit(script, "drop_column('price'", "drop_column('prcie'")
    upgrade()


def judge_misspelt_price(trial: Trial) -> None:
    """The database and the scripts say price, nothing says prcie any more."""
    need_fitting_script(trial)
    trial.need_column("products", "price")
    trial.need_no_column("products", "prcie")
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    with where("Script and database do not name the same column"):
        trial.need_way_back("0001")
    trial.need_from_empty()


def need_fitting_script(trial: Trial) -> None:
    """The script was not corrected before its step was taken back."""
    there = trial.state("products").columns
    if "prcie" not in there or "price" in there or trial.current != trial.heads:
        return
    try:
        trial.downgrade("0001")
    except NotYet as reason:
        line = (
            "The script says price now, but the database still has prcie, and its downgrade no"
            " longer fits. Take the step back with the script that it ran."
        )
        raise NotYet(line) from reason


EXERCISES = (
    Exercise(
        "3.1",
        "A colour",
        judge_colour,
        "A column that may be NULL is added in place, and the old rows say NULL in it.",
        (
            "The order is: model, `shop.restart()`, `migrate(...)`, read the script, `upgrade()`.",
            "The line in the model: `colour: Mapped[str | None] = mapped_column(String(20))`.",
        ),
    ),
    Exercise(
        "3.2",
        "Prices for the fruits",
        judge_prices,
        "A new column says NULL in the old rows, until somebody writes a value into each of them.",
        (
            "`db.session.scalars(db.select(Product))` gives the products, one by one:"
            " also those that share a name.",
            "Set `product.price`, and at the end `db.session.commit()`.",
        ),
        with_two_apples,
    ),
    Exercise(
        "3.3",
        "A column that nobody asked for",
        judge_misspelt_price,
        "Every database that is at 0001 now gets `price`.",
        (
            "Compare `shop.schema('products')`, the model and the script of 0002.",
            "The script is wrong, and it has run. Correct it, and it must run again:"
            " first `downgrade()`, while it still says what it did.",
            "`downgrade()`; then put `price` for `prcie` twice in the script; then `upgrade()`.",
        ),
        with_misspelt_price,
    ),
)
