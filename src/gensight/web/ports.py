"""Which port a page can listen on; checked before anything slow is imported."""

import errno
import socket

from gensight.errors import ConfigError, ResourceError


def free_port(host: str, port: int) -> int:
    """The port itself, or any free one for 0.

    Raises:
        ConfigError: This machine has no such address.
        ResourceError: The port is taken, or only the administrator may use it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror as error:
        raise ConfigError(f"there is no host called {host!r}", where="--host", hint="try 127.0.0.1") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"choose another one, such as --port {port + 1 if port < 65535 else 7860}, or --port 0 for any"
            raise ResourceError(f"port {port} is taken by another program", where="--port", hint=hint) from error
        if error.errno == errno.EACCES:
            hint = "choose one above 1023"
            raise ResourceError(f"port {port} needs more rights than you have", where="--port", hint=hint) from error
        raise ConfigError(f"cannot listen on {host}: {error.strerror}", where="--host", hint="try 127.0.0.1") from error
