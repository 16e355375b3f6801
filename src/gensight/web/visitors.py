"""Who a request comes from: a visitor's cookie, the server's token, and requests of foreign pages.

A visitor is known by a random name that the server has signed, in a cookie that scripts cannot read and that a browser
does not send on behalf of other sites. Programs that keep no cookies are all one visitor, `NOBODY`: what they upload is
protected by the random name under which it is kept.
"""

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

NOBODY = ""
VISITOR = "gensight.visitor"  # key of an ASGI scope

Headers = Iterable[tuple[bytes, bytes]]


class Visitors:
    """Names visitors, and recognises them.

    Args:
        host: The address that the server listens on.
        port: Its port: servers of one host share their cookies, and each needs its own.
        token: What a visitor must know to be let in; None lets in everyone who reaches the server.
    """

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.host, self.token = host.lower(), token
        self.cookie = f"gensight-{port}"
        self._secret = secrets.token_bytes(32)

    def issue_cookie(self) -> tuple[bytes, bytes]:
        """A header that makes the browser a visitor."""
        name = secrets.token_hex(16)
        value = f"{self.cookie}={name}.{self._signature('visitor', name)}; HttpOnly; SameSite=Strict; Path=/"
        return b"set-cookie", value.encode()

    def identify(self, headers: Headers) -> str:
        """The visitor's name; `NOBODY` without a cookie of this server."""
        for text in _values(headers, b"cookie"):
            for pair in text.split(";"):
                key, _, value = pair.strip().partition("=")
                name, _, signature = value.partition(".")
                if key == self.cookie and name and self._signed(signature, "visitor", name):
                    return name
        return NOBODY

    def is_admitted(self, headers: Headers) -> bool:
        """Whether the sender knows the token, or has a cookie that was given for it."""
        if self.token is None or self.identify(headers) != NOBODY:
            return True
        return any(self.is_token(text.removeprefix("Bearer ")) for text in _values(headers, b"authorization"))

    def is_token(self, text: str) -> bool:
        return self.token is not None and secrets.compare_digest(text.encode(), self.token.encode())

    def is_own_host(self, headers: Headers) -> bool:
        """Whether the request was addressed to this machine, not to another name that resolves to it.

        A server that others may reach does not know all of its names; its token protects it instead.
        """
        names = _values(headers, b"host")
        if len(names) != 1:
            return False
        return self.token is not None or is_local_name(names[0]) or _hostname(names[0]) == self.host

    def session(self, visitor: str, session: str) -> str:
        """The name of a visitor's session, which no other visitor can reach by calling his own the same."""
        return self._signature("session", visitor, session)

    def sign_event(self, visitor: str, event: str) -> str:
        """The name of an event as its visitor gets to know it."""
        return f"{event}.{self._signature('event', visitor, event)}"

    def read_event(self, visitor: str, signed: str) -> str | None:
        """The event that this visitor was given under a name; None if there is none."""
        event, _, signature = signed.partition(".")
        return event if any(self._signed(signature, "event", name, event) for name in (visitor, NOBODY)) else None

    def _signature(self, *words: str) -> str:
        message = b"".join(len(word).to_bytes(4) + word for word in (word.encode(errors="replace") for word in words))
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def _signed(self, signature: str, *words: str) -> bool:
        return secrets.compare_digest(self._signature(*words).encode(), signature.encode(errors="replace"))


def is_loopback(host: str) -> bool:
    """Whether an address that a server listens on can be reached from this machine only."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def is_local_name(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine as such."""
    name = _hostname(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_foreign(headers: Sequence[tuple[bytes, bytes]], to_page: bool) -> bool:
    """Whether a page of another origin has sent a request. Following a link to the page itself is allowed."""
    origins, hosts = _values(headers, b"origin"), _values(headers, b"host")
    for origin in origins:
        try:
            if urlsplit(origin).netloc.lower() != hosts[0].lower():
                return True
        except (ValueError, IndexError):
            return True
    return not to_page and any(site in ("cross-site", "same-site") for site in _values(headers, b"sec-fetch-site"))


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def visitor_of(request: Any) -> str:
    """The visitor whom the guard recognised in a request to one of the page's functions."""
    return str(request.request.scope[VISITOR])
