"""Ports that are free, taken, or of no host."""

import socket

import pytest

from gensight.errors import ConfigError, ResourceError
from gensight.web.ports import free_port


def test_a_free_port_is_given_back_and_0_is_any() -> None:
    port = free_port("127.0.0.1", 0)
    assert port > 0
    assert free_port("127.0.0.1", port) == port


def test_a_taken_port_is_refused_with_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ResourceError, match=rf"port {port} is taken by another program\n.*\n.*--port {port + 1}"):
            free_port("127.0.0.1", port)


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no host called 'no such host'"):
        free_port("no such host", 0)
