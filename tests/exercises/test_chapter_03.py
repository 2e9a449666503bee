"""Answers to the exercises of chapter 3, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, migrate, revision, stamp, upgrade
from workbook import Workspace
from workbook.exercises.chapter_03 import PRICES
from workbook.exercises.definition import MODELS, NAME

COLOUR = "    colour: Mapped[str | None] = mapped_column(String(20))\n"
SCRIPT = "migrations/versions/0002_add_price.py"


@wrong("3.1", "There is no new script")
def test_colour_only_in_the_model(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + COLOUR)


@wrong("3.1", 'has no column "colour"')
def test_colour_without_upgrade(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + COLOUR)
    shop.restart()
    migrate(message="add colour", rev_id="0002")


def colour_as(shop: Workspace, column: str) -> None:
    """The colour as this column, in the model and by a migration."""
    shop.edit(
        MODELS,
        NAME,
        NAME + COLOUR.replace("Mapped[str | None] = mapped_column(String(20))", column),
    )
    shop.restart()
    migrate(message="add colour", rev_id="0002")
    upgrade()


@wrong("3.1", "The colour should be a text of at most 20 characters.")
def test_colour_as_a_number(shop: Workspace) -> None:
    colour_as(shop, "Mapped[int | None]")


@wrong("3.1", "The colour should be a text of at most 20 characters.")
def test_colour_of_any_length(shop: Workspace) -> None:
    colour_as(shop, "Mapped[str | None]")


@wrong("3.1", "The colour should be a text of at most 20 characters.")
def test_colour_of_another_length(shop: Workspace) -> None:
    colour_as(shop, "Mapped[str | None] = mapped_column(String(5))")


@right("3.1")
def test_colour_by_other_names(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + COLOUR)
    shop.restart()
    migrate(message="what the fruit looks like")
    upgrade()


@right("3.1")
def test_colour_by_a_script_written_by_hand(shop: Workspace) -> None:
    shop.edit(MODELS, NAME, NAME + COLOUR)
    shop.restart()
    revision(message="by hand", rev_id="abc")
    script = "migrations/versions/abc_by_hand.py"
    shop.edit(
        script,
        "def upgrade():\n    pass",
        "def upgrade():\n    op.add_column('products', sa.Column('colour', sa.String(20)))",
    )
    shop.edit(
        script,
        "def downgrade():\n    pass",
        "def downgrade():\n    op.drop_column('products', 'colour')",
    )
    upgrade()


@wrong("3.2", "Apple, number 1, should cost 130; the table says NULL. (The session has changes")
def test_prices_without_commit(shop: Workspace) -> None:
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    shop.edit(MODELS, '"""The tables of the shop."""', '"""The tables."""')  # something was done


@wrong("3.2", "Apple, number 4, should cost 130; the table says NULL.")
def test_prices_by_the_chapters_loop(shop: Workspace) -> None:
    from flask_app import Product, db

    for name, price in PRICES.items():
        db.session.scalar(db.select(Product).filter_by(name=name)).price = price
    db.session.commit()


@wrong("3.2", "has lost a row")
def test_prices_for_new_rows(shop: Workspace) -> None:
    from flask_app import Product, db

    db.session.execute(db.delete(Product))
    db.session.add_all(
        Product(name=name, price=price) for name, price in PRICES.items() if price > 50
    )
    db.session.commit()


@right("3.2")
def test_prices_by_sql(shop: Workspace) -> None:
    from flask_app import db

    for name, price in PRICES.items():
        statement = db.text("UPDATE products SET price = :price WHERE name = :name")
        db.session.execute(statement, {"price": price, "name": name})
    db.session.commit()


def correct_script() -> None:
    """The script says price."""
    text = Path(SCRIPT).read_text("utf-8")
    Path(SCRIPT).write_text(text.replace("prcie", "price"), "utf-8")


@wrong("3.3", "Take the step back with the script that it ran.")
def test_only_the_script_corrected(shop: Workspace) -> None:
    correct_script()
    upgrade()


@wrong("3.3", 'has no column "price"')
def test_only_upgrade_in_the_script_corrected(shop: Workspace) -> None:
    shop.edit(SCRIPT, "sa.Column('prcie'", "sa.Column('price'")


@wrong("3.3", 'still has a column "prcie"')
def test_the_corrected_script_run_after_a_stamp(shop: Workspace) -> None:
    correct_script()
    stamp(revision="0001")
    upgrade()


@wrong("3.3", "do not name the same column: downgrade(revision=\"0001\") fails: KeyError: 'prcie'")
def test_only_the_database_corrected(shop: Workspace) -> None:
    from flask_app import db

    db.session.execute(db.text("ALTER TABLE products RENAME COLUMN prcie TO price"))
    db.session.commit()


@wrong("3.3", 'has no column "price"')
def test_the_model_made_wrong_too(shop: Workspace) -> None:
    shop.edit(MODELS, "price", "prcie")


@right("3.3")
def test_script_and_database_corrected_each(shop: Workspace) -> None:
    from flask_app import db

    correct_script()
    db.session.execute(db.text("ALTER TABLE products RENAME COLUMN prcie TO price"))
    db.session.commit()


@right("3.3")
def test_the_script_generated_again(shop: Workspace) -> None:
    downgrade()
    Path(SCRIPT).unlink()
    migrate(message="price, this time")
    upgrade()


@right("3.3")
def test_the_column_renamed_by_a_further_migration(shop: Workspace) -> None:
    revision(message="rename", rev_id="0003")
    script = "migrations/versions/0003_rename.py"
    for function, old, new in [("upgrade", "prcie", "price"), ("downgrade", "price", "prcie")]:
        shop.edit(
            script,
            f"def {function}():\n    pass",
            f"def {function}():\n"
            f"    with op.batch_alter_table('products') as batch_op:\n"
            f"        batch_op.alter_column('{old}', new_column_name='{new}')",
        )
    upgrade()
