"""The shop served by a real process, visitors who ask it for pages, and how they fared."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from .charts import GREY, chart
from .errors import WorkbookError
from .frames import Frame
from .pictures import Rich

PROGRAM = Path(__file__).with_name("shop_server.py")
VISITORS = 8
PAUSE = 0.02  # seconds between an answer and the same visitor's next request
SLOW = 250  # milliseconds, from which on a request counts as delayed
LONGEST = 20  # seconds that a visitor waits for an answer
REQUESTS = 32  # how many are done between two steps, at least
PATIENCE = 40  # seconds that a step waits for them
STEP = 0.1  # seconds that a letter of the timeline's text stands for
GAP = 0.03  # seconds between two requests that the timeline does not show
LETTERS = {"answered": ".", "delayed": "=", "failed": "x"}


class Server:
    """A process that serves the flask_app of a folder on a port of the loopback interface."""

    def __init__(self, folder: str, database: str) -> None:
        self.version = folder
        self._child = subprocess.Popen(
            [sys.executable, "-B", "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=tempfile.gettempdir(),  # Windows does not empty a folder that a process stands in
            start_new_session=True,  # "Interrupt the kernel" is not meant for the shop
        )
        atexit.register(self.stop)
        assert self._child.stdin
        asked = {"folder": str(Path(folder).resolve()), "database": database}
        print(json.dumps(asked), file=self._child.stdin, flush=True)

    @cached_property
    def port(self) -> int:
        """The port that the system gave it. (Waits until the process has started.)"""
        assert self._child.stdout
        answer = json.loads(self._child.stdout.readline() or '{"error": "its process died"}')
        if "error" in answer:
            self.stop()
            raise WorkbookError(f"{self.version} cannot be served: {answer['error']}")
        return int(answer["port"])

    def get(self) -> str:
        """What the page ``/`` answers: the status and the text."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        connection.request("GET", "/")
        response = connection.getresponse()
        said = response.read().decode("utf-8").strip()
        connection.close()
        said = said if response.status == 200 else response.reason
        return f"{self.version}: {response.status} {said}"

    def stop(self) -> None:
        """End the process."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()
        self._child.wait(timeout=20)


_served: dict[str, Server] = {}


def serve(folder: str, database: str) -> Server:
    """Serve a folder's flask_app, on this database, until ``stop()`` or the kernel's end."""
    if folder in _served:
        _served[folder].stop()  # the cell was run again
    _served[folder] = Server(folder, database)
    return _served[folder]


@dataclass(frozen=True)
class Request:
    """A visitor's request: when it began (s), of which version, read or write, how it went."""

    t: float
    version: str
    kind: str
    status: int
    ms: float

    @property
    def result(self) -> str:
        """Failed (an error, or no answer), delayed, or answered."""
        if not 200 <= self.status < 400:
            return "failed"
        return "delayed" if self.ms > SLOW else "answered"


class Traffic:
    """Eight visitors, as long as the block lasts: four read the page ``/``, four post to it.

    With two servers, as behind a load balancer, half of the visitors go to each. Before
    each step, and before the end, so many ``requests`` are done.
    """

    def __init__(self, *servers: Server, requests: int = REQUESTS) -> None:
        self.servers = servers
        self.requests = requests
        self.rows: list[Request] = []
        self.marks: list[tuple[float, str]] = []
        self._answers = [0] * VISITORS
        self._over = threading.Event()

    def __enter__(self) -> Traffic:
        _ = [server.port for server in self.servers]  # they have all started
        self._start = time.perf_counter()
        self._threads = [
            threading.Thread(target=self._visit, args=(number,), daemon=True)
            for number in range(VISITORS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None:
                self._run()
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(LONGEST + 5)

    def step(self, label: str) -> None:
        """Wait for some requests to be done; then note, in the picture too, what comes next."""
        self._run()
        self.marks.append((self._now(), label))
        print(f"{self._now():.1f} s: {label}")

    def to(self, *servers: Server) -> None:
        """Send the visitors to these servers, and wait until the others have answered."""
        _ = [server.port for server in servers]
        self.servers = servers
        before = [*self._answers]
        self._until(lambda: all(new > old for new, old in zip(self._answers, before, strict=True)))

    def count(self, result: str) -> int:
        """How many requests were ``failed``, ``delayed`` or ``answered``."""
        return sum(row.result == result for row in self.rows)

    @property
    def longest(self) -> float:
        """The longest wait for an answer, in ms."""
        return max(row.ms for row in self.rows)

    def timeline(self) -> Rich:
        """How the requests went, from the first to the last: those who read, those who write."""
        lines = sorted({(row.version, row.kind) for row in self.rows})
        plain = "\n".join([*map(self._line, lines), *(f"{t:.1f} s: {m}" for t, m in self.marks)])
        return chart(
            self._bars(),
            f"{plain}\nA letter is {STEP} s: . answered, = delayed, x failed",
            height=36 * len(lines),
            layer=[BARS, CROSSES, *self._rules()],
        )

    def _visit(self, number: int) -> None:
        """Ask, again and again, and note how it went."""
        kind, method = (("writes", "POST"), ("reads", "GET"))[number % 2]
        connections: dict[int, HTTPConnection] = {}
        while not self._over.wait(PAUSE):
            server = self.servers[number // 2 % len(self.servers)]
            port = server.port
            connection = connections.setdefault(
                port, HTTPConnection("127.0.0.1", port, timeout=LONGEST)
            )
            began = self._now()
            try:
                connection.request(method, "/", headers={"Content-Length": "0"})
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, HTTPException):
                connection.close()
                status = 0
            ms = (self._now() - began) * 1000
            self.rows.append(Request(began, server.version, kind, status, ms))
            self._answers[number] += 1
        for connection in connections.values():
            connection.close()

    def _run(self) -> None:
        wanted = len(self.rows) + self.requests
        self._until(lambda: len(self.rows) >= wanted)

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _until(self, done: Callable[[], bool]) -> None:
        limit = time.perf_counter() + PATIENCE
        while not done():
            if time.perf_counter() > limit:
                raise WorkbookError(f"The visitors got too few answers within {PATIENCE} s.")
            time.sleep(0.005)

    def _line(self, lane: tuple[str, str]) -> str:
        """A lane as text: the worst that happened in each tenth of a second."""
        worst = list(LETTERS)
        last = int(max(row.t + row.ms / 1000 for row in self.rows) / STEP)
        letters = [" "] * (last + 1)
        for row in self.rows:
            if (row.version, row.kind) == lane:
                letter = LETTERS[row.result]
                for at in range(int(row.t / STEP), int((row.t + row.ms / 1000) / STEP) + 1):
                    order = [" ", *(LETTERS[name] for name in worst)]
                    letters[at] = max(letters[at], letter, key=order.index)
        return f"{' '.join(lane):10} {''.join(letters).rstrip()}"

    def _bars(self) -> list[dict[str, object]]:
        """The rows of the chart: stretches of requests that went alike; a failed one alone."""
        stretches: list[tuple[str, str, float, float]] = []
        for row in sorted(self.rows, key=lambda row: (row.version, row.kind, row.result, row.t)):
            lane, result = f"{row.version} {row.kind}", row.result
            start, end = round(row.t, 2), round(row.t + row.ms / 1000, 2)
            last = stretches[-1] if stretches else ("", "", 0, 0)
            if last[:2] == (lane, result) and start <= last[3] + GAP:
                if result == "failed":
                    continue  # its cross would stand on the last one
                start, end = stretches.pop()[2], max(end, last[3])
            stretches.append((lane, result, start, end if result != "failed" else start))
        return [dict(zip(("lane", "result", "t", "end"), s, strict=True)) for s in stretches]

    def _rules(self) -> list[dict[str, object]]:
        """The moments that were marked, as lines with words above."""
        moments = {"values": [{"t": round(t, 2), "mark": m} for t, m in self.marks]}
        t = {"field": "t", "type": "quantitative"}
        words = {"type": "text", "align": "left", "dx": 3, "y": -8, "color": GREY}
        return [
            {"data": moments, "mark": {"type": "rule", "color": GREY}, "encoding": {"x": t}},
            {
                "data": moments,
                "mark": words,
                "encoding": {"x": t, "text": {"field": "mark"}},
            },
        ]


class Report:
    """Somebody who reads a table, and whose transaction stays open for a while.

    It returns at once; the transaction goes on in a thread. The ``seconds`` begin when somebody
    waits for a lock on the table: on a busy machine a migration may be long in coming. Before
    the transaction ends, it looks up which locks on the table there are, and whether they are
    granted or waited for: ``locks``.
    """

    LOCKS = """
        SELECT DISTINCT mode, CASE WHEN granted THEN 'granted' ELSE 'waits' END AS state
        FROM pg_locks WHERE relation = CAST(:table AS regclass) ORDER BY state, mode
    """

    def __init__(self, database: str, table: str, seconds: float = 1) -> None:
        self.locks = Frame()
        self._reads = threading.Event()
        self._thread = threading.Thread(
            target=self._read, args=(database, table, seconds), daemon=True
        )
        self._thread.start()
        if not self._reads.wait(PATIENCE):
            raise WorkbookError(f"The report could not read {table}.")

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join(PATIENCE)

    def _read(self, database: str, table: str, seconds: float) -> None:
        engine = create_engine(database, poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
            self._reads.set()
            limit = time.perf_counter() + PATIENCE / 2
            while time.perf_counter() < limit:
                if "waits" in {state for _, state in self._look(connection, table)}:
                    break
                time.sleep(0.01)
            time.sleep(seconds)
            self.locks = Frame(self._look(connection, table), columns=["lock", "state"])

    def _look(self, connection: Connection, table: str) -> list[tuple[str, str]]:
        rows = connection.execute(text(self.LOCKS), {"table": table})
        return [(mode, state) for mode, state in rows]


def summary(**traffic: Traffic) -> Frame:
    """What became of the requests, a line for each block of traffic."""
    rows = [
        (
            name.replace("_", " "),
            len(t.rows),
            t.count("failed"),
            t.count("delayed"),
            round(t.longest),
        )
        for name, t in traffic.items()
    ]
    return Frame(rows, columns=["", "requests", "failed", "delayed", "longest wait, ms"])


X = {"field": "t", "type": "quantitative", "title": "seconds"}
Y = {"field": "lane", "type": "nominal", "title": None}
SCALE = {"domain": [*LETTERS], "range": ["#6baed6", "#d98200", "#d62728"]}
COLOUR = {"field": "result", "type": "nominal", "title": None, "scale": SCALE}
THICKNESS = {"condition": {"test": "datum.result == 'delayed'", "value": 14}, "value": 5}
BARS = {
    "transform": [{"filter": "datum.result != 'failed'"}],
    "mark": {"type": "bar", "opacity": 1},
    "encoding": {"x": X, "x2": {"field": "end"}, "y": Y, "color": COLOUR, "size": THICKNESS},
}
CROSSES = {
    "transform": [{"filter": "datum.result == 'failed'"}],
    "mark": {
        "type": "point",
        "shape": "cross",
        "angle": 45,
        "size": 70,
        "filled": True,
        "opacity": 1,
    },
    "encoding": {"x": X, "y": Y, "color": COLOUR},
}
