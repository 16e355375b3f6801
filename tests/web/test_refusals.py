"""Strangers at a running server: over 200 requests for files that are not theirs, and none gives anything away."""

import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from gensight.web.server import running_page
from tests.web import strangers


@pytest.fixture(scope="module")
def results(keypoint_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[strangers.Result]]:
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(folder))
        with running_page([keypoint_run], port=0) as address:
            (own,) = folder.glob("gensight-serve-*")
            scene = strangers.prepare(address, own / "files", tmp_path_factory.mktemp("elsewhere"))
            yield strangers.run_all(address, scene, own / "files")


def test_no_request_gives_a_byte_of_a_private_file(results: list[strangers.Result]) -> None:
    assert [f"{one.probe.kind}: {one.probe.name}" for one in results if one.gives] == []


def test_no_request_reveals_whether_a_file_exists(results: list[strangers.Result]) -> None:
    assert [(one.probe.kind, one.probe.name, one.there.said[:200], one.absent.said[:200])
            for one in results if one.tells] == []  # fmt: skip


def test_the_payloads_are_many_and_are_refused_on_purpose(results: list[strangers.Result]) -> None:
    kinds = Counter(one.probe.kind for one in results)

    assert len(results) >= 200
    assert min(kinds.values()) >= 4
    # Neither a broken connection, nor an error of the server's own: Gradio sends the page's messages with status 500.
    odd = [one for one in results if not 200 <= one.there.status < 500]
    assert [one.probe.name for one in odd if "no longer kept" not in one.there.said] == []


def test_what_counts_as_private_is_recognised() -> None:
    def encoded(pixels: np.ndarray, kind: str) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        return buffer.getvalue()

    drawn = strangers.PRIVATE.copy()
    drawn[10:40, 10:40] = 255
    assert strangers.is_private(b"... " + strangers.SECRET)
    assert strangers.is_private(encoded(strangers.PRIVATE, "PNG"))
    assert strangers.is_private(encoded(drawn, "WEBP"))
    assert not strangers.is_private(encoded(strangers.PRIVATE[::-1], "PNG"))
    assert not strangers.is_private(b"Only uploaded files are taken.")


def test_a_server_that_others_reach_wants_its_token(keypoint_run: Path) -> None:
    with (
        running_page([keypoint_run], host="0.0.0.0", port=0) as address,
        httpx.Client(trust_env=False, timeout=60) as client,
    ):
        bare = address.partition("?")[0]
        assert [client.get(bare + path).status_code for path in ("", "config", "gradio_api/info", "x")] == [401] * 4
        assert client.post(bare + "gradio_api/upload", files={"files": ("a.png", b"")}).status_code == 401
        assert client.get(address + "x").status_code == 401
        assert 'url=/"' in client.get(address).text
        assert client.get(bare + "config").status_code == 200
