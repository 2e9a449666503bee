"""Kernels of different pytest workers never get the same port."""

import os
import socket

import pytest
from jupyter_client.connect import LocalPortCache
from own_ports import FIRST, LAST, PORTS_OF_A_WORKER, OwnPorts

HERE = "127.0.0.1"


def test_jupyter_asks_it_for_ports() -> None:
    assert isinstance(LocalPortCache.instance(), OwnPorts)


def test_no_port_is_given_twice() -> None:
    ports = OwnPorts()
    given = [ports.find_available_port(HERE) for _ in range(50)]
    assert len(set(given)) == 50
    assert all(FIRST <= port < LAST for port in given)


def test_a_port_in_use_is_passed_over() -> None:
    port = OwnPorts().find_available_port(HERE)
    with socket.socket() as server:
        server.bind((HERE, port))
        assert OwnPorts().find_available_port(HERE) != port


def test_the_next_process_begins_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    first = OwnPorts().find_available_port(HERE)
    next_one = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: next_one)
    second = OwnPorts().find_available_port(HERE)
    assert (second - first) % (LAST - FIRST) >= PORTS_OF_A_WORKER - 50
