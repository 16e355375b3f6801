"""What every request to the page must keep to: nothing from outside, nothing fetched for strangers, bounded bodies."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Scripts, styles and fonts come from this server alone: the page works offline, and can't be made to tell others.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_UNUSED = ("/process_recording", "/vibe", "/undo-vibe")  # Gradio's own: they start programs, or edit the page's code
_MULTIPART_SPARE = 100_000  # bytes of an upload's headers
_QUESTION_BYTES = 1_000_000  # of anything that is sent but files


class Guard:
    """ASGI middleware between the network and Gradio.

    Refuses the routes by which Gradio fetches other servers' files for its visitors, questions whose files are web
    addresses, and bodies that are too long or of unknown length; adds headers by which a browser loads nothing from
    elsewhere.

    Args:
        app: What is guarded.
        max_upload_bytes: Of one uploaded file.
    """

    def __init__(self, app: Application, max_upload_bytes: int) -> None:
        self.app, self.max_upload_bytes = app, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST" and not _is_upload(scope):
            refusal, receive = await _checked_question(receive)
        if refusal is not None:
            await _refuse(send_with_headers, *refusal)
        else:
            await self.app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        path = scope["path"].lower()
        if path.removeprefix("/gradio_api").startswith(_UNUSED):
            return 404, "There is no such page."
        if "/file=http" in path or "/proxy=" in path or "/file=//" in path:
            return 403, "This server fetches nothing for others."
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return None
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            return 411, "The length of the request must be told."
        longest = self.max_upload_bytes + _MULTIPART_SPARE if _is_upload(scope) else _QUESTION_BYTES
        if int(length) > longest:
            return 413, f"The file is too large: at most {self.max_upload_bytes / 1e6:g} MB are taken."
        return None


def _is_upload(scope: Scope) -> bool:
    return bool(scope["path"].rstrip("/").endswith("/upload"))


async def _checked_question(receive: Receive) -> tuple[tuple[int, str] | None, Receive]:
    """Reads a question's body, and hands it on as it was if it names no file elsewhere."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and bool(message.get("more_body", False))
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return unread.pop() if unread else await receive()

    try:
        question = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None, again  # not for us to judge: Gradio answers it
    if _names_address(question):
        return (403, "Only uploaded files are taken, no web addresses."), again
    return None, again


def _names_address(value: Any) -> bool:
    """Whether any file in a question is given by a web address."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            path = one.get("path")
            if isinstance(path, str) and "://" in path[:20]:
                return True
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return False


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
