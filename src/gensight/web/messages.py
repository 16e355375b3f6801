"""Requests and responses as ASGI messages: what the guard reads, and what it answers itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote

from gensight.errors import DataError
from gensight.web.payloads import RefusedError
from gensight.web.served_files import NOT_TAKEN, ServedFiles
from gensight.web.uploads import media_type, video_suffix

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

# Scripts, styles and fonts come from this server alone: the page works offline, and cannot be made to send data out.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
FILE_POLICY = "default-src 'none'; sandbox"  # a visitor's file is never a document that runs
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_CHUNK = 1 << 20  # bytes


class Call:
    """One request.

    Args:
        scope: ASGI.
        receive: Its body.
        send: Its response, to which the headers of every response are added.
        visitor: Who sent it.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        self.scope, self.receive, self.visitor = scope, receive, visitor
        self.method, self.path = str(scope["method"]), str(scope["path"])
        self.query = bytes(scope.get("query_string", b"")).decode("latin-1")
        self.headers: list[tuple[bytes, bytes]] = [
            (bytes(key).lower(), bytes(value)) for key, value in scope["headers"]
        ]
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            if b"content-security-policy" not in dict(headers):
                headers.append((b"content-security-policy", POLICY.encode()))
            message["headers"] = [*headers, *_HEADERS]
        await self._send(message)


async def respond(call: Call, status: int, body: bytes, headers: Headers = ()) -> None:
    """Answers with a body, by default of plain text."""
    own = headers or [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    length = (b"content-length", str(len(body)).encode())
    await call.send({"type": "http.response.start", "status": status, "headers": [*own, length]})
    await call.send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else body})


async def send_file(call: Call, files: ServedFiles, key: str) -> None:
    """Answers with a listed file: images to be shown, everything else to be saved.

    Raises:
        RefusedError: It is not listed for the visitor.
    """
    try:
        file, name = files.open(key, call.visitor)
    except DataError as error:
        raise RefusedError(403, NOT_TAKEN) from error
    with file:
        head = file.read(16)
        kind = media_type(head) or ("video/mp4" if video_suffix(head) == ".mp4" else None)
        size = file.seek(0, 2)
        start, length = _part(dict(call.headers).get(b"range", b""), size)
        file.seek(start)
        shown = "inline" if kind else "attachment"
        headers = [
            (b"content-type", (kind or "application/octet-stream").encode()),
            (b"content-length", str(length).encode()),
            (b"content-disposition", f"{shown}; filename*=UTF-8''{quote(name, safe='')}".encode()),
            (b"content-security-policy", FILE_POLICY.encode()),
            (b"cache-control", b"private, no-store"),
            (b"accept-ranges", b"bytes"),
        ]
        whole = length == size
        if not whole:  # players ask for a video in parts
            headers.append((b"content-range", f"bytes {start}-{start + length - 1}/{size}".encode()))
        await call.send({"type": "http.response.start", "status": 200 if whole else 206, "headers": headers})
        while call.method != "HEAD" and length > 0:
            chunk = await asyncio.to_thread(file.read, min(length, _CHUNK))
            if not chunk:
                break
            length -= len(chunk)
            await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await call.send({"type": "http.response.body", "body": b""})


def _part(wanted: bytes, size: int) -> tuple[int, int]:
    """Start and length of the one range that a request asks for; the whole file for any other request."""
    found = re.fullmatch(rb"bytes=(\d{1,15})-(\d{0,15})", wanted)
    if found is None or int(found[1]) >= size:
        return 0, size
    start, end = int(found[1]), min(int(found[2] or size - 1), size - 1)
    return (start, end - start + 1) if end >= start else (0, size)


def bounded(call: Call, longest: int, too_long: RefusedError) -> Receive:
    """The body of a request, refused where it is too long or does not say how long it is.

    Raises:
        RefusedError: At once, by the length that the request claims, or as more arrives.
    """
    length = dict(call.headers).get(b"content-length", b"")
    if not length.isdigit():
        raise RefusedError(411, "The request must give the length of its body.")
    if int(length) > longest:
        raise too_long
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await call.receive()
        received += len(message.get("body", b""))
        if received > longest:
            raise too_long
        return message

    return receive


async def read_body(receive: Receive) -> bytes:
    """The whole body."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(bytes(message.get("body", b"")))
        more = message["type"] == "http.request" and bool(message.get("more_body", False))
    return b"".join(parts)
