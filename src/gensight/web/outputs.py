"""What Gradio answers, before a visitor reads it: files are listed for him, and named by their keys.

So an answer holds no path of this machine, and a file that was not part of an answer has no key.
"""

import json
from collections.abc import Callable
from typing import Any

from gensight.errors import DataError
from gensight.files.atomic import json_text
from gensight.web.messages import Message, Send
from gensight.web.served_files import ServedFiles

_FILE = "/file="
_END = b"\n\n"


def name_by_keys(value: Any, files: ServedFiles, visitor: str) -> None:
    """Replaces, in place, the paths and addresses of all files in JSON by keys that are listed for a visitor."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("path"), str) and "meta" in one:
                _replace(one, files, visitor)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _replace(file: dict[str, Any], files: ServedFiles, visitor: str) -> None:
    path, url = file["path"], file.get("url")
    try:
        file["path"] = files.add(path, visitor, file.get("orig_name"))
    except DataError:
        file["path"] = "gone"  # no key is called so
    if isinstance(url, str):
        file["url"] = f"{url.partition(_FILE)[0]}{_FILE}{file['path']}"


def rewrite_stream(send: Send, files: ServedFiles, visitor: str) -> Send:
    """Sends server-sent events whose files are named by keys."""
    pending = b""

    async def rewritten(message: Message) -> None:
        nonlocal pending
        if message["type"] == "http.response.body":
            *events, pending = (pending + message.get("body", b"")).split(_END)
            body = b"".join(_event(event, files, visitor) + _END for event in events)
            if not message.get("more_body", False):
                body, pending = body + pending, b""
            message = {**message, "body": body}
        await send(message)

    return rewritten


def _event(event: bytes, files: ServedFiles, visitor: str) -> bytes:
    return b"\n".join(_line(line, files, visitor) for line in event.split(b"\n"))


def _line(line: bytes, files: ServedFiles, visitor: str) -> bytes:
    key, colon, text = line.partition(b": ")
    if key != b"data" or b'"path"' not in text:
        return line
    value = json.loads(text)
    name_by_keys(value, files, visitor)
    return key + colon + json_text(value).encode()


def rewrite_json(send: Send, change: Callable[[dict[str, Any]], None]) -> Send:
    """Sends a response of a JSON object, once it is whole, with a change made to it; an error may be plain text."""
    start: Message = {}
    parts: list[bytes] = []

    async def rewritten(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        body = b"".join(parts)
        if start["status"] < 300 or body.startswith(b"{"):
            value = json.loads(body)
            change(value)
            body = json_text(value).encode()
        kept = [pair for pair in start.get("headers", []) if pair[0].lower() != b"content-length"]
        await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await send({**message, "body": body})

    return rewritten
