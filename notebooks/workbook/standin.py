"""What a cell does where its database server is missing: say so, instead of failing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

STARTS_ANEW = re.compile(r"\b(Workspace|exercise)\(")
STARTS_SHOP_ON = re.compile(r"\bshop\.restart\((\w*)")
ASKS_FOR_SERVER = re.compile(r"\bshop\.(postgres|mariadb)\(")
# Set where outputs are stored and compared: there a mark would be a difference.
UNMARKED = "WORKBOOK_STORED_UNMARKED"


class StandIn:
    """Replaces the cells that need a server which is not there.

    A cell needs the server that the chapter asked for last, ``postgres = shop.postgres()``,
    until one starts the shop elsewhere: ``shop.restart()`` or ``shop.restart(mariadb)``.
    What stands for such a cell prints ``skipped: no PostgreSQL``, or, if the results are to be
    seen, shows what is stored for it.
    """

    def __init__(self, chapter: str) -> None:
        self.file = stored(chapter)
        self.missing: dict[str, tuple[str, bool]] = {}
        self.region = ""
        self.cell = ""

    def miss(self, name: str, product: str, see_stored: bool) -> None:
        """From the next cell on, the server is missing. ``name`` is its variable in the chapter."""
        self.missing[name] = (product, see_stored)
        self.region = name

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines to run for a cell's; an input transformer of IPython's, called twice a cell."""
        source = "".join(lines)
        if STARTS_ANEW.search(source):
            self.missing.clear()
        self.region = needed(source, self.region)
        if self.region not in self.missing:
            return lines
        self.cell = source
        return ["__import__('workbook.standin').standin.current().show()\n"]

    def show(self) -> Stored | None:
        """Show the stored result of the cell that is to be run, or say that it is skipped."""
        product, see_stored = self.missing[self.region]
        kept = json.loads(self.file.read_text("utf-8")) if self.file.exists() else {}
        outputs = kept.get(self.cell.strip()) if see_stored else None
        if outputs is None:
            print(f"skipped: no {product}")
            return None
        if UNMARKED not in os.environ:
            print(f"(stored result: no {product} here)")
        return publish(outputs)


class Stored:
    """A stored result, as the value of its cell."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data = data

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.data


_current: StandIn | None = None


def current() -> StandIn:
    """The stand-in of the chapter that runs in this kernel."""
    assert _current
    return _current


def install(chapter: str) -> StandIn:
    """Put a new stand-in into IPython, if there is one, in the old one's place."""
    global _current
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell and _current in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(_current)
    _current = StandIn(chapter)
    if shell:
        shell.input_transformers_cleanup.append(_current)
    return _current


def needed(source: str, before: str) -> str:
    """The server that a cell needs, by its variable; ``before`` is that of the cell before."""
    if STARTS_ANEW.search(source) or ASKS_FOR_SERVER.search(source):
        return ""
    start = STARTS_SHOP_ON.search(source)
    return start[1] if start else before


def needing(server: str, sources: Iterable[str]) -> Iterator[str]:
    """The cells among these that need a server, by the variable that holds its URI."""
    region = ""
    for source in sources:
        region = needed(source, region)
        if region == server:
            yield source
        if f"{server} = shop.{server}(" in source:
            region = server


def stored(chapter: str) -> Path:
    """Where the outputs are kept of a chapter's cells that need a MariaDB, by their source.

    Not in the notebook: its reader may clear it, and save.
    """
    return Path(__file__).parent / "stored" / f"{chapter}.json"


def publish(outputs: list[dict[str, Any]]) -> Stored | None:
    """Show stored outputs as if they came from the cell; the cell's value is returned."""
    from IPython.display import publish_display_data

    value = None
    for output in outputs:
        if output["output_type"] == "stream":
            print("".join(output["text"]), end="")
            continue
        data = {k: "".join(v) if isinstance(v, list) else v for k, v in output["data"].items()}
        if output["output_type"] == "execute_result":
            value = Stored(data)
        else:
            publish_display_data(data)  # type: ignore[no-untyped-call]
    return value
