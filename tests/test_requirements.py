"""Each requirements.txt is its requirements.in resolved: exact versions, with hashes."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from chapters import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RESOLVE = "uv pip compile --universal --python-version 3.11 --generate-hashes"
COMMANDS = {
    "requirements.in": f"{RESOLVE} --fork-strategy fewest requirements.in -o requirements.txt",
    "tests/requirements.in": f"{RESOLVE} --fork-strategy fewest -c requirements.txt"
    " tests/requirements.in -o tests/requirements.txt",
}
each_source = pytest.mark.parametrize("source", COMMANDS)


@dataclass(frozen=True)
class Pin:
    requirement: Requirement
    hashes: int
    wanted_by: list[str]

    @property
    def version(self) -> str:
        return str(self.requirement.specifier).removeprefix("==")


def wanted(source: Path) -> list[tuple[Requirement, str]]:
    """The requirements of an .in file, each with its comment."""
    lines = [line.partition("#") for line in source.read_text("utf-8").splitlines()]
    return [
        (Requirement(line), comment.strip())
        for line, _, comment in lines
        if line.strip() and not line.startswith("-")
    ]


def pins(lock: Path) -> list[Pin]:
    """The packages of a .txt file."""
    found = []
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text("utf-8"))[1:]:
        reasons = re.findall(r"(?m)^ +#(?: via)? +(\S.*)$", block)
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block))
        found.append(Pin(Requirement(block.partition("\\\n")[0].strip()), hashes, reasons))
    return found


def complaints(source: Path) -> list[str]:
    """What is wrong with an .in file and the .txt beside it."""
    said = []
    locked = pins(source.with_suffix(".txt"))
    for pin in locked:
        faults = {
            "is not exact": not re.fullmatch(r"==[^,*]+", str(pin.requirement.specifier)),
            "has no hash": not pin.hashes,
            "does not say what wants it (# via ...)": not pin.wanted_by,
        }
        said += [f"{pin.requirement} {fault}" for fault, there in faults.items() if there]
    for requirement, comment in wanted(source):
        mine = [p for p in locked if p.requirement.name == canonicalize_name(requirement.name)]
        said += [] if mine else [f"{requirement} is not pinned"]
        said += [] if comment else [f"{requirement} has no comment"]
        for pin in mine:
            if not requirement.specifier.contains(pin.version, prereleases=True):
                said.append(f"{requirement} is pinned to {pin.version}")
            if not any(re.fullmatch(rf"-r (\S+/)?{source.name}", w) for w in pin.wanted_by):
                said.append(f"{pin.requirement} is not marked as wanted by {source.name}")
    return said


@each_source
def test_lock_agrees(source: str) -> None:
    assert not complaints(ROOT / source)


@each_source
def test_direct_requirements_are_few(source: str) -> None:
    assert 1 <= len(wanted(ROOT / source)) <= 20


SOUND = f"""\
flask-migrate==4.1.0 \\
    --hash=sha256:{"0" * 64}
    # via -r requirements.in
mako==1.3 ; sys_platform == 'win32' \\
    --hash=sha256:{"1" * 64}
    # via
    #   alembic
    #   flask-migrate
"""


@pytest.mark.parametrize(
    ("source", "lock", "complaint"),
    [
        ("Flask-Migrate>=4  # the subject", SOUND, ""),
        ("Flask-Migrate", SOUND, "Flask-Migrate has no comment"),
        ("Flask-Migrate>=5  # x", SOUND, "Flask-Migrate>=5 is pinned to 4.1.0"),
        ("Flask-Migrate  # x\nFlask  # y", SOUND, "Flask is not pinned"),
        ("mako  # x", SOUND, "is not marked as wanted by requirements.in"),
        ("mako  # x", SOUND.replace("1.3", "1.*"), "mako==1.* ; "),
        ("mako  # x", SOUND.replace("--hash", "#"), "has no hash"),
        ("mako  # x", SOUND.replace("# via -r requirements.in", ""), "does not say what wants it"),
    ],
)
def test_a_fault_is_found(source: str, lock: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text(source, encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(lock, encoding="utf-8")
    said = "\n".join(complaints(tmp_path / "requirements.in"))
    assert complaint.replace(" ;", ";") in said.replace(" ;", ";")
    assert bool(said) == bool(complaint)


@pytest.mark.slow
@each_source
def test_resolving_again_changes_nothing(source: str, tmp_path: Path) -> None:
    for name in COMMANDS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        shutil.copy((ROOT / name).with_suffix(".txt"), (tmp_path / name).with_suffix(".txt"))
    line = [sys.executable, "-m", *COMMANDS[source].split(), "--quiet"]
    result = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

    def pinned(root: Path) -> list[str]:
        lines = (root / source).with_suffix(".txt").read_text("utf-8").splitlines()
        return [line for line in lines if not line.startswith("#")]  # the header names the command

    assert pinned(tmp_path) == pinned(ROOT)
