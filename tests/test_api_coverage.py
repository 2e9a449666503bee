"""Every public function of Flask-Migrate is run by some chapter, with every parameter.

``python tests/test_api_coverage.py`` prints the table: function, parameter, chapters.
"""

import ast
import inspect
from collections.abc import Iterator

import flask_migrate
from chapters import chapters, code_cells, read

Use = tuple[str, str]  # function, parameter; no parameter for a call as such

# What no chapter runs, and why.
FOLDER = "the same for every command; chapter 13 gives it to init, revision and Migrate"
AS_REVISION = "as revision's, in chapter 12: migrate() is revision() with autogenerate"
AS_UPGRADE = "as upgrade's, in chapter 13"
AS_MIGRATE = "as Migrate's own, in chapters 9 and 11"
REFUSED = "Alembic refuses it: there is no SQL of a script that is only being written"
ONE_FOLDER = "needs several version_locations in alembic.ini; chapter 12 tells what for"
EMBEDDING = "for programs that run Flask-Migrate, such as the workbook's own kernel.py"
COMMANDS = (
    *("branches", "check", "current", "downgrade", "edit", "heads", "history"),
    *("merge", "migrate", "show", "stamp", "upgrade", "Migrate"),
)
NOT_RUN: dict[Use, str] = {
    **{(command, "directory"): FOLDER for command in COMMANDS},
    ("Migrate", "command"): "as init_app's, in chapter 13",
    **{("migrate", p): AS_REVISION for p in ("branch_label", "head", "splice", "version_path")},
    **{("downgrade", parameter): AS_UPGRADE for parameter in ("tag", "x_arg")},
    **{("Migrate.init_app", p): AS_MIGRATE for p in ("compare_type", "kwargs", "render_as_batch")},
    ("migrate", "sql"): REFUSED,
    ("revision", "sql"): REFUSED,
    ("revision", "version_path"): ONE_FOLDER,
    **{("Migrate.configure", parameter): EMBEDDING for parameter in ("", "f")},
    **{("Migrate.get_config", p): EMBEDDING for p in ("directory", "opts", "x_arg")},
}


def api() -> set[Use]:
    """The installed Flask-Migrate: its commands and the methods of Migrate, with parameters."""
    functions = {
        name: function
        for name, function in vars(flask_migrate).items()
        if inspect.isfunction(function)
        and inspect.unwrap(function).__module__ == flask_migrate.__name__
        and name != "catch_errors"
    }
    for name, method in vars(flask_migrate.Migrate).items():
        if inspect.isfunction(method) and name != "call_configure_callbacks":
            functions["Migrate" if name == "__init__" else f"Migrate.{name}"] = method
    return {
        (name, parameter)
        for name, function in functions.items()
        for parameter in ["", *parameters(function)]
    }


def parameters(function: object) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def called(call: ast.Call) -> str:
    """The function of Flask-Migrate that is called, or a word that is none."""
    match call.func:
        case ast.Name(id="save"):  # chapter 13: save(upgrade, file, ...) is upgrade(sql=True, ...)
            return ast.unparse(call.args[0])
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="flask_migrate"), attr=name):
            return name
        case ast.Attribute(value=value, attr=name) if "migrate" in ast.unparse(value).lower():
            return f"Migrate.{name}"
    return ""


def text_of(node: ast.AST) -> str:
    """The text of a string, a word standing for what an f-string fills in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "something" for part in parts)
    return ""


def uses(source: str) -> Iterator[Use]:
    """The calls in a cell, those in a text that it writes to a file included."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if "(" in (text := text_of(node)):
            yield from uses(text.strip())
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "migrate.configure":
            yield from [("Migrate.configure", ""), ("Migrate.configure", "f")]
        if isinstance(node, ast.Call) and (function := called(node)):
            order = [parameter for name, parameter in sorted_api() if name == function][1:]
            yield function, ""
            if function.startswith("Migrate"):  # elsewhere a chapter's own function may be meant
                yield from ((function, parameter) for parameter in order[: len(node.args)])
            if ast.unparse(node.func) == "save":
                yield function, "sql"
            known = {keyword.arg for keyword in node.keywords} & {*order}
            others = {keyword.arg for keyword in node.keywords} - known
            yield from ((function, parameter) for parameter in known if parameter)
            if others and "kwargs" in order:
                yield function, "kwargs"


def sorted_api() -> list[Use]:
    """The functions with their parameters in the order of their signatures."""
    found = []
    for name in dict.fromkeys(name for name, _ in api()):
        function = vars(flask_migrate).get(name) or getattr(
            flask_migrate.Migrate, name.removeprefix("Migrate.")
        )
        found += [(name, ""), *((name, parameter) for parameter in parameters(function))]
    return found


def covered() -> dict[Use, list[str]]:
    """Each use, and the chapters in which it is run."""
    found: dict[Use, list[str]] = {}
    for path in chapters():
        sources = (cell.source for cell in code_cells(read(path)))
        bodies = (s.partition("\n")[2] if s.startswith("%%") else s for s in sources)
        for use in {use for body in bodies for use in uses(body)}:
            found.setdefault(use, []).append(path.name[:2])
    return found


def test_every_function_and_parameter_is_run() -> None:
    missing = api() - covered().keys() - NOT_RUN.keys()
    assert not missing, f"no chapter runs {sorted(missing)}"


def test_exceptions_are_needed_and_argued() -> None:
    assert NOT_RUN.keys() <= api() - covered().keys()
    assert all(len(reason.split()) >= 4 for reason in NOT_RUN.values())


def test_a_new_parameter_would_be_noticed() -> None:
    assert ("upgrade", "tag") in api()
    assert ("upgrade", "new_parameter") not in covered()


def test_uses_are_found_where_they_are() -> None:
    cell = 'shop.edit("a.py", "Migrate(app, db)", "Migrate(app, db, compare_type=False, x=1)")'
    assert {("Migrate", "compare_type"), ("Migrate", "kwargs"), ("Migrate", "app")} <= {*uses(cell)}
    assert ("upgrade", "sql") in uses('with quiet():\n    upgrade(revision="0001", sql=True)')
    assert ("upgrade", "") not in uses("alembic.command.upgrade(config)")
    assert ("Migrate.get_config", "") in uses('app.extensions["migrate"].migrate.get_config()')


if __name__ == "__main__":
    run = covered()
    for function, parameter in sorted_api():
        said = ", ".join(run.get((function, parameter), [])) or NOT_RUN.get(
            (function, parameter), "-"
        )
        print(f"{function}({parameter}): {said}")
