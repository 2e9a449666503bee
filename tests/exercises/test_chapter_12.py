"""Answers to the exercises of chapter 12, wrong and right."""

from pathlib import Path

from attempts import right, wrong
from flask_migrate import downgrade, merge, migrate, revision, stamp, upgrade
from workbook import Workspace, expect_error
from workbook.exercises.chapter_12 import CAPITALS, REFUSE, THREE, write_script

ADD = {
    revision: f"migrations/versions/{revision}_add_{what}.py" for revision, what in THREE.items()
}
BENS = "migrations/versions/0003_capitals.py"
OF_TITLE = CAPITALS.replace("name", "title")


def follow(shop: Workspace, script: str, old: str, new: str) -> None:
    """Let a script follow another than before."""
    shop.edit(script, f"down_revision = '{old}'", f"down_revision = '{new}'")


def merge_and_upgrade() -> None:
    merge(revisions="heads", message="merge", rev_id="0009")
    upgrade()


def run_by_hand(*statements: str) -> None:
    from flask_app import db

    for statement in statements:
        db.session.execute(db.text(statement))
    db.session.commit()


# --- 12.1 ---


@wrong("12.1", "The history has 3 heads")
def test_all_heads_without_a_merge(shop: Workspace) -> None:
    upgrade(revision="heads")


@wrong("12.1", "The history has 2 heads")
def test_only_two_heads_merged(shop: Workspace) -> None:
    merge(revisions=["0002", "0003"], message="merge", rev_id="0005")
    upgrade(revision="heads")


@wrong("12.1", 'has no column "price"')
def test_merged_and_not_upgraded(shop: Workspace) -> None:
    merge(revisions="heads", message="merge", rev_id="0005")


@wrong("12.1", 'has no column "price"')
def test_merged_and_stamped(shop: Workspace) -> None:
    merge(revisions="heads", message="merge", rev_id="0005")
    stamp()


@wrong("12.1", "The script 0003 is gone")
def test_three_scripts_made_into_one(shop: Workspace) -> None:
    for script in ADD.values():
        Path(script).unlink()
    migrate(message="all of it", rev_id="0002")
    upgrade()


@wrong("12.1", 'On another database that is at 0002: The table products has no column "colour"')
def test_two_scripts_emptied(shop: Workspace) -> None:
    for script in ADD.values():
        Path(script).unlink()
    migrate(message="all of it", rev_id="0002")
    write_script("0003", "empty", "    pass\n", "    pass\n", "0002")
    write_script("0004", "empty", "    pass\n", "    pass\n", "0003")
    upgrade()


@wrong("12.1", "The scripts do not make a history")
def test_a_circle(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0001", "0004")
    follow(shop, ADD["0004"], "0001", "0003")


@wrong("12.1", "has lost a row")
def test_the_shop_begun_anew(shop: Workspace) -> None:
    merge(revisions="heads", message="merge", rev_id="0005")
    downgrade(revision="base")
    upgrade()


@wrong("12.1", 'On another database that is at 0003: The table products has no column "price"')
def test_two_rebased(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0001", "0002")
    follow(shop, ADD["0004"], "0001", "0003")
    upgrade()


@wrong("12.1", 'On another database that is at 0002: The table products has no column "colour"')
def test_rebased_the_other_way_round(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0001", "0004")
    follow(shop, ADD["0002"], "0001", "0003")
    upgrade()


@wrong("12.1", 'On another database that is at 0002: The table products has no column "colour"')
def test_a_script_made_into_the_merge(shop: Workspace) -> None:
    shop.edit(ADD["0002"], "down_revision = '0001'", "down_revision = ('0003', '0004')")
    upgrade()


@right("12.1")
def test_merged_by_hand(shop: Workspace) -> None:
    revision(head=[*THREE], message="by hand", rev_id="0009")
    upgrade()


@right("12.1")
def test_merged_in_two_steps(shop: Workspace) -> None:
    upgrade(revision="0003")
    merge(revisions=["0002", "0003"], message="two", rev_id="0005")
    merge(revisions=["0004", "0005"], message="and the third")
    upgrade()


# --- 12.2 ---


@wrong("12.2", "The history has 2 heads")
def test_only_the_name_corrected(shop: Workspace) -> None:
    shop.edit(BENS, CAPITALS, OF_TITLE)
    upgrade(revision="heads")


NO_COLUMN = 'upgrade(revision="heads") fails: OperationalError: no such column: name.'


@wrong("12.2", f"On an empty database: {NO_COLUMN}")
def test_only_rebased(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    with expect_error("OperationalError"):
        upgrade()


@wrong("12.2", f"On another database that is at 0002: {NO_COLUMN}")
def test_merged_only(shop: Workspace) -> None:
    with expect_error("OperationalError"):
        merge_and_upgrade()


@wrong("12.2", f"On another database that is at 0002: {NO_COLUMN}")
def test_merged_and_stamped_in_the_shop(shop: Workspace) -> None:
    merge(revisions="heads", message="merge", rev_id="0004")
    stamp(purge=True)


@wrong("12.2", "Product 1 should have the title APPLE; the table says Apple.")
def test_mended_and_not_run(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, OF_TITLE)


@wrong("12.2", "On another database that is at 0002: Product 41 should have the title KIWI")
def test_only_the_rows_of_the_shop(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, OF_TITLE.replace('(title)"', '(title) WHERE id < 4"'))
    upgrade()


@wrong("12.2", "The capitals can be downgraded, but the small letters do not come back.")
def test_the_refusal_given_up(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, OF_TITLE)
    shop.edit(BENS, REFUSE, "    pass\n")
    upgrade()


@wrong("12.2", "0003_capitals.py still imports from flask_app.")
def test_the_capitals_by_the_model(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    by_model = "op.execute(sa.update(Product).values(title=sa.func.upper(Product.title)))"
    shop.edit(BENS, CAPITALS, f"    from flask_app import Product\n\n    {by_model}\n")
    upgrade()


@wrong("12.2", "On another database that is at 0002: upgrade")
def test_merged_after_a_step_back(shop: Workspace) -> None:
    """0003 runs before 0002 there."""
    downgrade()
    upgrade(revision="0003")
    merge_and_upgrade()


@wrong("12.2", "On another database that is at 0002: Product 41 should have the title KIWI")
def test_the_rename_rebased_onto_the_capitals(shop: Workspace) -> None:
    downgrade()
    follow(shop, "migrations/versions/0002_rename_name.py", "0001", "0003")
    upgrade()


@wrong("12.2", "On another database that is at 0002: Product 41 should have the title KIWI")
def test_the_capitals_put_in_by_hand(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, "    pass\n")
    upgrade()
    run_by_hand("UPDATE products SET title = upper(title)")


@wrong("12.2", "On another database that is at 0002: Product 41 should have the title KIWI")
def test_bens_script_deleted(shop: Workspace) -> None:
    Path(BENS).unlink()
    run_by_hand("UPDATE products SET title = upper(title)")


@wrong("12.2", "On another database that is at 0001: Product 41 should have the title KIWI")
def test_only_what_the_shop_has_is_looked_for(shop: Workspace) -> None:
    """The order is right, but the rename begins with an empty table."""
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, OF_TITLE)
    rename = "        batch_op.alter_column('name', new_column_name='title')\n"
    anew = "        batch_op.add_column(sa.Column('title', sa.String(50)))\n"
    drop = "        batch_op.drop_column('name')\n"
    shop.edit("migrations/versions/0002_rename_name.py", rename, anew + drop)
    upgrade()


@wrong("12.2", "On an empty database: upgrade")
def test_merged_with_the_name_corrected(shop: Workspace) -> None:
    """0003 runs before 0002 where neither has run."""
    shop.edit(BENS, CAPITALS, OF_TITLE)
    merge_and_upgrade()


@wrong("12.2", 'From an empty database straight to 0003: upgrade(revision="0003") fails')
def test_merged_in_the_right_order(shop: Workspace) -> None:
    """It runs in this order by luck: 0003 says nowhere that it needs 0002."""
    shop.edit(BENS, CAPITALS, OF_TITLE)
    merge(revisions=["0003", "0002"], message="merge", rev_id="0009")
    upgrade()


@wrong("12.2", "The product BANANA is gone")
def test_a_product_lost(shop: Workspace) -> None:
    follow(shop, BENS, "0001", "0002")
    shop.edit(BENS, CAPITALS, OF_TITLE)
    upgrade()
    run_by_hand("DELETE FROM products WHERE id = 3")


@right("12.2")
def test_the_order_by_depends_on(shop: Workspace) -> None:
    shop.edit(BENS, "depends_on = None", "depends_on = '0002'")
    shop.edit(BENS, CAPITALS, OF_TITLE)
    merge(revisions=["0002", "0003"], message="merge")
    upgrade()


@right("12.2")
def test_bens_script_written_anew(shop: Workspace) -> None:
    Path(BENS).unlink()
    revision(message="capitals", rev_id="0005")
    script = "migrations/versions/0005_capitals.py"
    shop.edit(script, "def upgrade():\n    pass\n", f"def upgrade():\n{OF_TITLE}")
    shop.edit(script, "def downgrade():\n    pass\n", f"def downgrade():\n{REFUSE}")
    upgrade()


@right("12.2")
def test_the_capitals_after_the_merge(shop: Workspace) -> None:
    shop.edit(BENS, CAPITALS, "    pass\n")
    merge(revisions="heads", message="merge", rev_id="0004")
    shop.edit(
        "migrations/versions/0004_merge.py", "upgrade():\n    pass\n", f"upgrade():\n{OF_TITLE}"
    )
    upgrade()


# --- 12.3 ---


@wrong("12.3", 'has no column "price"')
def test_upgrade_and_nothing_else(shop: Workspace) -> None:
    upgrade()
    revision(message="nothing", rev_id="0004")
    upgrade()


@wrong("12.3", 'has no column "price"')
def test_stamped_back_only(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)


@wrong("12.3", "has lost a row that it had: 1, Apple, red")
def test_back_with_the_colours_lost(shop: Workspace) -> None:
    downgrade()
    stamp(revision="0001", purge=True)
    upgrade()


@wrong("12.3", "On an empty database: upgrade")
def test_a_further_script_for_the_price(shop: Workspace) -> None:
    migrate(message="price again", rev_id="0004")
    upgrade()


@wrong("12.3", "On another database that is at 0003: ")
def test_the_price_added_by_hand(shop: Workspace) -> None:
    run_by_hand("ALTER TABLE products ADD COLUMN price INTEGER")


@wrong("12.3", 'On another database that is at 0003: The table products has no column "price"')
def test_the_missing_step_run_by_stamps(shop: Workspace) -> None:
    stamp(revision="0001", purge=True)
    upgrade(revision="0002")
    stamp(revision="0003", purge=True)


@wrong("12.3", "The history has 2 heads")
def test_parted_and_not_merged(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0002", "0001")
    upgrade(revision="heads")


@wrong("12.3", 'has no column "price"')
def test_merged_late_and_stamped(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0002", "0001")
    merge(revisions="heads", message="merge", rev_id="0004")
    stamp(purge=True)


@wrong("12.3", "On an empty database: ")
def test_the_price_out_of_the_old_script(shop: Workspace) -> None:
    """The model loses the price, so that nothing is missing."""
    migrate(message="price again", rev_id="0004")
    shop.edit(ADD["0002"], "batch_op.drop_column('price')", "pass")
    upgrade()


@right("12.3")
def test_the_price_rebased_onto_the_colour(shop: Workspace) -> None:
    """It has run nowhere, so it may go last."""
    follow(shop, ADD["0003"], "0002", "0001")
    follow(shop, ADD["0002"], "0001", "0003")
    upgrade()


@right("12.3")
def test_the_price_generated_anew(shop: Workspace) -> None:
    follow(shop, ADD["0003"], "0002", "0001")
    Path(ADD["0002"]).unlink()
    migrate(message="what it costs")
    upgrade()
