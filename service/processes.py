"""Which process this is, and whether another one on this host is still alive."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil


def host_name() -> str:
    """A name that two processes share only when one can see the other's process id.

    Containers may have the same host name; their process ids live in namespaces of their own.
    """
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return socket.gethostname()[:40]
    return f"{socket.gethostname()[:40]}/{namespace}"


def worker_name() -> str:
    """A name for this process that no other process has at the same time."""
    return f"{host_name()}:{os.getpid()}:{os.urandom(3).hex()}"


def alive(pid: int) -> bool:
    """Whether a process of this host is running."""
    return bool(psutil.pid_exists(pid))
