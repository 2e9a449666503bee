"""The exercises of chapter 3, Add a price."""

from flask_migrate import migrate, upgrade

from ..workspace import Workspace
from .definition import Exercise, need
from .trial import Trial

MODELS = "flask_app/models.py"
NAME = "    name: Mapped[str | None] = mapped_column(String(50))\n"
PRICES = {"Apple": 120, "Orange": 80, "Banana": 50}


def judge_colour(trial: Trial) -> None:
    """A column colour that may be NULL, made by a migration."""
    need(trial.new_scripts, "There is no new script: edit the model, restart, then migrate().")
    column = trial.need_column("products", "colour")
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


def judge_prices(trial: Trial) -> None:
    """Every fruit has its price."""
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_column("products", "price")
    found = {row["name"]: row["price"] for row in trial.rows("products")}
    for fruit, price in PRICES.items():
        said = "NULL" if found[fruit] is None else found[fruit]
        need(found[fruit] == price, f"{fruit} should cost {price}; the table says {said}.")


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
    trial.need_column("products", "price")
    trial.need_no_column("products", "prcie")
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_way_back("0001")
    trial.need_from_empty()


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
        "A migration makes the column; what stands in it is the app's business.",
        (
            "`db.session.scalars(db.select(Product))` gives the products, one by one.",
            "Set `product.price`, and at the end `db.session.commit()`.",
        ),
        with_price,
    ),
    Exercise(
        "3.3",
        "A column that nobody asked for",
        judge_misspelt_price,
        "The script was wrong, so it was corrected: every other database now gets it right, too.",
        (
            "Compare `shop.schema('products')`, the model and the script of 0002.",
            "The script is wrong, and it has run. Correct it, and it must run again:"
            " first `downgrade()`, while it still says what it did.",
            "`downgrade()`; then put `price` for `prcie` twice in the script; then `upgrade()`.",
        ),
        with_misspelt_price,
    ),
)
