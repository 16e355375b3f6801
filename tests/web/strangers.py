"""Strangers at a running server: what the answers to their requests (`attacks.py`) gave away.

A server that keeps its promise gives no pixel of a private picture, and answers alike whether or not there is a file.
"""

import io
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image

from tests.web.attacks import API, META, Probe, Scene, probes, question

SECRET = b"private-words-5f1c9a"
PRIVATE = np.random.default_rng(5).integers(0, 255, (64, 64, 3), np.uint8)
_SECONDS = 20  # of one request


@dataclass(frozen=True)
class Outcome:
    """What one request gave: its status, what was said (without the path and random names), and every byte."""

    status: int
    said: str
    files: tuple[bytes, ...]

    @property
    def gives(self) -> bool:
        return SECRET in self.said.encode() or any(is_private(file) for file in self.files)


def is_private(content: bytes) -> bool:
    """Whether these bytes hold the private words, or something much like the private picture."""
    if SECRET in content:
        return True
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError):
        return False
    if pixels.shape != PRIVATE.shape or pixels.std() == 0:
        return False
    return bool(np.corrcoef(pixels.ravel(), PRIVATE.ravel())[0, 1] > 0.3)  # also with drawings on it, or compressed


def send(client: httpx.Client, probe: Probe, path: str) -> Outcome:
    """One request, and what its answer leads to."""
    spelled = probe.spell(path)
    # As it is typed into an address: what is encoded already stays so.
    url = probe.url.replace("{}", quote(spelled, safe="/%=&?", errors="replace")).replace("PATH", quote(path))
    content = None
    if probe.body is not None:
        content = json.dumps(probe.body).replace("PATH", json.dumps(spelled)[1:-1])
    method = "POST" if content is not None else probe.method
    headers = {**probe.headers, **({"content-type": "application/json"} if content else {})}
    status, said = _read(client, method, url, content, headers)
    if status == 0 and said == b"ReadError":  # a connection that an earlier answer has broken
        status, said = _read(client, method, url, content, headers)
    texts = [said]
    event = re.match(rb'\s*\{"event_id":\s*"([^"]+)"', said)
    if status == 200 and event:
        follow = probe.result.replace("{}", event[1].decode()).replace("PATH", path)
        texts.append(_read(client, "GET", follow, None, {})[1])
    if b'"path"' in texts[-1]:
        urls = set(re.findall(rb'"url": ?"[^"]*?(/gradio_api/file=[^"]+)"', texts[-1]))
        texts += [_read(client, "GET", one.decode(), None, {})[1] for one in urls]
    return Outcome(status, _same(b"\n".join(texts[:2]), spelled, path), tuple(texts))


def _read(
    client: httpx.Client, method: str, url: str, content: str | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    """Status and body; of a stream, until it has said what there is to be said."""
    read, ends = b"", time.monotonic() + _SECONDS
    try:
        with client.stream(method, url, content=content, headers=headers) as response:
            for chunk in response.iter_bytes():
                read += chunk
                if re.search(rb"event: (complete|error)\n.*\n\n|process_completed|close_stream|data: ALIVE", read):
                    break
                if time.monotonic() > ends:
                    break
            status = response.status_code
            if status == 200 and method == "HEAD":
                read += str(sorted(response.headers.items())).encode()
            return status, read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return 0, read + type(error).__name__.encode()


def _same(said: bytes, *paths: str) -> str:
    """A body without what differs between any two requests."""
    text = said.decode(errors="replace")
    for path in paths:
        for form in (
            json.dumps(path)[1:-1],
            path,
            quote(path, safe="/", errors="replace"),
            path.lstrip("/"),
            path.rpartition("/")[2],
        ):
            text = text.replace(form, "PATH") if len(form) > 3 else text
    text = re.sub(r'data: \{"msg":"(estimation|process_starts|heartbeat)".*\n', "", text)  # how busy the server is
    return re.sub(r"[A-Za-z0-9_-]{22}/|[0-9a-f]{16,}[0-9a-f.]*|\d+\.\d+(e-?\d+)?", "RANDOM", text)


def prepare(address: str, files: Path, folder: Path) -> Scene:
    """Hides files in a folder, and lets a visitor use the page and leave.

    Args:
        address: Of the page.
        files: The server's own folder.
        folder: Empty, elsewhere.
    """
    private = folder / "private"
    private.mkdir(mode=0o700)
    Image.fromarray(PRIVATE).save(private / "seen.png")
    (private / "seen.txt").write_bytes(SECRET)
    picture, text = ((str(private / f"seen.{end}"), str(private / f"none.{end}")) for end in ("png", "txt"))
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as visitor:
        visitor.get("/")
        config = visitor.get("/config").json()
        types = {one["id"]: one["type"] for one in config["components"]}
        questions = {
            one["id"]: [types[number] for number in one["inputs"]]
            for one in config["dependencies"]
            if one["backend_fn"]
        }
        run = next(one["props"]["value"] for one in config["components"] if one["props"].get("elem_id") == "run")
        (number,) = (one["id"] for one in config["dependencies"] if one["api_name"] == "ask")
        owned = upload(visitor)
        asked = question(run, {"path": owned, "orig_name": "mine.png", **META})
        joined = {"fn_index": number, "session_hash": "hissession", "data": [*asked["data"], None]}
        visitor.post(API + "/queue/join", json=joined).raise_for_status()
        _, said = _read(visitor, "GET", API + "/queue/data?session_hash=hissession", None, {})
        answered = re.findall(rb'"path": ?"([^"]+-pose.png)"', said)[0].decode()
        event = visitor.post(API + "/call/ask", json=asked).json()["event_id"]  # whose answer he does not fetch
        _read(visitor, "GET", API + "/heartbeat/hissession", None, {})
        visitor.post(API + "/reset", json={"event_id": event})
    return Scene(picture, text, _links_of(address, files, picture), (owned, _altered(owned)),
                 (answered, _altered(answered)), "hissession", event, questions, run)  # fmt: skip


def upload(client: httpx.Client, content: bytes | None = None) -> str:
    buffer = io.BytesIO()
    Image.fromarray(PRIVATE).save(buffer, "PNG")
    response = client.post(API + "/upload", files={"files": ("mine.png", content or buffer.getvalue())})
    return str(response.json()[0])


def _altered(key: str) -> str:
    """A key or path of the same form."""
    folder, _, name = key.rpartition("/")
    return f"{folder[:-3]}{'000' if folder[-3:] != '000' else '111'}/{name}"


def _links_of(address: str, files: Path, pair: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Links in the server's folder to a file that is there and to one that is not."""
    made: dict[str, tuple[str, str]] = {}
    uploads = files / "uploads"
    uploads.mkdir(exist_ok=True)
    for name, place in (("link", files), ("link among uploads", uploads)):
        for number, target in enumerate(pair):
            (place / f"{number}.png").symlink_to(target)
        made[name] = (str(place / "0.png"), str(place / "1.png"))
    (uploads / "folder").symlink_to(Path(pair[0]).parent)
    made["linked folder"] = tuple(str(uploads / "folder" / Path(path).name) for path in pair)  # type: ignore[assignment]
    os.link(pair[0], uploads / "hard.png")
    made["hard link"] = (str(uploads / "hard.png"), str(uploads / "none.png"))
    made["relative to the folder"] = ("uploads/0.png", "uploads/1.png")
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as stranger:
        keys = []
        for number, target in enumerate(pair):
            content = b"\x89PNG\r\n\x1a\n to be replaced " + str(number).encode()
            keys.append(upload(stranger, content))
            (stored,) = (path for path in files.rglob("*") if path.is_file() and path.read_bytes() == content)
            stored.unlink()
            stored.symlink_to(target)
    made["own upload, replaced by a link"] = (keys[0], keys[1])
    return made


@dataclass(frozen=True)
class Result:
    """A probe, and what both of its requests gave."""

    probe: Probe
    there: Outcome
    absent: Outcome

    @property
    def gives(self) -> bool:
        return self.there.gives

    @property
    def tells(self) -> bool:
        return (self.there.status, self.there.said) != (self.absent.status, self.absent.said)


def run_all(address: str, scene: Scene, files: Path) -> list[Result]:
    """Every probe, each as another stranger."""
    results = []
    with httpx.Client(base_url=address, trust_env=False, timeout=_SECONDS) as stranger:
        for probe, (there, absent) in probes(scene, files):
            stranger.cookies.clear()
            results.append(Result(probe, send(stranger, probe, there), send(stranger, probe, absent)))
    return results


def table(results: list[Result]) -> str:
    """By kind: the number of probes, of those that gave something of the file, and that told whether it is there."""
    rows = ["| kind | payloads | gave the file | told whether it is there |", "|---|---|---|---|"]
    for kind in dict.fromkeys(one.probe.kind for one in results):
        of_kind = [one for one in results if one.probe.kind == kind]
        rows.append(f"| {kind} | {len(of_kind)} | {sum(one.gives for one in of_kind)} "
                    f"| {sum(one.tells for one in of_kind)} |")  # fmt: skip
    rows.append(f"| all | {len(results)} | {sum(one.gives for one in results)} | {sum(one.tells for one in results)} |")
    return "\n".join(rows)
