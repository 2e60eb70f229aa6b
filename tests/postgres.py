"""A throwaway PostgreSQL for tests: initdb into a temporary folder, a free port, no fsync."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native


class PostgresMissing(Exception):
    """PostgreSQL's server programs are not on this machine."""


def find_programs() -> Path:
    """The folder that holds initdb and postgres, the newest version first."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders += [Path("/opt/homebrew/bin"), Path("/usr/local/bin")]
    on_path = shutil.which("pg_ctl")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing(
        "PostgreSQL's server programs (initdb, postgres) are not here: install the package "
        "postgresql (Debian) or postgresql@16 (Homebrew)"
    )


def free_port() -> int:
    """A TCP port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster() -> Iterator[str]:
    """Start a server; gives a URL without database name, like postgresql+pg8000://gs@host:1."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="gs-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        user = next(name for name in ("postgres", "nobody") if _user_exists(name))
        shutil.chown(folder, user)
        prefix = ["setpriv", f"--reuid={user}", f"--regid={_group_of(user)}", "--clear-groups"]
        folder.chmod(0o700)
    data, port = folder / "data", free_port()
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    try:
        subprocess.run(
            [*prefix, programs / "initdb", "-D", data, "-U", "gs", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, env=environment, cwd=folder,
        )  # fmt: skip
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*prefix, programs / "postgres", "-D", data, "-p", str(port), "-k", folder,
                 "-h", "127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off",
                 "-c", "synchronous_commit=off", "-c", "max_connections=60"],
                stdout=log, stderr=log, env=environment, cwd=folder,
            )  # fmt: skip
        try:
            _wait(port)
            yield f"postgresql+pg8000://gs@127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            pg8000.native.Connection("gs", host="127.0.0.1", port=port, database="postgres").close()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return name != getpass.getuser()


def _group_of(name: str) -> int:
    return pwd.getpwnam(name).pw_gid


def sql(url: str, *statements: str) -> None:
    """Run statements outside a transaction on the server's own database."""
    port = int(url.rsplit(":", 1)[1])
    connection = pg8000.native.Connection("gs", host="127.0.0.1", port=port, database="postgres")
    connection.autocommit = True
    try:
        for statement in statements:
            connection.run(statement)
    finally:
        connection.close()
