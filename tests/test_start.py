"""start.py mends what can be mended, and tells the rest in one line."""

import importlib.util
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
NOWHERE = "http://127.0.0.1:9/simple"  # nothing listens on the discard port
TELL = """\
import json, os, sys, time
told = {"time": time.time(), "argv": sys.argv, "cwd": os.getcwd(), "prefix": sys.prefix}
print(json.dumps(told), flush=True)
"""

posix = pytest.mark.skipif(os.name == "nt", reason="signals, links and modes of POSIX")
slow = pytest.mark.slow


def requirement(name: str) -> str:
    """One package of requirements.txt, with its hashes."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    found = re.search(rf"(?m)^{name}==(?:.*\\\n)*.*\n", text)
    assert found
    return found.group()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is quick to set up: two small packages, and a chapter tool that tells."""
    folder = tmp_path / "my Übung"
    (folder / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "start.py", folder)
    (folder / "tests" / "refresh.py").write_text(TELL)
    (folder / "requirements.txt").write_text(requirement("iniconfig") + requirement("uv"))
    return folder


@pytest.fixture
def ready(checkout: Path) -> Path:
    """A checkout whose .venv start.py takes for whole, though nothing was installed."""
    module = load(checkout)
    venv.create(module.VENV, symlinks=os.name != "nt")
    site = site_packages(checkout)
    for name in ("pytest", "jupyterlab", "iniconfig"):
        (site / name).mkdir()
        (site / name / "__main__.py").write_text(TELL)
    stamp(checkout)
    return checkout


def load(folder: Path) -> ModuleType:
    """The start.py of this folder, as a module."""
    spec = importlib.util.spec_from_file_location("start", folder / "start.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stamp(folder: Path) -> None:
    """Declare the .venv of this folder whole, as it is."""
    module = load(folder)
    lines = [*module.origin(), *sorted(module.packages())]
    module.STAMP.write_text("\n".join(lines), "utf-8")


def site_packages(folder: Path) -> Path:
    return next((folder / ".venv").glob("[Ll]ib/**/site-packages"))


def venv_python(folder: Path) -> Path:
    python: Path = load(folder).PYTHON
    return python


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}


def start(
    folder: Path, *arguments: str, python: str | Path = sys.executable, **options: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), str(folder / "start.py"), *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )


def launch(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """A start.py in a process group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [sys.executable, str(folder / "start.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        **options,
    )


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return
    pytest.fail(f"never said {text!r}, but {seen!r}")


def told(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the command that start.py became tells."""
    assert result.returncode == 0, result.stdout + result.stderr
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The single line in which start.py says why it stopped."""
    assert result.returncode != 0
    assert "Traceback" not in result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("start.py: ")]
    assert len(lines) == 1, result.stderr
    assert result.stderr.splitlines()[-1] == lines[0]
    return lines[0]


def the_only_line(result: subprocess.CompletedProcess[str]) -> str:
    line = one_line(result)
    assert result.stderr.strip() == line
    return line


def assert_nobody_left(group: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("a process was left behind")


# Python and help


def test_an_old_python_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.10\."):
        runpy.run_path(str(ROOT / "start.py"))


def old_pythons() -> list[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    names = [f"3.{minor}" for minor in range(6, 11)]
    on_path = [shutil.which(f"python{name}") for name in names]
    by_pyenv = [str(p) for name in names for p in pyenv.glob(f"{name}.*/bin/python3")]
    return [python for python in (*on_path, *by_pyenv) if python and is_old(python)]


def is_old(python: str) -> bool:
    check = "import sys; sys.exit(sys.version_info >= (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def test_a_really_old_python_is_told_in_one_line() -> None:
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python from 3.6 to 3.10 here")
    for python in pythons:
        result = start(ROOT, "--help", python=python)
        assert re.fullmatch(r"The workbook needs .* this is 3\.\d+\.\n", result.stderr), python


def test_help(checkout: Path) -> None:
    result = start(checkout, "--help")
    assert "python3 start.py test" in result.stdout
    assert not (checkout / ".venv").exists()


# What a ready checkout runs


@pytest.mark.parametrize("elsewhere", [Path.home(), Path(os.sep)], ids=["home", "top"])
def test_test_is_pytest_with_nbval(ready: Path, elsewhere: Path) -> None:
    answer = told(start(ready, "test", "-k", "two words", cwd=elsewhere))
    assert answer["argv"][1:] == ["--nbval", "-k", "two words"]
    assert Path(answer["cwd"]) == ready
    assert Path(answer["prefix"]) == ready / ".venv"


def test_no_argument_is_the_lab_on_the_repository(ready: Path) -> None:
    argv = told(start(ready))["argv"]
    assert f"--ServerApp.root_dir={ready}" in argv
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in argv
    assert argv[-1] == told(start(ready, "--no-browser"))["argv"][-2]


def test_refresh(ready: Path) -> None:
    answer = told(start(ready, "refresh", "03"))
    assert answer["argv"] == [str(ready / "tests" / "refresh.py"), "03"]


def test_the_python_of_venv_may_start_it(ready: Path) -> None:
    assert Path(told(start(ready, "test", python=venv_python(ready)))["prefix"]) == ready / ".venv"


def test_a_second_start_installs_nothing_and_takes_no_time(ready: Path) -> None:
    def seconds() -> float:
        began = time.time()
        result = start(ready, "refresh")
        assert len(result.stdout.splitlines()) == 1
        return float(told(result)["time"]) - began

    assert min(seconds() for _ in range(5)) < 0.5


def test_what_a_learner_installs_is_no_fault(ready: Path) -> None:
    (site_packages(ready) / "seaborn").mkdir()
    assert load(ready).is_ready()


def test_the_next_start_may_be_by_another_python(ready: Path) -> None:
    module = load(ready)
    module.sys = ModuleType("sys")
    module.sys.version_info = (3, 14, 0)
    assert module.is_ready()


# What is noticed


def move(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved"))


def delete_a_package(folder: Path) -> None:
    shutil.rmtree(site_packages(folder) / "iniconfig")


def dangle_python(folder: Path) -> None:
    python = venv_python(folder)
    python.unlink()
    python.symlink_to("/nowhere/python3")


def replace_python(folder: Path) -> None:
    other = shutil.copy(Path(BASE_PYTHON).resolve(), folder / "python3.99")
    python = venv_python(folder)
    python.unlink()
    python.symlink_to(other)


def uninstall_python(folder: Path) -> None:
    replace_python(folder)
    stamp(folder)
    (folder / "python3.99").unlink()


def remove_the_base_python(folder: Path) -> None:
    config = folder / ".venv" / "pyvenv.cfg"
    config.write_text(re.sub("(?m)^home = .*", "home = /nowhere", config.read_text("utf-8")))


def delete_the_config(folder: Path) -> None:
    (folder / ".venv" / "pyvenv.cfg").unlink()


def delete_the_stamp(folder: Path) -> None:
    load(folder).STAMP.unlink()


def spoil_the_stamp(folder: Path) -> None:
    load(folder).STAMP.write_bytes(b"\xff\xfe half a stam")


def empty_venv(folder: Path) -> None:
    shutil.rmtree(folder / ".venv")
    (folder / ".venv").mkdir()


def change_the_requirements(folder: Path) -> None:
    with (folder / "requirements.txt").open("a") as file:
        file.write(requirement("six"))


FAULTS = [
    move,
    delete_a_package,
    pytest.param(dangle_python, marks=posix),
    pytest.param(replace_python, marks=posix),
    pytest.param(uninstall_python, marks=posix),
    remove_the_base_python,
    delete_the_config,
    delete_the_stamp,
    spoil_the_stamp,
    empty_venv,
    change_the_requirements,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(ready: Path, fault: Any) -> None:
    assert load(ready).is_ready()
    folder = fault(ready) or ready
    assert not load(folder).is_ready()


# What is told


def test_missing_requirements_are_told(checkout: Path) -> None:
    (checkout / "requirements.txt").unlink()
    assert "requirements.txt" in the_only_line(start(checkout))


@pytest.fixture
def python_without_pip(tmp_path: Path) -> Path:
    """A home for this Python, complete but for ensurepip: Debian's without python3-venv."""
    if os.name == "nt" or sysconfig.get_config_var("WHEEL_PKG_DIR"):
        pytest.skip("the library of this Python cannot be had without pip")
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = tmp_path / "home" / "lib" / stdlib.name
    library.mkdir(parents=True)
    for entry in stdlib.iterdir():
        if entry.name not in ("ensurepip", "site-packages"):
            (library / entry.name).symlink_to(entry)
    return tmp_path / "home"


def test_a_python_without_pip_is_told(checkout: Path, python_without_pip: Path) -> None:
    result = start(
        checkout, python=BASE_PYTHON, env=environment(PYTHONHOME=str(python_without_pip))
    )
    assert "sudo apt install python3-venv" in the_only_line(result)


def reader() -> dict[str, Any]:
    """How to run Python as somebody who may read the tests' folders but not write to them."""
    if os.name == "nt":
        pytest.skip("modes of POSIX")
    user: dict[str, Any] = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    check = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    for python in (BASE_PYTHON, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([python, "-c", check], check=True, capture_output=True, cwd="/", **user)
        except (OSError, subprocess.CalledProcessError):
            continue
        return {"python": python, "cwd": "/", **user}
    pytest.skip("no Python that another user can run")


def may_write(folder: Path, *, yes: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755 if yes else 0o555)


@pytest.fixture
def shared(ready: Path) -> Iterator[Path]:
    """A ready checkout in a folder that everybody can reach, unlike pytest's own."""
    python = reader()["python"]
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        folder = Path(shutil.copytree(ready, Path(top, "course")))
        command = [python, "-m", "venv", "--clear", "--without-pip", folder / ".venv"]
        subprocess.run(command, check=True)
        shutil.copytree(site_packages(ready), site_packages(folder), dirs_exist_ok=True)
        stamp(folder)
        may_write(folder, yes=False)
        yield folder
        may_write(folder, yes=True)


def test_a_reader_may_use_what_is_ready(shared: Path) -> None:
    assert Path(told(start(shared, "test", **reader()))["cwd"]) == shared


@pytest.mark.parametrize("fault", [delete_the_stamp, empty_venv])
def test_no_permission_is_told(shared: Path, fault: Any) -> None:
    may_write(shared, yes=True)
    fault(shared)
    may_write(shared, yes=False)
    line = the_only_line(start(shared, "test", **reader()))
    assert "no permission to write" in line
    assert "to a folder of yours" in line


CTRL_C = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


@posix
def test_ctrl_c_before_start_has_begun_says_nothing(ready: Path) -> None:
    (ready / "tempfile.py").write_text(CTRL_C)  # start.py's imports find it before Python's own
    result = start(ready, "refresh")
    assert result.returncode == -signal.SIGINT
    assert result.stdout + result.stderr == ""


@posix
def test_ctrl_c_before_the_first_step_is_told(checkout: Path) -> None:
    (checkout / "venv.py").write_text(CTRL_C)  # start.py imports it when it sets up
    assert "stopped. Run the same command again" in the_only_line(start(checkout, "refresh"))


# Real set-ups


def no_index(**changes: str) -> dict[str, str]:
    """An environment in which neither pip nor uv knows a place to get packages from."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": NOWHERE,
        "PIP_NO_CACHE_DIR": "1",
        **no_index_for_uv(),
        **changes,
    }


def no_index_for_uv(url: str = NOWHERE) -> dict[str, str]:
    return {"UV_DEFAULT_INDEX": url, "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def assert_set_up(folder: Path, result: subprocess.CompletedProcess[str]) -> None:
    assert Path(told(result)["prefix"]) == folder / ".venv"
    assert "Ready in " in result.stdout
    assert (site_packages(folder) / "iniconfig" / "__init__.py").is_file()
    assert load(folder).is_ready()


@slow
def test_the_first_start_makes_venv_and_the_second_nothing(checkout: Path) -> None:
    result = start(checkout, "refresh", cwd=Path.home())
    assert_set_up(checkout, result)
    assert "anew" not in result.stdout
    again = start(checkout, "refresh", env=no_index())
    assert len(again.stdout.splitlines()) == 1
    assert told(again)


@slow
@pytest.mark.parametrize(
    "fault",
    [move, delete_a_package, pytest.param(dangle_python, marks=posix), change_the_requirements],
)
def test_a_fault_is_mended(ready: Path, fault: Any) -> None:
    folder = fault(ready) or ready
    result = start(folder, "refresh")
    assert "making it anew" in result.stdout
    assert_set_up(folder, result)
    assert (site_packages(folder) / "six.py").is_file() == (fault is change_the_requirements)


@slow
def test_the_python_of_a_half_made_venv_can_make_it_anew(ready: Path) -> None:
    if os.name == "nt":
        pytest.skip("a program that runs cannot be replaced on Windows")
    delete_the_stamp(ready)
    assert_set_up(ready, start(ready, "refresh", python=venv_python(ready)))


def wrong_hashes(text: str) -> str:
    return re.sub(r"sha256:\w{4}", "sha256:0000", text)


def no_hashes(text: str) -> str:
    return text.partition(" ")[0] + "\n"


@slow
@pytest.mark.parametrize("package", ["uv", "iniconfig"])
@pytest.mark.parametrize("spoilt", [wrong_hashes, no_hashes])
def test_what_has_no_right_hash_is_refused(checkout: Path, package: str, spoilt: Any) -> None:
    lock = checkout / "requirements.txt"
    right = requirement(package)
    lock.write_text(lock.read_text("utf-8").replace(right, spoilt(right)))
    assert "could not be installed" in one_line(start(checkout, "refresh"))
    assert not (site_packages(checkout) / package).exists()
    assert not load(checkout).is_ready()


@slow
def test_no_network_is_told_soon(checkout: Path) -> None:
    began = time.monotonic()
    assert "Is the network there?" in one_line(start(checkout, "refresh", env=no_index()))
    assert time.monotonic() - began < 20


@slow
def test_pip_helps_where_uv_finds_no_way(checkout: Path) -> None:
    result = start(checkout, "refresh", env=environment(**no_index_for_uv()))
    assert "with pip" in result.stdout
    assert_set_up(checkout, result)


@slow
@posix
@pytest.mark.parametrize("step", ["1/3", "2/3", "3/3"])
def test_ctrl_c_stops_a_set_up_and_the_next_start_works(
    checkout: Path, step: str, silent: str
) -> None:
    hanging = no_index_for_uv(silent) if step == "3/3" else {"PIP_INDEX_URL": silent}
    process = launch(checkout, "refresh", env=environment(**hanging))
    read_until(process, step)
    time.sleep(0 if step == "1/3" else 0.5)
    os.killpg(process.pid, signal.SIGINT)
    output, error = process.communicate(timeout=10)
    result = subprocess.CompletedProcess("", process.returncode, output, error)
    assert "stopped. Run the same command again" in one_line(result)
    assert "KeyboardInterrupt" not in error
    assert_nobody_left(process.pid)
    assert_set_up(checkout, start(checkout, "refresh"))


@slow
@posix
def test_a_killed_start_leaves_the_lock_to_its_installer_alone(checkout: Path, silent: str) -> None:
    killed = launch(checkout, "refresh", env=environment(**no_index_for_uv(silent)))
    read_until(killed, "3/3")
    time.sleep(1)
    os.kill(killed.pid, signal.SIGKILL)
    following = launch(checkout, "refresh")
    read_until(following, "waiting for it")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    output, error = following.communicate(timeout=60)
    result = subprocess.CompletedProcess("", following.returncode, output, error)
    assert "making it anew" in output
    assert_set_up(checkout, result)


@slow
def test_two_at_once_make_one_venv(checkout: Path) -> None:
    both = [launch(checkout, "refresh") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("Ready in" in output for output in outputs) == [False, True]
    assert sorted("waiting for it" in output for output in outputs) == [False, True]
    assert load(checkout).is_ready()


# The whole


@slow
@posix
def test_the_lab_opens_on_the_first_notebook_and_ctrl_c_ends_it(
    checkout: Path, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "requirements.txt", checkout)
    shutil.copytree(ROOT / "notebooks", checkout / "notebooks")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    private = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "DATA", "RUNTIME")}
    arguments = ["--no-browser", f"--ServerApp.port={port}", "--IdentityProvider.token=t"]
    lab = launch(checkout, *arguments, env=environment(**private), stdin=subprocess.PIPE)
    family: list[psutil.Process] = []
    try:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(f"{url}/api/status?token=t", lab)
        landing = urllib.request.urlopen(f"{url}/?token=t").url
        assert "/lab/tree/notebooks/00_start_here.ipynb" in landing
        contents = f"{url}/api/contents/notebooks/00_start_here.ipynb?content=0&token=t"
        assert json.load(urllib.request.urlopen(contents))["type"] == "notebook"
        kernel = urllib.request.Request(f"{url}/api/kernels?token=t", data=b"{}", method="POST")
        urllib.request.urlopen(kernel)
        family = psutil.Process(lab.pid).children(recursive=True)
        assert family
        os.killpg(lab.pid, signal.SIGINT)
        output, error = lab.communicate("y\n", timeout=30)
        assert "start.py" not in error
        assert "Traceback" not in output + error
        assert psutil.wait_procs(family, timeout=5)[1] == []
    finally:
        if lab.poll() is None:
            lab.kill()
        for process in family:
            if process.is_running():
                process.kill()


def until_it_answers(url: str, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()
        try:
            urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("JupyterLab never answered")
