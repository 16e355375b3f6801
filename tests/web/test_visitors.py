"""Who a request comes from."""

import pytest

from gensight.web.visitors import NOBODY, Visitors, is_foreign, is_local_name, is_loopback


def cookie_of(visitors: Visitors) -> list[tuple[bytes, bytes]]:
    key, value = visitors.issue_cookie()
    assert key == b"set-cookie"
    assert b"HttpOnly; SameSite=Strict" in value
    return [(b"cookie", b"other=1; " + value.partition(b";")[0])]


def test_a_visitor_is_known_by_a_signed_cookie_of_this_server() -> None:
    visitors, other = Visitors("127.0.0.1", 8000), Visitors("127.0.0.1", 8000)
    headers = cookie_of(visitors)
    name = visitors.identify(headers)

    assert len(name) == 32
    assert other.identify(headers) == NOBODY
    assert visitors.identify([(b"cookie", f"gensight-8000={name}.{'0' * 64}".encode())]) == NOBODY
    assert visitors.identify([(b"cookie", f"gensight-8000={name}".encode())]) == NOBODY
    assert visitors.identify([]) == NOBODY


def test_sessions_and_events_of_one_name_differ_between_visitors() -> None:
    visitors = Visitors("127.0.0.1", 8000)

    assert visitors.session("a", "same") != visitors.session("b", "same")
    assert visitors.session("a", "bc") != visitors.session("ab", "c")
    signed = visitors.sign_event("a", "0123")
    assert visitors.read_event("a", signed) == "0123"
    assert visitors.read_event("b", signed) is None
    assert visitors.read_event("a", "0123") is None
    assert visitors.read_event("b", visitors.sign_event(NOBODY, "0123")) == "0123"


def test_a_token_admits_by_a_header_or_by_the_cookie_that_was_given_for_it() -> None:
    visitors = Visitors("0.0.0.0", 8000, token="right")

    assert not visitors.is_admitted([])
    assert not visitors.is_admitted([(b"authorization", b"Bearer wrong")])
    assert visitors.is_admitted([(b"authorization", b"Bearer right")])
    assert visitors.is_admitted(cookie_of(visitors))
    assert Visitors("127.0.0.1", 8000).is_admitted([])
    assert not Visitors("127.0.0.1", 8000).is_token("")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8000", True), ("localhost:9000", True), ("LOCALHOST", True), ("[::1]:8000", True),
        ("127.0.0.1.evil.example", False), ("evil.example:8000", False), ("192.168.0.1", False), ("", False),
        ("[::1", False), ("localhost.evil.example", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_a_server_of_this_machine_answers_to_names_of_this_machine_alone(host: str, own: bool) -> None:
    assert Visitors("127.0.0.1", 8000).is_own_host([(b"host", host.encode())]) is own
    assert is_local_name(host) is own
    assert not Visitors("127.0.0.1", 8000).is_own_host([(b"host", b"localhost"), (b"host", b"evil.example")])


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ([], False),
        ([(b"origin", b"http://localhost:8000")], False),
        ([(b"origin", b"http://localhost:9999")], True),
        ([(b"origin", b"http://127.0.0.1:8000")], True),
        ([(b"origin", b"null")], True),
        ([(b"origin", b"http://localhost:8000@evil.example")], True),
        ([(b"sec-fetch-site", b"same-origin")], False),
        ([(b"sec-fetch-site", b"none")], False),
        ([(b"sec-fetch-site", b"same-site")], True),
        ([(b"sec-fetch-site", b"cross-site")], True),
    ],
)
def test_requests_of_other_pages_are_foreign(headers: list[tuple[bytes, bytes]], foreign: bool) -> None:
    assert is_foreign([(b"host", b"localhost:8000"), *headers], to_page=False) is foreign


def test_a_link_to_the_page_may_be_followed_from_elsewhere() -> None:
    assert not is_foreign([(b"host", b"localhost"), (b"sec-fetch-site", b"cross-site")], to_page=True)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("", False),
        ("192.0.2.1", False),
    ],
)  # fmt: skip
def test_addresses_that_others_reach_are_known(host: str, local: bool) -> None:
    assert is_loopback(host) is local
