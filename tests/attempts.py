"""Answers to exercises: a wrong one must be told what is missing, any right one is right."""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from workbook import Workspace
from workbook.exercises import exercise, find, judge
from workbook.exercises.definition import Verdict
from workbook.exercises.trial import contents, in_server
from workbook.kernel import quiet

Attempt = Callable[[Workspace], None]
Test = Callable[[], None]

WRONG: Counter[str] = Counter()
RIGHT: Counter[str] = Counter()


@contextlib.contextmanager
def kernel() -> Iterator[None]:
    """This process as a learner's kernel: afterwards it is as it was."""
    here, path = os.getcwd(), [*sys.path]
    try:
        yield
    finally:
        if Workspace._running:
            Workspace._running._stop()
            Workspace._running = None
        os.chdir(here)
        sys.path[:] = path


def verdict_on(number: str, attempt: Attempt) -> Verdict:
    """Put up an exercise, answer it so, and judge. The check must leave all as it was."""
    with kernel():
        shop = exercise(number)
        with quiet():
            attempt(shop)
        before, where, modules = holds(shop), os.getcwd(), dict(sys.modules)
        verdict = judge(find(number))
        assert holds(shop) == before, "the check changed the learner's workspace"
        assert os.getcwd() == where
        for name, module in modules.items():
            assert not name.startswith("flask_app") or sys.modules.get(name) is module
        return verdict


def holds(shop: Workspace) -> dict[str, str]:
    """What a workspace and its database hold."""
    return contents(shop.path) | in_server(shop.home)


def wrong(number: str, line: str) -> Callable[[Attempt], Test]:
    """A plausible attempt that is not right: the check says "not yet", with this in its line."""
    WRONG[number] += 1

    def decorate(attempt: Attempt) -> Test:
        def test() -> None:
            verdict = verdict_on(number, attempt)
            assert verdict.state == "not yet", verdict
            assert line in verdict.line, verdict.line

        return test

    return decorate


def right(number: str) -> Callable[[Attempt], Test]:
    """A right answer by another road than the solution's: the check says "correct"."""
    RIGHT[number] += 1

    def decorate(attempt: Attempt) -> Test:
        def test() -> None:
            verdict = verdict_on(number, attempt)
            assert verdict.state == "correct", verdict.line

        return test

    return decorate
