"""The exercises of chapter 14, PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask_migrate import migrate, upgrade
from sqlalchemy import Enum
from sqlalchemy.exc import IntegrityError, NoReferencedTableError

from ..workspace import Workspace
from .definition import MODELS, NAME, Exercise, NotYet, need, where
from .trial import Trial, told

TASTES = {"sweet", "sour"}

DATABASE = "flask_app/database.py"
METADATA = "    metadata = "
PUBLIC = '    __table_args__ = {"schema": "public"}\n'
SUPPLIER = '''class Supplier(db.Model):
    """Somebody who brings products."""

    __tablename__ = "suppliers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


'''
KEY = 'ForeignKey("public.suppliers.id")'
BROUGHT_BY = f"    supplier_id: Mapped[int | None] = mapped_column({KEY}, index=True)\n"

INDEX = "ix_public_products_supplier_id"

# What another database holds that has run the same scripts up to 0003.
PRODUCTION = (
    "CREATE TABLE suppliers (id SERIAL CONSTRAINT pk_suppliers PRIMARY KEY,"
    " name VARCHAR(50) NOT NULL)",
    "CREATE TABLE products (id SERIAL CONSTRAINT pk_products PRIMARY KEY, name VARCHAR(50),"
    " supplier_id INTEGER CONSTRAINT fk_products_supplier_id_suppliers REFERENCES suppliers)",
    f"CREATE INDEX {INDEX} ON products (supplier_id)",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) CONSTRAINT alembic_version_pkc"
    " PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('0003')",
    "INSERT INTO suppliers (name) VALUES ('Grove')",
    "INSERT INTO products (name, supplier_id) VALUES ('Fig', 1)",
)


def judge_taste(trial: Trial) -> None:
    """A column taste of an enum's type, by scripts that go up, down and up again.

    On the second way up there is one row more: those that are there become sweet, however many.
    """
    need_tastes(trial)
    trial.need_rows_kept()
    need_sweet(trial, *(row["id"] for row in trial.start.tables["products"].rows))
    trial.need_one_head()
    trial.need_at_head()
    trial.need_models_agree()
    in_model = {*getattr(trial.models.Product.__table__.c.taste.type, "enums", ())}
    need(in_model == TASTES, "The model's taste is not an enum of sweet and sour.")
    trial.downgrade("0001")
    with where("After a downgrade to 0001"):
        trial.need_no_column("products", "taste")
        left = ", ".join(enum["name"] for enum in enums(trial))
        need(not left, f"A type is still there: {left}.")
    trial.sql("INSERT INTO products (id, name) VALUES (900, 'Cherry')")
    with where("After a downgrade to 0001 and a new row"):
        trial.upgrade()
    with where("After a downgrade to 0001, a new row and upgrade"):
        need_tastes(trial)
        need_sweet(trial)
        trial.need_rows_kept()
    trial.need_from_empty()


def need_tastes(trial: Trial) -> None:
    """The database's column is of an enum with these members, and never NULL."""
    column = trial.need_column("products", "taste")
    kind = column["type"]
    need(isinstance(kind, Enum), f"The column taste is of the type {kind}, which is no enum.")
    line = f"The enum's members should be sweet and sour; they are {', '.join(kind.enums)}."
    need({*kind.enums} == TASTES, line)
    line = "The column taste may be NULL: each fruit should have a taste."
    need(not column["nullable"], line)


def need_sweet(trial: Trial, *ids: int) -> None:
    """These products, or all of them, are sweet."""
    for row in trial.rows("products"):
        if not ids or row["id"] in ids:
            line = f"{row['name']} should be sweet; its taste is {row['taste']}."
            need(row["taste"] == "sweet", line)


def enums(trial: Trial) -> list[dict[str, str]]:
    """The enums that the database has, in whatever schema."""
    found: list[dict[str, str]] = trial.inspector.get_enums("*")  # type: ignore[attr-defined]
    return found


def in_the_loop(shop: Workspace) -> None:
    """The models name public; one script of the loop was run, the next one not yet."""
    shop.edit(DATABASE, METADATA, PUBLIC + METADATA)
    shop.edit(MODELS, "import String", "import ForeignKey, String")
    shop.edit(MODELS, "class Product", SUPPLIER + "class Product")
    shop.edit(MODELS, NAME, NAME + BROUGHT_BY)
    shop.restart()
    migrate(message="add suppliers", rev_id="0002")
    upgrade()
    migrate(message="again", rev_id="0003")
    upgrade()
    migrate(message="and again", rev_id="0004")
    from flask_app import db
    from flask_app.models import Product, Supplier  # type: ignore[attr-defined]

    db.session.add_all([Supplier(name="Orchard"), Supplier(name="Plantation")])
    db.session.flush()
    for product in db.session.scalars(db.select(Product)):
        product.supplier_id = 2 if product.name == "Banana" else 1
    db.session.commit()


def judge_loop(trial: Trial) -> None:
    """Nothing is left to detect, here and elsewhere; the key and the rows are there."""
    need_kept(trial)
    trial.need_one_head()
    with or_rewritten(trial):
        try:
            trial.need_models_agree()
        except NoReferencedTableError as error:
            raise NotYet(f"migrate() would fail: {told(error)}") from error
        need_nothing_hidden(trial)
        trial.need_at_head()
        with where("Another database, which has run the scripts up to 0003"):
            need_production(trial)
    trial.downgrade("0002")
    trial.upgrade()
    with where("After a downgrade to 0002 and upgrade"):
        need_kept(trial)
    trial.downgrade("0001")
    trial.upgrade()
    trial.need_rows_kept(columns=["id", "name"])
    trial.need_from_empty()


def need_kept(trial: Trial) -> None:
    """The rows of the start, and one key between them."""
    trial.need_rows_kept("suppliers")
    trial.need_rows_kept()
    need_key(trial)


def need_key(trial: Trial) -> None:
    """There is one foreign key to the suppliers, and it holds."""
    found = [key["referred_table"] for key in trial.inspector.get_foreign_keys("products")]
    line = f"The table products should have one foreign key, to suppliers; it has {len(found)}."
    need(found == ["suppliers"], line)
    try:
        trial.sql("INSERT INTO products (id, name, supplier_id) VALUES (900, 'Ghost', 900)")
    except IntegrityError:
        return
    raise NotYet("The table products takes a supplier that does not exist.")


def need_nothing_hidden(trial: Trial) -> None:
    """Autogenerate finds nothing without the app's own settings either: no filter hides it."""
    extension = trial.app.extensions["migrate"]
    own, extension.configure_args = extension.configure_args, {}
    with where("The loop is hidden, not left. Without the settings of Migrate(...)"):
        trial.need_models_agree()
    extension.configure_args = own


@contextmanager
def or_rewritten(trial: Trial) -> Iterator[None]:
    """If something is missing, add which script was changed that has run on other databases."""
    try:
        yield
    except NotYet as missing:
        raise NotYet(f"{missing}{rewritten(trial)}") from missing


def rewritten(trial: Trial) -> str:
    """A reminder, if 0002 or 0003 no longer makes the index that it has made elsewhere."""
    with suppress(NotYet), trial.empty_database():
        for revision in "0002", "0003":
            trial.upgrade(revision)
            made = [index["name"] for index in trial.inspector.get_indexes("products")]
            if made != [INDEX]:
                said = f"Other databases have run {revision} already"
                return f" ({said}: your new {revision} never runs there.)"
    return ""


def need_production(trial: Trial) -> None:
    """A database that is at 0003 goes the same way, and keeps its rows."""
    with trial.empty_database():
        for statement in PRODUCTION:
            trial.sql(statement)
        trial.upgrade()
        trial.need_models_agree()
        need_key(trial)
        kept = trial.sql("SELECT p.name, s.name FROM products p JOIN suppliers s ON s.id = 1")
        need(kept == [("Fig", "Grove")], "Its rows are not what they were.")


EXERCISES = (
    Exercise(
        "14.1",
        "An enum for a table that exists",
        judge_taste,
        "The way up makes the type, and the way down takes it away again: both are open each time.",
        (
            "Run what `migrate` wrote, and read the error. What does `create_table` do by itself"
            " that `add_column` does not?",
            "`upgrade()` of the script makes the type first, and `downgrade()` drops it last:"
            " `sa.Enum(...)` has a `create` and a `drop`. And no row can be without a taste: what"
            " did a required column need for the rows that are there?",
            "First in `upgrade()`: `sa.Enum('sweet', 'sour', name='taste').create(op.get_bind(),"
            " checkfirst=True)`. Last in `downgrade()`: `sa.Enum(name='taste').drop(...)`. In the"
            ' model: `server_default="sweet"`, before you run `migrate`.',
        ),
        home="PostgreSQL",
    ),
    Exercise(
        "14.2",
        "A project in the loop",
        judge_loop,
        "Models that do not name public say what the database says, and the loop has an end.",
        (
            "What does the database call the table of the suppliers, and what do the models?",
            "Two files name `public`. Of the scripts, those that have run anywhere stay. And the"
            " name of an index was made with `public` in it.",
            "Delete `0004`; take `public` out of `database.py` and out of the `ForeignKey` in"
            " `models.py`; restart; `migrate`, `upgrade`, and `migrate` once more, to see.",
        ),
        in_the_loop,
        home="PostgreSQL",
    ),
)
