"""Start a private PostgreSQL, and end it when the process that asked for it is gone.

A program of its own (only the standard library): the kernel may be killed, and the server
must not stay. ``python postgres_guard.py`` reads a line of JSON, {"binaries": folder of initdb
and pg_ctl, "folders": where the data may lie, the best place first}, and answers with one:
{"host": ..., "port": ..., "password": ...} or {"error": reason}. When its standard
input ends, because the kernel closed it or died, it stops the server and removes the data.

initdb and pg_ctl: https://www.postgresql.org/docs/current/app-initdb.html
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

WINDOWS = os.name == "nt"
ROOM = 103 - len("/.s.PGSQL.5432")  # a socket's path has 103 bytes on macOS, 107 on Linux
# The data is thrown away in the end, so it need not survive a power cut. The replication
# of chapter 17 wants wal_level.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "logical",
    "jit": "off",
    "max_connections": "60",
}


class Server:
    """A PostgreSQL with its data in a new folder below ``top``.

    It listens on a Unix socket in that folder, which only its own user may enter; on Windows
    on a free port of the loopback interface, with a password. Raises OSError or RuntimeError,
    with a reason in one line, if it does not start; then nothing is left of it.
    """

    def __init__(self, binaries: Path, top: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="workbook-postgres-", dir=top))
        self.binaries = binaries
        self.log = self.folder / "log"
        self.password = secrets.token_urlsafe() if WINDOWS else ""
        self.user: dict[str, Any] = {}
        try:
            if not WINDOWS and len(os.fsencode(self.folder)) > ROOM:
                raise RuntimeError(f"{top} is too long for a socket's path")
            self.user = self.other_than_root()
            self.make()
            self.start()
        except BaseException:
            self.stop()
            raise

    def other_than_root(self) -> dict[str, Any]:
        """As whom PostgreSQL runs: it refuses to be root."""
        if WINDOWS or os.geteuid() != 0:
            return {}
        import pwd

        nobody = pwd.getpwnam("nobody")
        self.folder.chmod(0o770)  # root need not have the power to enter what is closed to it
        os.chown(self.folder, nobody.pw_uid, os.getegid())
        user: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        try:
            command = [str(self.binaries / "postgres"), "--version"]
            subprocess.run(command, check=True, cwd="/", capture_output=True, **user)
        except (OSError, subprocess.CalledProcessError):
            # Only root can reach the programs, in /root for instance.
            installed = self.binaries.parent
            copies = self.folder / "programs"
            # On Linux the wheel's libraries lie beside its package, on macOS in it.
            beside = installed.parent.with_name(f"{installed.parent.name}.libs")
            for part in (installed, installed.with_name(".dylibs"), beside):
                copy = copies / part.relative_to(installed.parents[1])
                if part.is_dir():
                    shutil.copytree(part, copy, symlinks=True)
            self.binaries = copies / self.binaries.relative_to(installed.parents[1])
        return user

    def make(self) -> None:
        """Make the data folder, with one user, ``workbook``."""
        access = ["--auth=trust"]
        if self.password:
            secret = self.folder / "password"
            secret.write_text(self.password, "utf-8")
            access = ["--auth=scram-sha-256", f"--pwfile={secret}"]
        self.run(
            "initdb", *access, "--username=workbook", "--encoding=UTF8", "--no-locale", "--no-sync"
        )
        where = {"listen_addresses": "127.0.0.1", "port": str(free_port())}
        if not WINDOWS:
            directory = str(self.folder).replace('"', '""')
            where = {"listen_addresses": "", "unix_socket_directories": f'"{directory}"'}
        lines = [f"{name} = {quoted(value)}\n" for name, value in (SETTINGS | where).items()]
        conf = self.folder / "data" / "postgresql.conf"
        with self.as_owner(), conf.open("a", encoding="utf-8") as file:
            file.writelines(lines)
        self.host = where["listen_addresses"] or str(self.folder)
        self.port = int(where.get("port", 5432))

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self.run("pg_ctl", "start", "--wait", f"--log={self.log}", "--silent")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data folder."""
        command = [str(self.binaries / program), f"--pgdata={self.folder / 'data'}", *arguments]
        # Into a file: the server would keep a pipe open.
        with (self.folder / "said").open("w+b") as said:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **self.user,
            )
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").splitlines()
        if done.returncode:
            with self.as_owner():
                log = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
            told = log.splitlines()
            faults = [line for line in [*told, *lines] if "error:" in line or "FATAL" in line]
            raise RuntimeError(f"{program}: {(faults or lines or ['failed'])[0]}")

    def stop(self) -> None:
        """Stop at once, and leave nothing behind."""
        runs = False
        with suppress(PermissionError), self.as_owner():  # it may not come into the folder's parent
            runs = (self.folder / "data" / "postmaster.pid").exists()
        if runs:
            with suppress(OSError, RuntimeError):  # the full disk, say, that it has died of
                self.run("pg_ctl", "stop", "--mode=immediate", "--silent")
        with self.as_owner():
            shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def as_owner(self) -> Iterator[None]:
        """Touch the server's files as the user that it runs as: root may be without its powers."""
        if self.user:
            os.seteuid(self.user["user"])
        try:
            yield
        finally:
            if self.user:
                os.seteuid(0)


def quoted(value: str) -> str:
    """A value as postgresql.conf wants it."""
    return "'" + value.replace("'", "''") + "'"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(binaries: Path, folders: list[str]) -> Server:
    """A server with its data in the first of these folders that will do."""
    reasons = []
    for folder in folders:
        for _ in range(3 if WINDOWS else 1):  # somebody may take the free port meanwhile
            try:
                return Server(binaries, Path(folder))
            except (OSError, RuntimeError, KeyError) as error:
                reasons.append(f"{folder}: {error}")
    raise RuntimeError("; ".join(dict.fromkeys(reasons)))


def main() -> None:
    """Serve until the standard input ends."""
    if not WINDOWS:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through the finally below
    asked = json.loads(sys.stdin.readline())
    server = None
    try:
        server = started(Path(asked["binaries"]), asked["folders"])
        answer = {"host": server.host, "port": server.port, "password": server.password}
    except RuntimeError as error:
        answer = {"error": str(error)}
    try:
        with suppress(BrokenPipeError):  # the kernel may be gone already
            print(json.dumps(answer), flush=True)
            sys.stdin.read()
    finally:
        if server:
            server.stop()


if __name__ == "__main__":
    main()
