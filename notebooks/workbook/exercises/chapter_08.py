"""The exercises of chapter 8, Renames."""

from flask_migrate import migrate, upgrade

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial

TITLE = "    title: Mapped[str | None] = mapped_column(String(50))\n"
PRICE = "    price: Mapped[int | None]\n"
COST = "    cost: Mapped[int | None]\n"
PRICES = {"Apple": 120, "Orange": 80, "Banana": 50}
ADD_TITLE = "batch_op.add_column(sa.Column('title', sa.String(length=50), nullable=True))"
DROP_NAME = "\n        batch_op.drop_column('name')"


def need_values(trial: Trial, table: str, **columns: str) -> None:
    """The products of the start are in the table; each column has what another had then."""
    for column in columns:
        trial.need_column(table, column)
    rows = {row["id"]: row for row in trial.rows(table)}
    lost: dict[str, str] = {}
    for was in trial.start.tables["products"].rows:
        row = rows.get(was["id"], {})
        need(row, f"The table {table} has no product {was['id']} any more.")
        for column, old in columns.items():
            found = "NULL" if row[column] is None else row[column]
            if found != was[old]:
                line = f"The {column} of product {was['id']} should be {was[old]}, and is {found}."
                lost.setdefault(column, line)
    need(not lost, " ".join(lost.values()))


def judge_label(trial: Trial) -> None:
    """The column has another name, and its values, on every way."""
    need(trial.new_scripts, "There is no new script: the column in the database needs one.")
    trial.need_column("products", "label")
    trial.need_at_head()
    need_values(trial, "products", label="name")
    trial.need_no_column("products", "name")
    trial.need_models_agree()
    need_shown(trial)
    with where("After a downgrade to 0001"):
        trial.downgrade("0001")
        need_values(trial, "products", name="name")
        trial.need_no_column("products", "label")
    with where("After a downgrade to 0001 and upgrade"):
        trial.upgrade()
        need_values(trial, "products", label="name")
    trial.need_from_empty()


def need_shown(trial: Trial) -> None:
    """A product can be shown: its __repr__ asks for nothing that is gone."""
    for mapper in trial.db.Model.registry.mappers:
        try:
            repr(mapper.class_())
        except AttributeError as error:
            line = f"A {mapper.class_.__name__} cannot be shown any more: {error}."
            raise NotYet(line) from error


def with_an_index(shop: Workspace) -> None:
    """Revision 0002 puts an index on the name."""
    shop.edit(MODELS, "String(50))", "String(50), index=True)")
    shop.restart()
    migrate(message="index names", rev_id="0002")
    upgrade()


def judge_articles(trial: Trial) -> None:
    """The table has another name, and its rows; its index follows."""
    need(trial.new_scripts, "There is no new script: the table in the database needs one.")
    trial.need_at_head()
    need_values(trial, "articles", name="name")
    trial.need_no_table("products")
    trial.need_models_agree()
    with where("After a downgrade to 0002"):
        trial.downgrade("0002")
        need_values(trial, "products", name="name")
        trial.need_no_table("articles")
    trial.downgrade("0001")
    with where("After a downgrade to 0001 and upgrade"):
        trial.upgrade()
        need_values(trial, "articles", name="name")
    trial.need_from_empty()


def with_two_renames(shop: Workspace) -> None:
    """The way back of 0003 does not rename; 0004 does not either, and waits."""
    shop.edit(MODELS, NAME, NAME + PRICE)
    shop.restart()
    migrate(message="add price", rev_id="0002")
    upgrade()
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    db.session.commit()
    shop.edit(MODELS, NAME, TITLE)
    shop.edit(MODELS, "self.name", "self.title")
    shop.restart()
    migrate(message="rename name", rev_id="0003")
    rename = "batch_op.alter_column('name', new_column_name='title', existing_type=sa.String(50))"
    shop.edit("migrations/versions/0003_rename_name.py", ADD_TITLE + DROP_NAME, rename)
    upgrade()
    shop.edit(MODELS, PRICE, COST)
    shop.restart()
    migrate(message="rename price", rev_id="0004")


def judge_two_renames(trial: Trial) -> None:
    """Both renames keep the values, there and back."""
    trial.need_one_head()
    trial.need_at_head()
    need_values(trial, "products", title="title", cost="price")
    trial.need_models_agree()
    with where("After a downgrade to 0002"):
        trial.downgrade("0002")
        need_values(trial, "products", name="title", price="price")
        trial.need_no_column("products", "title")
        trial.need_no_column("products", "cost")
    with where("After a downgrade to 0002 and upgrade"):
        trial.upgrade()
        need_values(trial, "products", title="title", cost="price")
    trial.need_from_empty()


EXERCISES = (
    Exercise(
        "8.1",
        "Labels",
        judge_label,
        "Only the name has changed: what stands in the column is the same, there and back.",
        (
            "Which two lines does `migrate` log? What would the script do to the values?",
            "`batch_op.alter_column(..., new_column_name=...)` takes the place of `add_column` and"
            " `drop_column`. The way back is a rename, too. Did you run the script as it was"
            ' generated? Then the values are gone: `exercise("8.1")` brings them back.',
            "In `upgrade()`: `batch_op.alter_column('name', new_column_name='label',"
            " existing_type=sa.String(50))`; in `downgrade()` the two names change places.",
        ),
    ),
    Exercise(
        "8.2",
        "Articles",
        judge_articles,
        "The rows are in place, the index has the name that the models want, there and back.",
        (
            "The table first, the index after it. What does `check()` of Flask-Migrate still miss"
            " when the table has its new name?",
            "`revision(...)` makes an empty script. `op.rename_table` goes into both functions. The"
            " index keeps its old name: that is a second step.",
            "When the table is renamed and `upgrade()` has run, `migrate(...)` writes the script"
            " for the index; an index holds no rows, so dropping it loses nothing.",
        ),
        with_an_index,
    ),
    Exercise(
        "8.3",
        "Two renames that were tested",
        judge_two_renames,
        "No error is no test: up, down, up, and a look at the values is one.",
        (
            "Copy `instance/app.db` and try on the copy: `upgrade()`, then"
            ' `downgrade(revision="0002")`. Look at the values after each.',
            "Three functions in two scripts add a column and drop another, where they should"
            " rename one. One of them belongs to a revision that has run: you may still correct"
            " its way back.",
            "`0004`: rename in both functions, `price` to `cost` and back. `0003`: `downgrade()`"
            " renames `title` to `name`. Then `upgrade()`.",
        ),
        with_two_renames,
    ),
)
