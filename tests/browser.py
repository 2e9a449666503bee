"""JupyterLab as start.py starts it, and its pages in a browser without a window."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from chapters import ROOT
from nbformat import NotebookNode

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NOT_COPIED = (".*", "__pycache__", "workspace", "instance", "screenshots", "node_modules", "dist")
WIDTH, HEIGHT = 1100, 1000
TALLEST = 12_000  # many programs refuse a taller picture


def find_browser() -> str | None:
    """The program that WORKBOOK_BROWSER names, or a Chromium on the PATH."""
    found = [os.environ.get("WORKBOOK_BROWSER"), *map(shutil.which, BROWSERS)]
    return next(filter(None, found), None)


def what_is_missing() -> str | None:
    """Why no page can be opened here, or None."""
    for module in ("playwright", "axe_playwright_python"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed; tests/requirements.txt has it"
    if find_browser() is None:
        return f"no browser: none of {', '.join(BROWSERS)} is on the PATH"
    return None


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab, and the copy of the workbook that it serves."""

    root: Path
    workspaces: Path
    url: str
    token: str

    def api(self, path: str, method: str = "GET") -> Any:
        """What the server's REST API answers."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def is_up(self) -> bool:
        try:
            self.api("status")
        except OSError:
            return False
        return True

    def shut_down_kernels(self) -> None:
        for kernel in self.api("kernels"):
            self.api(f"kernels/{kernel['id']}", "DELETE")


@contextmanager
def serve(scratch: Path) -> Iterator[Lab]:
    """Start JupyterLab on a copy of the workbook, with nothing of the user's own settings."""
    root = shutil.copytree(  # a learner's folder may well have such a name
        ROOT, scratch / "my wörkbook", ignore=shutil.ignore_patterns(*NOT_COPIED)
    )
    port = free_port()
    lab = Lab(root, scratch / "workspace", f"http://127.0.0.1:{port}", secrets.token_hex(16))
    arguments = [
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={lab.token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    log = scratch / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *start_command(root, arguments)],
            cwd=root,
            env=environment(scratch, lab.workspaces),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_up(lab, server, log)
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def start_command(root: Path, arguments: list[str]) -> list[str]:
    """What that copy's start.py would run for these arguments."""
    spec = importlib.util.spec_from_file_location("start_of_the_copy", root / "start.py")
    assert spec
    assert spec.loader
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    return start.command(arguments)


def environment(scratch: Path, workspaces: Path) -> dict[str, str]:
    """An environment in which JupyterLab finds no settings but the one below."""
    tracker = scratch / "settings" / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    # Draw the cells that are out of sight too, and no empty page below the last one.
    tracker.write_text('{"windowingMode": "none", "scrollPastEnd": false}', encoding="utf-8")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "lab-workspaces",
        "IPYTHONDIR": "ipython",
    }
    own = {name: str(scratch / folder) for name, folder in folders.items()}
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
    return {**os.environ, **own, "WORKBOOK_WORKSPACE": str(workspaces), "PATH": path}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(lab: Lab, server: subprocess.Popen[bytes], log: Path, seconds: int = 60) -> None:
    end = time.monotonic() + seconds
    while not lab.is_up():
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError("JupyterLab did not start:\n" + log.read_text("utf-8", "replace"))
        time.sleep(0.1)


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A browser that can reach this machine only."""
    from playwright.sync_api import sync_playwright

    switches = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        switches.append("--no-sandbox")  # Chromium refuses to sandbox root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=switches)
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
        context.set_default_timeout(30_000)
        yield context
        browser.close()


@contextmanager
def open_lab(chromium: BrowserContext, lab: Lab, address: str) -> Iterator[OpenNotebook]:
    """Open JupyterLab with a notebook, in a page of its own; close it and end its kernel."""
    page = chromium.new_page()
    try:
        notebook = OpenNotebook(page, lab)
        page.goto(f"{lab.url}{address}{'&' if '?' in address else '?'}token={lab.token}")
        notebook.wait_until(KERNEL_IS_READY, seconds=60)
        # The side bars would take half the width.
        notebook.ask("() => { jupyterapp.shell.collapseLeft(); jupyterapp.shell.collapseRight() }")
        yield notebook
    finally:
        page.close()
        lab.shut_down_kernels()


KERNEL_IS_READY = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return !!panel?.context?.isReady && panel.sessionContext.isReady
        && kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}"""

ALL_HAS_RUN = """() => {
    const panel = jupyterapp.shell.currentWidget;
    const cells = [...panel.content.model.cells].filter(cell => cell.type === 'code');
    const failed = cell => cell.outputs.toJSON().some(one => one.output_type === 'error');
    return panel.sessionContext.session?.kernel?.status === 'idle'
        && (cells.some(failed) || cells.every(cell => cell.executionCount));
}"""

ROWS_OF_TABLES = """() => [...document.querySelectorAll('.jp-OutputArea-output table.dataframe')]
    .filter(table => table.offsetWidth && table.offsetHeight).map(table => table.rows.length)"""

# JupyterLab puts Mermaid's svg into an img; a diagram that failed has none.
DRAWN_MAPS = """() => [...document.querySelectorAll('.jp-RenderedMermaid img')].filter(
    img => img.src.startsWith('data:image/svg') && img.naturalWidth && img.offsetWidth).length"""

HAS_PICTURES = "() => !!document.querySelector('.jp-RenderedMermaid, .vega-embed')"

BROKEN_IMAGES = """() => [...document.querySelectorAll('.jp-Notebook img')]
    .filter(img => !(img.complete && img.naturalWidth)).map(img => img.src.slice(0, 100))"""

# What the chapters and the workbook package make; the rest of the page is JupyterLab's own.
OURS = [".jp-Notebook .jp-OutputArea-output", ".jp-Notebook .jp-MarkdownOutput"]
# JupyterLab's style sheet does not underline links, and a notebook cannot have one of its own.
RULES_FOR_JUPYTERLAB = ["link-in-text-block"]
# Its dark theme writes the comments of highlighted code in a contrast of 4.15, not 4.5.
JUPYTERLABS = [".jp-RenderedMarkdown pre span"]

# JupyterLab's body has no height and hides what overflows: axe takes all in it for invisible,
# and then looks at no colours. So the body is opened, and that colours were looked at is checked.
BARRIERS = """async ({include, exclude, foreign}) => {
    document.body.style.overflow = 'visible';
    const inside = {include: include.map(part => [part]), exclude: exclude.map(part => [part])};
    const found = await axe.run(inside, {resultTypes: ['violations']});
    document.body.style.overflow = '';
    const looked = [...found.passes, ...found.violations].map(rule => rule.id);
    const blind = looked.includes('color-contrast') ? [] : [['color-contrast', 'not looked at']];
    const grave = found.violations.filter(
        rule => ['serious', 'critical'].includes(rule.impact) && !foreign.includes(rule.id));
    return [...blind, ...grave.flatMap(
        rule => rule.nodes.map(node => [rule.id, node.html.slice(0, 200), node.failureSummary]))];
}"""

OUT_OF_SIGHT = """() => {
    const area = document.querySelector('.jp-Notebook .jp-WindowedPanel-outer');
    return area.scrollHeight - area.clientHeight;
}"""


class OpenNotebook:
    """A notebook in a page of JupyterLab, and the addresses elsewhere that the page asked for."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.strangers: list[str] = []
        self.own = (lab.url, lab.url.replace("http", "ws", 1), "data:", "blob:")
        page.on("request", lambda request: self.note(request.url))
        page.on("websocket", lambda socket: self.note(socket.url))

    def note(self, url: str) -> None:
        if not url.startswith(self.own):
            self.strangers.append(url)

    def ask(self, function: str, argument: Any = None, seconds: float = 20) -> Any:
        """What a JavaScript function answers. (page.evaluate would wait for ever.)"""
        question = f"async argument => ({{answer: await ({function})(argument)}})"
        handle = self.page.wait_for_function(question, arg=argument, timeout=seconds * 1000)
        return handle.json_value()["answer"]

    def wait_until(self, function: str, seconds: float = 30) -> None:
        """Wait until a JavaScript function answers true."""
        from playwright.sync_api import TimeoutError as TooLate

        try:
            self.page.wait_for_function(function, timeout=seconds * 1000, polling=50)
        except TooLate as error:
            shown = self.page.locator("body").inner_text()
            raise AssertionError(f"Waited {seconds} s. The page shows:\n{shown[:3000]}") from error

    def choose(self, menu: str, item: str) -> None:
        """Choose from JupyterLab's menu bar."""
        for name in (menu, item):
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def command(self, name: str, **arguments: str) -> None:
        """Run one of JupyterLab's own commands."""
        self.ask(f"async it => {{ await jupyterapp.commands.execute('{name}', it) }}", arguments)

    def turn_to(self, file: str) -> None:
        """Close the notebook, and open this one instead, in the light theme."""
        self.command("docmanager:save")  # or JupyterLab would ask whether to
        self.command("application:close-all")
        self.lab.shut_down_kernels()
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        self.dress("light")
        self.strangers.clear()
        self.command("docmanager:open", path=file)
        self.wait_until(KERNEL_IS_READY, seconds=60)
        assert self.path() == file

    def run_all(self) -> None:
        """Run all cells as a learner does, by the menus."""
        # The stored counts would be taken for the counts of this run.
        self.choose("Edit", "Clear Outputs of All Cells")
        self.choose("Run", "Run All Cells")
        self.wait_until(ALL_HAS_RUN, seconds=120)

    def model(self) -> NotebookNode:
        """The notebook with its outputs, as JupyterLab holds it."""
        model = self.ask("() => jupyterapp.shell.currentWidget.content.model.toJSON()")
        return nbformat.from_dict(model)

    def path(self) -> str:
        """The notebook's file, as JupyterLab names it."""
        return self.ask("() => jupyterapp.shell.currentWidget.context.path")

    def interruptions(self) -> list[str]:
        """The texts of dialogs and of messages that pop up."""
        return self.page.locator(".jp-Dialog, .Toastify__toast").all_inner_texts()

    def rows_of_tables(self) -> list[int]:
        """How many rows each frame has that is drawn."""
        return self.ask(ROWS_OF_TABLES)

    def drawn_maps(self) -> int:
        """How many Mermaid pictures are drawn."""
        return self.ask(DRAWN_MAPS)

    def broken_images(self) -> list[str]:
        """The addresses of images that show nothing."""
        return self.ask(BROKEN_IMAGES)

    def barriers(self) -> list[list[str]]:
        """What axe-core calls serious or critical in the texts and outputs in sight."""
        from axe_playwright_python.base import AXE_SCRIPT

        if not self.ask("() => 'axe' in window"):
            self.page.add_script_tag(content=AXE_SCRIPT)
        scope = {"include": OURS, "exclude": JUPYTERLABS, "foreign": RULES_FOR_JUPYTERLAB}
        return self.ask(BARRIERS, scope, seconds=60)

    def dress(self, theme: str) -> bool:
        """Change JupyterLab's theme. False if it is on already."""
        light = "true" if theme == "light" else "false"
        if self.ask("() => document.body.dataset.jpThemeLight") == light:
            return False
        self.command("apputils:change-theme", theme=f"JupyterLab {theme.capitalize()}")
        self.wait_until(f"() => document.body.dataset.jpThemeLight === '{light}'")
        return True

    def put_on(self, theme: str) -> None:
        """Change the theme; draw all anew if a picture would keep the colours of the first."""
        if self.dress(theme) and self.ask(HAS_PICTURES):
            self.command("docmanager:save")
            self.command("docmanager:reload")

    def out_of_sight(self) -> int:
        """How many pixels of the notebook one would have to scroll."""
        return self.ask(OUT_OF_SIGHT)

    def unfold(self) -> None:
        """Make the window so tall that the notebook need not be scrolled."""
        for _ in range(20):
            if not (hidden := self.out_of_sight()):
                break
            height = self.page.viewport_size["height"] + hidden
            self.page.set_viewport_size({"width": WIDTH, "height": height})
            self.page.wait_for_timeout(300)  # what comes into sight may grow

    def photograph(self, file: Path) -> None:
        """Store a picture of the unfolded notebook; several if it is tall."""
        height = self.page.viewport_size["height"]
        for number, top in enumerate(range(0, height, TALLEST), 1):
            part = file.with_stem(f"{file.stem}-{number}") if height > TALLEST else file
            clip = {"x": 0, "y": top, "width": WIDTH, "height": min(TALLEST, height - top)}
            self.page.screenshot(path=part, clip=clip)
