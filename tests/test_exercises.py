"""The exercises: notebooks, verbs, and that each has been answered wrongly and rightly."""

import copy
import importlib
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attempts import RIGHT, WRONG, kernel
from blanks import STUB, blank, blank_of, marked
from chapters import NOTEBOOKS, ROOT, blanks, chapters, code_cells, name, prose, read, solutions
from flask_migrate import downgrade, migrate, revision, upgrade
from hygiene import exercise_form, exercise_head, is_blank_of, states
from nbformat import NotebookNode
from workbook import WorkbookError, Workspace
from workbook.exercises import chapters as chapters_with_exercises
from workbook.exercises import (
    check,
    exercise,
    exercises,
    find,
    hint,
    hints_shown,
    homes,
    judge,
    progress,
    solution,
)
from workbook.exercises.chapter_03 import PRICES
from workbook.exercises.trial import in_server
from workbook.kernel import quiet

each_solution = pytest.mark.parametrize("path", solutions(), ids=name)
each_pair = pytest.mark.parametrize("path", [*solutions(), *blanks()], ids=name)
each_exercise = pytest.mark.parametrize("number", exercises())


def of_chapter(path: Path) -> list[str]:
    """The numbers of the exercises of this notebook's chapter."""
    return [number for number in exercises() if int(number.split(".")[0]) == int(path.name[:2])]


# --- The notebooks ---


def test_each_notebook_of_solutions_has_its_chapter_and_its_blank() -> None:
    names = [path.name for path in solutions()]
    assert [path.name for path in blanks()] == names
    assert set(names) <= {path.name for path in chapters()}
    assert [int(name[:2]) for name in names] == chapters_with_exercises()


@each_solution
def test_two_to_four_each(path: Path) -> None:
    assert 2 <= len(of_chapter(path)) <= 4


@pytest.mark.parametrize("path", [NOTEBOOKS / "00_start_here.ipynb", ROOT / "README.md"], ids=name)
def test_the_map_counts_them(path: Path) -> None:
    text = prose(read(path)) if path.suffix == ".ipynb" else path.read_text("utf-8")
    for file in blanks():
        link = file.relative_to(path.parent).as_posix()
        assert f"[{len(of_chapter(file))} exercises]({link})" in text


@each_solution
def test_the_chapter_leads_to_them(path: Path) -> None:
    assert f"](exercises/{path.name})" in prose(read(NOTEBOOKS / path.name))


@each_pair
def test_head(path: Path) -> None:
    assert not exercise_head(path)


@each_pair
def test_form(path: Path) -> None:
    assert not exercise_form(read(path), of_chapter(path))


@each_solution
def test_solutions_are_correct(path: Path) -> None:
    assert states(read(path)) == dict.fromkeys(of_chapter(path), "correct")


@each_solution
def test_blanks_are_not_attempted(path: Path) -> None:
    assert states(read(blank_of(path))) == dict.fromkeys(of_chapter(path), "not attempted")


@each_solution
def test_blank_is_made_from_the_solutions(path: Path) -> None:
    assert not is_blank_of(read(blank_of(path)), read(path))


SPOILT: list[tuple[str, Callable[[NotebookNode], None]]] = [
    ("not those of the solutions", lambda blank: blank.cells.pop()),
    ("not the solution's", lambda blank: blank.cells[1].update(source="other")),
    ("not the solution's", lambda blank: answer_of(blank).update(metadata={})),
    ("not the solution's", lambda blank: answer_of(blank).update(source="db.session.commit()")),
]


def answer_of(notebook: NotebookNode) -> NotebookNode:
    return next(cell for cell in code_cells(notebook) if STUB in cell.source)


@pytest.mark.parametrize(("complaint", "spoil"), SPOILT)
def test_a_blank_that_differs_is_found(
    complaint: str, spoil: Callable[[NotebookNode], None]
) -> None:
    solved = read(solutions()[0])
    given = blank(marked(solved))
    assert not is_blank_of(given, solved)
    spoil(given)
    assert complaint in " ".join(is_blank_of(given, solved))


def test_a_form_that_is_not_right_is_found() -> None:
    path = solutions()[0]
    numbers = of_chapter(path)
    without_check = copy.deepcopy(read(path))
    without_check.cells = [
        c for c in without_check.cells if f'check("{numbers[0]}")' not in c.source
    ]
    assert exercise_form(without_check, numbers)
    without_progress = copy.deepcopy(read(path))
    without_progress.cells.pop()
    assert "progress" in " ".join(exercise_form(without_progress, numbers))


# --- The attempts ---


@pytest.fixture(scope="module")
def attempts() -> None:
    sys.path.insert(0, str(Path(__file__).with_name("exercises")))
    for file in sorted(Path(__file__).with_name("exercises").glob("test_chapter_*.py")):
        importlib.import_module(file.stem)


@each_exercise
def test_was_answered_wrongly_and_rightly(number: str, attempts: None) -> None:
    assert WRONG[number] >= 2
    assert RIGHT[number] >= 1


@each_exercise
def test_hints_and_sentence(number: str) -> None:
    one = find(number)
    assert 2 <= len(one.hints) <= 3
    assert all(text.strip() and "\n" not in text for text in (*one.hints, one.shows, one.title))


# --- The verbs ---


def repair_price(shop: Workspace) -> None:
    """Answer 3.3, as its solution does."""
    downgrade()
    script = shop.path / "migrations/versions/0002_add_price.py"
    script.write_text(script.read_text("utf-8").replace("prcie", "price"), "utf-8")
    upgrade()


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("WORKBOOK_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    hints_shown.clear()
    with kernel():
        yield tmp_path


Printed = pytest.CaptureFixture[str]


def test_check_before_the_exercise_is_put_up(learner: Path, capsys: Printed) -> None:
    check("3.2")
    assert 'not attempted. Run exercise("3.2") first.' in capsys.readouterr().out


def test_not_attempted_not_yet_correct(learner: Path, capsys: Printed) -> None:
    exercise("3.2")
    from flask_app import Product, db

    check("3.2")
    assert "Exercise 3.2: not attempted." in capsys.readouterr().out
    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    db.session.get(Product, 3).price = 5
    check("3.2")
    assert "is a db.session.commit() missing?" in capsys.readouterr().out
    db.session.commit()
    check("3.2")
    assert "not yet. Banana, number 3, should cost 60; the table says 5." in capsys.readouterr().out
    db.session.get(Product, 3).price = 60
    db.session.commit()
    check("3.2")
    assert "Exercise 3.2: correct." in capsys.readouterr().out


def test_a_script_that_was_not_run_is_named(learner: Path) -> None:
    shop = exercise("3.1")
    with quiet():
        name = "    name: Mapped[str | None] = mapped_column(String(50))\n"
        shop.edit("flask_app/models.py", name, name + "    colour: Mapped[str | None]\n")
        shop.restart()
        migrate(message="add colour", rev_id="0002")
    line = judge(find("3.1")).line
    assert line.endswith('"colour". (The database is at 0001, and 0002 was not run.)')
    with quiet():
        downgrade(revision="base")
    line = judge(find("3.1")).line
    assert line.endswith(". (The database is at base, and 0001 and 0002 were not run.)")


def test_a_script_that_has_run_and_is_gone_is_named(learner: Path) -> None:
    shop = exercise("3.1")
    with quiet():
        revision(message="nothing", rev_id="0002")
        upgrade()
    (shop.path / "migrations" / "versions" / "0002_nothing.py").unlink()
    line = judge(find("3.1")).line
    assert line.endswith(
        ". (The database says that 0002 has run, but there is no such script here.)"
    )


def test_an_exercise_is_put_up_anew(learner: Path) -> None:
    shop = exercise("3.2")
    (shop.path / "flask_app" / "models.py").write_text("nonsense(", "utf-8")
    assert "The app does not start: SyntaxError" in judge(find("3.2")).line
    exercise("3.2")
    assert judge(find("3.2")).state == "not attempted"


def test_a_comment_is_no_attempt(learner: Path) -> None:
    models = exercise("3.1").path / "flask_app" / "models.py"
    models.write_text(models.read_text("utf-8") + f"\n{STUB}\n", "utf-8")
    assert judge(find("3.1")).state == "not attempted"


def test_after_the_kernel_was_restarted(learner: Path) -> None:
    """The check needs the folder only: no app runs, no workspace is current."""
    shop = exercise("3.2")
    with shop._connection() as connection:
        connection.exec_driver_sql("UPDATE products SET price = 7")
        connection.commit()
    with kernel():
        pass
    assert "Apple, number 1, should cost 130; the table says 7" in judge(find("3.2")).line


def test_while_the_learner_is_in_the_middle_of_a_write(learner: Path) -> None:
    exercise("3.2")
    from flask_app import db

    db.session.execute(db.text("UPDATE products SET price = 7"))  # not committed: a lock
    assert judge(find("3.2")).state == "not attempted"
    db.session.rollback()


def test_check_leaves_the_kernel_as_it_was(learner: Path) -> None:
    exercise("3.1")
    (learner / "exercises" / "3.1" / "note.txt").write_text("an attempt", "utf-8")
    import flask_app

    root = logging.getLogger()

    def state() -> tuple[object, ...]:
        app = sys.modules["flask_app"]
        return (
            os.getcwd(),
            [*sys.path],
            app,
            [*root.handlers],
            root.level,
            logging.root.manager.disable,
        )

    before = state()
    check("3.1")
    assert state() == before
    assert sys.modules["flask_app"] is flask_app


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("    connect(app)\n", "", "The app has no database"),
        ("    connect(app)\n", "    1 / 0\n", "The app does not start: ZeroDivisionError"),
        (
            "    app.register",
            "    with app.app_context():\n        db.session.get(Product, 1)\n    app.register",
            "On an empty database: The app does not start: OperationalError",
        ),
    ],
)
def test_an_app_that_cannot_be_tried(learner: Path, old: str, new: str, line: str) -> None:
    """The check says why, and the kernel is as it was."""
    shop = exercise("3.3")
    with quiet():
        repair_price(shop)
        shop.edit("flask_app/__init__.py", old, new)
    before = os.getcwd(), [*sys.path], sys.modules["flask_app"]
    assert line in judge(find("3.3")).line
    assert (os.getcwd(), [*sys.path], sys.modules["flask_app"]) == before


def test_an_app_without_a_database_can_be_left(learner: Path) -> None:
    shop = exercise("3.1")
    with quiet():
        shop.edit("flask_app/__init__.py", "    connect(app)\n", "")
        shop.edit("flask_app/__init__.py", "    Migrate(app, db)\n", "")
        shop.restart()
    exercise("3.1")


@pytest.fixture
def in_postgresql(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chapter 3's exercises, put up in PostgreSQL."""
    moved = {n: replace(one, home="PostgreSQL") for n, one in exercises().items() if n[:2] == "3."}
    monkeypatch.setattr("workbook.exercises.of_chapter", lambda _: moved)


def test_an_exercise_in_postgresql(in_postgresql: None) -> None:
    shop = exercise("3.2")
    from flask_app import Product, db

    assert db.engine.dialect.name == "postgresql"
    assert judge(find("3.2")).state == "not attempted"
    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    assert "a db.session.commit() missing?" in judge(find("3.2")).line
    db.session.commit()
    db.session.get(Product, 1)  # a connection stays open
    before = in_server(shop.home)
    assert judge(find("3.2")).state == "correct"
    assert in_server(shop.home) == before
    db.session.execute(db.delete(Product).where(Product.id == 3))
    db.session.commit()
    assert judge(find("3.2")).state == "not yet"
    shop.restart()
    assert len(shop.table("products")) == 3


def test_a_repair_in_postgresql(in_postgresql: None) -> None:
    shop = exercise("3.3")
    with quiet():
        repair_price(shop)
    assert judge(find("3.3")).state == "correct"


def test_a_postgresql_that_is_gone_with_its_kernel(in_postgresql: None) -> None:
    exercise("3.2")
    homes.clear()  # as in a new kernel
    assert 'Run `exercise("3.2")` first' in judge(find("3.2")).line


def test_a_postgresql_that_cannot_be_read(in_postgresql: None) -> None:
    exercise("3.2")
    homes["3.2"] += "_gone"
    verdict = judge(find("3.2"))
    assert verdict.state == "not yet"
    assert verdict.line.startswith("The database cannot be read: pg_dump: ")


def test_an_exercise_without_postgresql(
    in_postgresql: None, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBOOK_POSTGRES_URL", "nonsense")
    exercise("3.2")
    assert "PostgreSQL did not start" in capsys.readouterr().out
    assert judge(find("3.2")).state == "not attempted"


def test_unknown_numbers(learner: Path) -> None:
    for verb in (exercise, check, hint, solution):
        with pytest.raises(WorkbookError, match=r'no exercise "3\.9"\. There are: .*3\.1'):
            verb("3.9")
    with pytest.raises(WorkbookError, match="Chapter 99 has no exercises"):
        progress(99)


def test_hints_escalate_and_end(learner: Path, capsys: Printed) -> None:
    said = []
    for _ in range(5):
        hint("3.3")
        said.append(capsys.readouterr().out)
    assert said[0].startswith("Hint 1 of 3.")
    assert said[2].startswith("Hint 3 of 3.")
    assert 'solution("3.3")' not in said[1]
    assert said[2] == said[3] == said[4]
    assert 'solution("3.3") is left' in said[2]


@each_exercise
def test_solution_shows_code_without_marks(number: str, learner: Path, capsys: Printed) -> None:
    solution(number)
    said = capsys.readouterr().out
    assert find(number).title in said
    assert "python\n" in said
    assert "SOLUTION" not in said
    assert "check(" not in said.replace("flask_migrate.check(", "")


def test_solutions_that_a_teacher_keeps(
    learner: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbook.exercises.ROOT", tmp_path)
    with pytest.raises(WorkbookError, match="is not in this copy of the workbook"):
        solution("3.1")


def test_progress_is_remembered(learner: Path) -> None:
    assert "0 of 3 correct" in repr(progress(3))
    answer_rightly()
    check("3.2")
    exercise("3.2")
    check("3.2")
    shown = progress(3)
    assert [*shown.frame["state"]] == ["not attempted", "correct", "not attempted"]
    assert "1 of 3 correct" in repr(shown)
    assert '<progress max="3" value="1" aria-label="1 of 3 correct">' in shown._repr_html_()
    assert len(progress().frame) == len(exercises())


def answer_rightly() -> None:
    exercise("3.2")
    from flask_app import Product, db

    for product in db.session.scalars(db.select(Product)):
        product.price = PRICES[product.name]
    db.session.commit()


def test_nbgrader_gives_points_for_correct_answers_only(
    learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    exercise("3.2")
    with pytest.raises(AssertionError, match=r"Exercise 3\.2: not attempted"):
        check("3.2")
    answer_rightly()
    check("3.2")


def test_nbgrader_gets_no_bare_number() -> None:
    """It reads one, as the last output of a check, as partial credit."""
    for path in [*solutions(), *blanks()]:
        for cell in code_cells(read(path)):
            for output in cell.outputs if cell.metadata.get("nbgrader", {}).get("grade") else []:
                with pytest.raises(ValueError, match="could not convert"):
                    float(output.get("data", {}).get("text/plain", "no number"))


def test_the_solutions_work_beside_the_learners_own(learner: Path) -> None:
    """A notebook in solutions/ has its own workspaces and its own progress."""
    script = (
        "import os, sys; os.chdir(sys.argv[1]); sys.path.append('..');"
        "from workbook.exercises import exercise; print(exercise('3.1').path)"
    )
    import subprocess

    for shelf in ("solutions", "exercises"):
        line = [sys.executable, "-c", script, str(ROOT / "notebooks" / shelf)]
        said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        assert Path(said.splitlines()[-1]) == learner.resolve() / shelf / "3.1"
