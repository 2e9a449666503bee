#!/usr/bin/env python3
"""Open the workbook, or prove it. Needs Python 3.11 or newer, and nothing else.

  python3 start.py                     open the workbook in JupyterLab
  python3 start.py test                run every chapter and test: pytest --nbval
  python3 start.py refresh [chapter]   run chapters and solutions, store their outputs,
                                       and make the blank exercises (for authors)

Further arguments go to JupyterLab or pytest. The first start makes .venv beside this file.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python has to get as far as this line
    sys.exit("The workbook needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main(), Ctrl-C ends it without a word

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

WINDOWS = os.name == "nt"
ROOT = Path(__file__).resolve().parent
REQUIREMENTS = ROOT / "requirements.txt"
VENV = ROOT / ".venv"
STAMP = VENV / "workbook-stamp.txt"
SCRIPTS = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = SCRIPTS / ("python.exe" if WINDOWS else "python")
# Otherwise JupyterLab begins by asking whether it may fetch news.
NO_NEWS = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}'
NOT_INSTALLED = (
    "the packages could not be installed (the lines above say why)."
    " Is the network there? Run the same command again."
)
NO_PIP = (
    "this Python comes without pip. On Debian or Ubuntu: sudo apt install python3-venv;"
    " then run the same command again."
)


def origin():
    """What .venv is made from and for: these requirements, this folder, that Python."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return [digest, ascii(str(VENV)), ascii(os.path.realpath(PYTHON))]


def packages():
    """The names in .venv's site-packages."""
    folders = [*VENV.glob("lib/python*/site-packages"), VENV / "Lib" / "site-packages"]
    return set(os.listdir(folders[0])) - {"__pycache__"}


def is_ready():
    """Is .venv whole and up to date? (It looks at files only, which takes no time.)"""
    try:
        stamp = STAMP.read_text("utf-8").splitlines()
        base = re.search(r"(?m)^home = (.+)$", (VENV / "pyvenv.cfg").read_text("utf-8"))
        whole = base and os.path.isdir(base[1]) and os.access(PYTHON, os.X_OK)
        return whole and stamp[:3] == origin() and packages().issuperset(stamp[3:])
    except (OSError, UnicodeError):
        return False


def stop(message):
    """End with one line. An unfinished .venv has no stamp, so the next start makes it anew."""
    sys.exit(f"start.py: {message}")


def succeeds(message, *command):
    """Say what is done, do it, and tell whether it went well."""
    print(message, flush=True)
    early = []  # a Ctrl-C that comes before there is a child to end
    signal.signal(signal.SIGINT, lambda *_: early.append(True))
    child = subprocess.Popen(
        [str(c) for c in command],
        cwd=ROOT,
        close_fds=False,  # it holds the lock for as long as it lives, even if this is killed
        # Ctrl-C is answered here, by ending it: its own traceback would only frighten.
        preexec_fn=None if WINDOWS else lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if early:
            raise KeyboardInterrupt
        return child.wait() == 0
    except BaseException:
        child.kill()
        child.wait()
        raise


def lock():
    """Wait until no other start.py is setting up. Closing the file that this returns unlocks."""
    file = REQUIREMENTS.open("r+b")  # never written to: it is locked because it is there
    os.set_inheritable(file.fileno(), True)
    for attempt in range(sys.maxsize):
        try:
            if WINDOWS:
                import msvcrt

                file.seek(2**30)  # far behind the end, for what is locked cannot be read
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except (BlockingIOError, PermissionError):
            if attempt == 0:
                print("Another start.py is making .venv: waiting for it.", flush=True)
            time.sleep(0.2)
        except OSError:
            break  # a disk without locks: most people start one at a time
    return file


def pip():
    """How to call pip: in the wheel that Python carries, since installing it takes seconds."""
    bundled = Path(os.__file__).with_name("ensurepip") / "_bundled"
    shared = Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or bundled)
    wheels = [*bundled.glob("pip-*.whl"), *shared.glob("pip-*.whl")]
    return [PYTHON, wheels[0] / "pip"] if wheels else stop(NO_PIP)


def set_up():
    """Make .venv and install requirements.txt into it, every hash checked."""
    import venv

    started = time.perf_counter()
    install = [*pip(), "install", "--disable-pip-version-check", "--retries=2", "--require-hashes"]
    if VENV.exists():
        print("The environment in .venv is unfinished or out of date: making it anew.")
        STAMP.unlink(missing_ok=True)
        shutil.rmtree(VENV)
    print("1/3 Making the environment .venv", flush=True)
    venv.create(VENV, symlinks=not WINDOWS)
    uv = re.search(r"(?m)^uv==(?:.*\\\n)*.*$", REQUIREMENTS.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        only_uv = Path(scratch, "uv.txt")
        only_uv.write_text(uv.group(), "utf-8")
        get_uv = [*install, "--quiet", "--only-binary=:all:", "-r", only_uv]
        if not succeeds("2/3 Getting the installer, uv", *get_uv):
            stop(NOT_INSTALLED)
    # uv is much faster; pip may know a mirror or a certificate that uv does not.
    with_uv = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--require-hashes"]
    if not (
        succeeds("3/3 Installing the packages", *with_uv, "-r", REQUIREMENTS)
        or succeeds("3/3 The same with pip, which is slower", *install, "-r", REQUIREMENTS)
    ):
        stop(NOT_INSTALLED)
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(NO_NEWS, "utf-8")
    STAMP.write_text("\n".join([*origin(), *sorted(packages())]), "utf-8")
    print(f"Ready in {time.perf_counter() - started:.0f} s.", flush=True)


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
        f"--ServerApp.root_dir={ROOT}",
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
    os.chdir(ROOT)
    line = [str(PYTHON), *command(arguments)]
    if not WINDOWS:
        os.execv(line[0], line)
    child = subprocess.Popen(line)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the child's to answer
    sys.exit(child.wait())


def main(arguments):
    """Set up if need be, and run; tell in one line what stands in the way."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ["VIRTUAL_ENV"] = str(VENV)
        os.environ.pop("PYTHONHOME", None)  # it would name another Python's library
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start compiles all of it
        if not is_ready():
            with lock():
                if not is_ready():
                    set_up()
        run(arguments)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop("stopped. Run the same command again to go on.")
    except PermissionError as error:
        stop(
            f"no permission to write {error.filename}. Close what uses it, or copy the workbook"
            " to a folder of yours and start it there."
        )
    except OSError as error:
        stop(error)


if __name__ == "__main__":
    main(sys.argv[1:])
