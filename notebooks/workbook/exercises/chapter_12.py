"""The exercises of chapter 12, Team work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask_migrate import upgrade

from ..workspace import Workspace
from .chapter_10 import without_models
from .definition import HEAD, MODELS, NAME, Exercise, NotYet, need
from .trial import Trial

PRICE = "    price: Mapped[int | None]\n"
COLOUR = "    colour: Mapped[str | None] = mapped_column(String(20))\n"
STOCK = "    stock: Mapped[int | None]\n"
TITLE = "    title: Mapped[str | None] = mapped_column(String(50))\n"
BATCH = "    with op.batch_alter_table('products') as batch_op:\n        "
CAPITALS = '    op.execute("UPDATE products SET name = upper(name)")\n'
REFUSE = '    raise RuntimeError("0003 cannot be undone: the small letters are gone.")\n'
THREE = {"0002": "price", "0003": "colour", "0004": "stock"}
TYPES = {"price": "sa.Integer()", "colour": "sa.String(20)", "stock": "sa.Integer()"}
COLOURS = {"Apple": "red", "Orange": None, "Banana": "yellow"}
SCRIPT = (
    HEAD
    + """

def upgrade():
{up}

def downgrade():
{down}"""
)


def write_script(revision: str, message: str, up: str, down: str, parent: str = "0001") -> None:
    """A script as a colleague has brought it."""
    file = Path("migrations", "versions", f"{revision}_{message.replace(' ', '_')}.py")
    said = SCRIPT.format(message=message, revision=revision, parent=parent, up=up, down=down)
    file.write_text(said, "utf-8")


def write_column(revision: str, column: str, parent: str = "0001") -> None:
    """A script that adds a column to products."""
    write_script(
        revision,
        f"add {column}",
        f"{BATCH}batch_op.add_column(sa.Column('{column}', {TYPES[column]}, nullable=True))\n",
        f"{BATCH}batch_op.drop_column('{column}')\n",
        parent,
    )


@contextmanager
def another_shop(trial: Trial, revision: str, columns: str) -> Iterator[None]:
    """Within the block, be on a database that ran this revision as it was at the start."""
    with trial.empty_database():
        trial.sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        trial.sql("INSERT INTO alembic_version VALUES (:revision)", revision=revision)
        trial.sql(f"CREATE TABLE products (id INTEGER NOT NULL PRIMARY KEY, {columns})")
        try:
            yield
        except NotYet as reason:
            raise NotYet(f"On another database that is at {revision}: {reason}") from reason


def with_three_heads(shop: Workspace) -> None:
    """Three colleagues have brought a script each, all of them after 0001."""
    for revision, column in THREE.items():
        write_column(revision, column)
    shop.edit(MODELS, NAME, NAME + PRICE + COLOUR + STOCK)
    shop.restart()


def judge_three_heads(trial: Trial) -> None:
    """One head, and what each of the three scripts does."""
    for revision in THREE:
        line = f"The script {revision} is gone: who has run it would be lost."
        need(revision in trial.scripts, line)
    trial.need_one_head()
    for column in THREE.values():
        trial.need_column("products", column)
    trial.need_at_head()
    trial.need_rows_kept()
    trial.need_models_agree()
    trial.need_from_empty()
    for revision, own in THREE.items():
        kind = "VARCHAR(20)" if own == "colour" else "INTEGER"
        with another_shop(trial, revision, f"name VARCHAR(50), {own} {kind}"):
            trial.upgrade()
            for column in THREE.values():
                trial.need_column("products", column)
    trial.need_way_back("0001")


def with_renamed_name(shop: Workspace) -> None:
    """Ann's script has renamed name; Ben's, after the same parent, still writes to it."""
    write_script(
        "0002",
        "rename name",
        f"{BATCH}batch_op.alter_column('name', new_column_name='title')\n",
        f"{BATCH}batch_op.alter_column('title', new_column_name='name')\n",
    )
    upgrade()
    write_script("0003", "capitals", CAPITALS, REFUSE)
    shop.edit(MODELS, NAME, TITLE)
    shop.edit(MODELS, "self.name", "self.title")
    shop.restart()


def judge_renamed_name(trial: Trial) -> None:
    """One history that writes every title in capitals, wherever it begins."""
    trial.need_one_head()
    trial.need_from_empty()
    for revision, column in {"0002": "title", "0001": "name"}.items():
        with another_shop(trial, revision, f"{column} VARCHAR(50)"):
            trial.sql(f"INSERT INTO products (id, {column}) VALUES (41, 'Kiwi')")
            trial.upgrade()
            need_titles(trial, {41: "KIWI"})
    need_order(trial)
    rows = trial.start.tables["products"].rows
    need_titles(trial, {row["id"]: row["title"].upper() for row in rows})
    trial.need_at_head()
    trial.need_models_agree()
    need_refusal(trial)
    with without_models(trial):
        trial.upgrade()


def need_refusal(trial: Trial) -> None:
    """The way back from the capitals still raises an error."""
    try:
        trial.downgrade("0001")
    except NotYet:
        return
    raise NotYet("The capitals can be downgraded, but the small letters do not come back.")


def need_order(trial: Trial) -> None:
    """Each script brings what it needs; the order is not left to Alembic."""
    for revision in trial.scripts:
        with trial.empty_database():
            try:
                trial.upgrade(revision)
            except NotYet as reason:
                line = f"From an empty database straight to {revision}: {reason}"
                raise NotYet(line) from reason


def need_titles(trial: Trial, wanted: dict[int, str]) -> None:
    """The products of these ids have these titles."""
    found = dict(trial.values("products", ["id", "title"]))
    for key, title in wanted.items():
        need(key in found, f"The product {title} is gone.")
        line = f"Product {key} should have the title {title}; the table says {found[key]}."
        need(found[key] == title, line)


def with_late_rebase(shop: Workspace) -> None:
    """The shop has run 0003, which was let follow 0002 only afterwards."""
    write_column("0003", "colour")
    upgrade()
    shop.edit(MODELS, NAME, NAME + COLOUR)
    shop.restart()
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.colour = COLOURS[product.name]
    db.session.commit()
    write_column("0002", "price")
    shop.edit("migrations/versions/0003_add_colour.py", "= '0001'", "= '0002'")
    shop.edit(MODELS, NAME, NAME + PRICE)
    shop.restart()


def judge_late_rebase(trial: Trial) -> None:
    """A history by which every database gets the price, also one that ran 0003 first."""
    trial.need_one_head()
    trial.need_column("products", "price")
    trial.need_column("products", "colour")
    trial.need_rows_kept()
    trial.need_at_head()
    trial.need_models_agree()
    trial.need_from_empty()
    with another_shop(trial, "0003", "name VARCHAR(50), colour VARCHAR(20)"):
        trial.sql("INSERT INTO products (name, colour) VALUES ('Kiwi', 'green')")
        trial.upgrade()
        trial.need_column("products", "price")
        kept = trial.values("products", ["name", "colour"])
        need(kept == [("Kiwi", "green")], "A product has lost its colour.")
        trial.need_models_agree()
    trial.need_way_back("0001")


EXERCISES = (
    Exercise(
        "12.1",
        "Three heads",
        judge_three_heads,
        "One head again, and from each of the three databases a way to it.",
        (
            "`upgrade()` wants one head, and there are two ways to one. By which of them does Ben's"
            " database, which is at 0003, get the price?",
            'A merge takes more than two: `merge(revisions="heads", ...)`. Then run what waits.',
        ),
        with_three_heads,
    ),
    Exercise(
        "12.2",
        "Nobody complains",
        judge_renamed_name,
        "One script needs what another does to the table, so their order stands in the history.",
        (
            "Read both scripts. Which column does Ben's write to, and which one has the shop?",
            "The shop has run 0002 already. So Ben's must come after it, and find its column by"
            " the name that it has then.",
            "In Ben's script: `down_revision = '0002'`, and twice `title` for `name`."
            " Then `upgrade()`.",
        ),
        with_renamed_name,
    ),
    Exercise(
        "12.3",
        "Rebased too late",
        judge_late_rebase,
        "Who ran 0003 before 0002 fits this history, too: the price waits as a step of its own.",
        (
            "What does `current()` say, and which scripts count as done because of it?",
            "It counts what stands before 0003 as done. In which history does 0002 not stand"
            " before 0003?",
            "Let 0003 follow 0001 again, as it did when it ran. Two heads: `merge`. `upgrade()`.",
        ),
        with_late_rebase,
    ),
)
