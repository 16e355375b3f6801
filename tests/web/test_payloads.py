"""Questions, built anew."""

import json
from pathlib import Path
from typing import Any

import pytest

from gensight.web.payloads import Questions, RefusedError
from gensight.web.served_files import NOT_TAKEN, ServedFiles
from gensight.web.visitors import Visitors


@pytest.fixture
def files(tmp_path: Path) -> ServedFiles:
    return ServedFiles(tmp_path)


@pytest.fixture
def questions(files: ServedFiles) -> Questions:
    slots = {0: ("text", "file", "state"), 3: ("text",)}
    return Questions(slots, (), 0, files, Visitors("127.0.0.1", 8000))  # type: ignore[arg-type]


def test_only_what_is_known_is_passed_on(questions: Questions, files: ServedFiles) -> None:
    key = files.add_upload(b"cat", "cat.png", "a")
    image = {"path": key, "url": "http://10.0.0.1/x", "orig_name": "cat.png", "size": 3, "meta": {"_type": "x"}}
    sent = {"data": ["run", image, [{"path": "/etc/passwd"}]], "fn_index": 0, "session_hash": "s", "event_id": "e",
            "trigger_id": 7, "batched": True, "event_data": {"index": [1, 2.5], "value": {"path": "/x"}}}  # fmt: skip

    built = json.loads(questions.from_page(json.dumps(sent).encode(), "a", direct=False))

    assert built == {
        "data": ["run", {"path": key, "orig_name": "cat.png"}, None], "fn_index": 0, "trigger_id": 7,
        "event_data": {"index": [1, 2.5], "value": None}, "session_hash": questions.visitors.session("a", "s"),
    }  # fmt: skip
    program = json.dumps({"data": ["run", {"path": key}]}).encode()  # what is not given at the end is empty
    assert json.loads(questions.from_program(program, "a")) == {"data": ["run", {"path": key, "orig_name": None}, None]}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"fn_index": 1}, 404), ({"fn_index": True}, 404), ({"fn_index": "0"}, 404), ({"fn_index": None}, 404),
        ({"session_hash": None}, 400), ({"session_hash": ""}, 400), ({"session_hash": ["s"]}, 400),
        ({"session_hash": "s" * 101}, 400), ({"data": {}}, 400), ({"data": ["run"]}, 400), ({"data": ["a"] * 9}, 400),
        ({"data": [["run"], None, None]}, 403), ({"data": [{"path": "/x"}, None, None]}, 403),
        ({"data": ["run", "/x", None]}, 403), ({"data": ["run", {"path": ["/x"]}, None]}, 403),
    ],
)  # fmt: skip
def test_other_questions_are_refused(questions: Questions, change: dict[str, Any], status: int) -> None:
    sent = {"data": ["run", None, None], "fn_index": 0, "session_hash": "s", **change}

    with pytest.raises(RefusedError) as caught:
        questions.from_page(json.dumps(sent).encode(), "a", direct=False)

    assert caught.value.status == status
    assert (caught.value.reason == NOT_TAKEN) == (status == 403)


@pytest.mark.parametrize("body", [b"", b"{not json", b"[" * 100_000, b"[]", b'"text"', b'{"data": ["\\ud800"]}'])
def test_what_is_no_question_is_refused(questions: Questions, body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        questions.from_program(body, "a")

    assert (caught.value.status, caught.value.reason) == (400, "The request cannot be read.")
