#!/usr/bin/env python3
"""Open the workbook, or prove it. Needs Python 3.11 or newer, and nothing else.

  python3 start.py                     open the workbook in JupyterLab
  python3 start.py test                run every chapter and test: pytest --nbval
  python3 start.py refresh [chapter]   run chapters and store their outputs (for authors)

Further arguments go to JupyterLab or pytest. The first start makes .venv beside this file.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("The workbook needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.txt"
STAMP = VENV / "workbook-stamp.txt"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)


def site_packages():
    """The folder that packages are installed into."""
    return next(VENV.glob("[Ll]ib/python*/site-packages"), VENV / "Lib" / "site-packages")


def wanted():
    """What .venv must have been made from: these requirements, for this place and Python."""
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return [lock, str(VENV), sys.version.split()[0]]


def contents():
    """What lies in .venv's site-packages."""
    site = site_packages()
    return {p.name for p in site.iterdir()} if site.is_dir() else set()


def is_ready():
    """Is .venv whole, and made from what is wanted? (Files only, so that it takes no time.)"""
    if not (STAMP.is_file() and PYTHON.exists()):
        return False
    stamp = STAMP.read_text("utf-8").splitlines()
    return stamp[:3] == wanted() and set(stamp[3:]) <= contents()


def step(message, command, hint):
    """Run one step of the set-up; stop with one line if it fails."""
    print(message, flush=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONHOME")}
    result = subprocess.run([str(c) for c in command], env=environment, cwd=str(ROOT))
    if result.returncode:
        stop(hint)


def stop(message):
    """End with one line. An unfinished .venv has no stamp: the next start makes it anew."""
    sys.exit("start.py: " + message)


def set_up():
    """Make .venv and install requirements.txt into it, every hash checked."""
    started = time.perf_counter()
    if importlib.util.find_spec("ensurepip") is None:
        stop(
            "this Python cannot make environments. On Debian or Ubuntu: sudo apt install"
            " python3-venv; then run the same command again."
        )
    if VENV.exists():
        print("The environment in .venv is unfinished or out of date: making it anew.")
        shutil.rmtree(VENV)
    offline = (
        "the packages could not be installed (the lines above say why)."
        " Is the network there? Run the same command again."
    )
    step(
        "1/3 Making the environment .venv",
        [BASE_PYTHON, "-m", "venv", VENV],
        "the environment could not be made (the lines above say why).",
    )
    # uv installs the rest in a third of pip's time; where it has no wheel, pip does.
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--retries", "2"]
    uv = re.search(r"(?m)^uv==(?:.*\\\n)*.*$", LOCK.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        only_uv = Path(scratch) / "uv.txt"
        only_uv.write_text(uv.group(), encoding="utf-8")
        step(
            "2/3 Getting the installer, uv",
            [*pip, "--quiet", "--only-binary=:all:", "--require-hashes", "-r", only_uv],
            offline,
        )
    count = len(re.findall(r"(?m)^\S+==", LOCK.read_text("utf-8")))
    step(
        "3/3 Installing %d packages" % count,
        [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--require-hashes", "-r", LOCK],
        offline,
    )
    STAMP.write_text("\n".join([*wanted(), *sorted(contents())]), encoding="utf-8")
    print("Ready in %.0f s." % (time.perf_counter() - started), flush=True)


def command(arguments):
    """The command that the arguments ask for, without the Python before it."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb == "test":
        return ["-m", "pytest", "--nbval", *rest]
    if verb == "refresh":
        return [str(ROOT / "tests" / "refresh.py"), *rest]
    lab = [
        "-m",
        "jupyterlab",
        "--ServerApp.root_dir=" + str(ROOT),
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
        # Nothing is asked of, or told to, the outside.
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        lab.append("--allow-root")
    return lab + arguments


def run(arguments):
    """Become the command, in the environment."""
    os.environ["PATH"] = str(SCRIPTS) + os.pathsep + os.environ.get("PATH", "")
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.chdir(str(ROOT))
    line = [str(PYTHON), *command(arguments)]
    if os.name != "nt":
        os.execv(line[0], line)
    child = subprocess.Popen(line)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the child's to answer
    sys.exit(child.wait())


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(print(__doc__.strip()))
    try:
        if not is_ready():
            set_up()
        run(sys.argv[1:])
    except KeyboardInterrupt:
        stop("stopped. Run the same command again to go on.")
    except PermissionError as error:
        stop(
            "no permission to write %s. Copy the workbook to a folder of yours and start it there."
            % error.filename
        )
    except OSError as error:
        stop(str(error))
