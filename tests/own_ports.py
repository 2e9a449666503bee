"""Ports for kernels that no other pytest worker, and no outgoing connection, may take."""

import os
import socket
from itertools import count
from typing import Any

from jupyter_client.connect import LocalPortCache

# Below the ports that Linux, macOS and Windows give to outgoing connections.
FIRST, LAST = 20_000, 32_000
PORTS_OF_A_WORKER = 400


class OwnPorts(LocalPortCache):
    """Jupyter chooses a kernel's ports, closes them, and the kernel opens them half a second later.

    In between another worker may be given the same ones; then a kernel never answers
    (jupyter_client issue 487). Once ``OwnPorts.instance()`` is called, Jupyter asks it for
    ports in this process, and each process begins in a place of its own.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.numbers = count(os.getpid() * PORTS_OF_A_WORKER)

    def find_available_port(self, ip: str) -> int:
        """The next port of this process that is free. (In turn: one just closed may linger.)"""
        while True:
            port = FIRST + next(self.numbers) % (LAST - FIRST)
            if port not in self.currently_used_ports and is_free(ip, port):
                self.currently_used_ports.add(port)
                return port


def is_free(ip: str, port: int) -> bool:
    """Can a server be bound to this port now?"""
    with socket.socket() as probe:
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True
