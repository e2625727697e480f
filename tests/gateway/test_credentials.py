"""What passes between the browser and Label Studio, and what must not.

The gateway's process as jupyter-server-proxy runs it, with a program in Label Studio's place that
reports what reaches it. "Arrives" means: arrives there.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import jwt
import pytest
from support.gateway import (
    HOST,
    PROGRAM,
    Gateway,
    add_account,
    head,
    read_response,
    respond_with,
)

# Every credential below has this in it, and nothing else has.
SECRET = "jupyter-secret-7c1e"
OWNER = 7
PAGE = f"https://{HOST}/user/alice/labelstudio"
NAVIGATE = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
TYPED = [*NAVIGATE, ("Sec-Fetch-Site", "none")]
COOKIE = ("Cookie", "username-hub-example=x")


CREDENTIALS = [
    ("Cookie", f"username-hub-example={SECRET}; _xsrf={SECRET}"),
    ("cookie", f"jupyterhub-session-id={SECRET}"),
    ("COOKIE", f"sessionid={SECRET}; csrftoken={SECRET}"),
    ("Cookie2", f"$Version={SECRET}"),
    ("Authorization", f"token {SECRET}"),
    ("authorization", f"TOKEN {SECRET}"),
    ("AUTHORIZATION", f"Bearer {SECRET}"),
    ("Authorization", f"Basic {SECRET}"),
    ("Authorization", SECRET),
    ("Proxy-Authorization", f"Bearer {SECRET}"),
    ("X-XSRFToken", SECRET),
    ("X-XSRFTOKEN", SECRET),
    ("X-CSRFToken", SECRET),
    ("X-Api-Key", SECRET),
    ("Referer", f"https://{HOST}/user/alice/lab?token={SECRET}"),
    ("referer", f"https://{HOST}/user/alice/lab?reset={SECRET}"),
    ("X-Forwarded-Host", SECRET),
    ("X-Forwarded-For", SECRET),
    ("X-Forwarded-User", SECRET),
    ("X-Forwarded-Access-Token", SECRET),
    ("X-Forwarded-Prefix", f"/user/{SECRET}/"),
    ("X-Forwarded-Context", f"/user/{SECRET}/"),
    ("X-ProxyContextPath", f"/user/{SECRET}/"),
    ("Forwarded", f"for={SECRET}"),
    ("X-Real-IP", SECRET),
    ("X-JupyterHub-User", SECRET),
    ("X-JupyterHub-Api-Token", SECRET),
    ("x-jupyter-token", SECRET),
    ("X_Forwarded_For", SECRET),
    ("X_JupyterHub_User", SECRET),
    ("HTTP_AUTHORIZATION", SECRET),
    ("X_API_KEY", SECRET),
    ("Keep-Alive", SECRET),
    ("TE", SECRET),
    ("Proxy-Connection", SECRET),
]


@pytest.fixture(scope="module")
def gateway(new_data_dir: Callable[[], Path]) -> Iterator[Gateway]:
    data_dir = new_data_dir()
    add_account(data_dir, "alice@localhost", user_id=OWNER)
    server = Gateway(
        data_dir,
        allow_origin="https://admitted.example",
        allow_origin_pat=r"https://[a-z]+\.pattern\.example$",
    )
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def ready(gateway: Gateway) -> Gateway:
    """The gateway, with Label Studio running."""
    gateway.start()
    return gateway


@pytest.fixture
def stopped(gateway: Gateway) -> Gateway:
    """The gateway, with Label Studio stopped."""
    gateway.stop_label_studio()
    return gateway


# "résumé" in either encoding, as bytes seen as Latin-1
TEXTS = ["r\xc3\xa9sum\xc3\xa9", "r\xe9sum\xe9"]


def in_utf_8(text: str) -> str:
    """The UTF-8 of a text, as bytes seen as Latin-1. What is UTF-8 already must stay as it is."""
    return text if "\xc3" in text else text.encode().decode("latin-1")


# ---- Jupyter's credentials


@pytest.mark.parametrize("repeats", [1, 2])
def test_no_header_with_a_credential_arrives(ready: Gateway, repeats: int) -> None:
    """The header filter's own tests have these in many more spellings."""
    request = ready.arrived("GET", "/api/projects", [*CREDENTIALS, ("X-Between", "1")] * repeats)
    assert SECRET.encode() not in request.head
    assert request.all("X-Between") == ["1"] * repeats


@pytest.mark.parametrize("name", ["Origin", "origin"])
def test_origin_does_not_arrive(ready: Gateway, name: str) -> None:
    request = ready.arrived("POST", "/api/projects", [(name, f"https://{HOST}")], b"{}")
    assert HOST.encode() not in request.head
    assert request.all("Host") == ["localhost"]


def test_header_named_by_connection_does_not_arrive(ready: Gateway) -> None:
    connection = ("Connection", "keep-alive, X-Passport ,x-other")
    credentials = [("X-Passport", SECRET), ("X-OTHER", SECRET), ("x-passport", SECRET)]
    request = ready.arrived("GET", "/", [connection, *credentials])
    assert SECRET.encode() not in request.head


@pytest.mark.parametrize("names", [["Content-Length"], ["Host", "Authorization"], ["X-Response"]])
def test_connection_cannot_remove_headers_that_the_gateway_adds(
    ready: Gateway, names: list[str]
) -> None:
    connection = ("Connection", ", ".join(names))
    request = ready.arrived("POST", "/api/x", [PROGRAM, connection], b"body")
    assert request.all("Content-Length") == ["4"]
    assert request.all("Host") == ["localhost"]
    assert request.all("Authorization")[0].startswith("Bearer ")
    assert request.body == b"body"


def test_every_parameter_but_the_token_arrives(ready: Gateway) -> None:
    sent = f"/api/projects?a=1&token={SECRET}&%74oken={SECRET}&tokens=5&b=token"
    assert ready.arrived("GET", sent).target == "/api/projects?a=1&tokens=5&b=token"


def test_token_parameter_is_in_no_location_and_no_log(ready: Gateway) -> None:
    for target in (f"/logout?token={SECRET}", f"/user/login/?token={SECRET}&next=/"):
        assert SECRET not in ready.ask("GET", target)["Location"]
    ready.ask("POST", f"/api/x?token={SECRET}", [("Cookie", SECRET)])  # refused
    ready.ask("GET", f"/api/x?token={SECRET}", [("Cookie", SECRET), PROGRAM])
    assert SECRET not in ready.process.log.read_text()
    assert SECRET not in ready.ask("GET", "/_proxy/diagnostics").body.decode()


# ---- everything else


@pytest.mark.parametrize(
    "request_line",
    [
        f"GET /r\xe9sum\xe9?token={SECRET}",
        f"GET /a b?token={SECRET}",
        f"GET /\x7f?token={SECRET}",
        f"GET http://{HOST}/?token={SECRET}",
        f"GET ?token={SECRET}",
        f"G@T /?token={SECRET}",
    ],
    ids=repr,
)
def test_malformed_request_is_refused_and_is_in_no_log(ready: Gateway, request_line: str) -> None:
    before = ready.process.log.stat().st_size
    with ready.connection() as sock:
        fields = f"Host: {HOST}\r\nCookie: a={SECRET}"
        sock.sendall(f"{request_line} HTTP/1.1\r\n{fields}\r\n\r\n".encode("latin-1"))
        back = read_response(sock, "GET")
    assert 400 <= back.status < 500
    assert SECRET.encode() not in ready.process.log.read_bytes()[before:]


def test_malformed_response_is_reported_and_its_request_is_in_no_log(ready: Gateway) -> None:
    before = ready.process.log.stat().st_size
    told = respond_with(headers=[("X-Bad", "a\0b")])
    back = ready.ask("GET", f"/api/x?q={SECRET}", [PROGRAM, told])
    assert back.status == 502
    assert back.json()["detail"]
    assert SECRET.encode() not in ready.process.log.read_bytes()[before:]


@pytest.mark.parametrize(
    "target",
    [
        "/api/dm/views?project=1&tab=%7B%22filters%22%3A%5B%5D%7D",
        "/data/local-files/?d=a%2Fb%2Fc%20d+e%2Bf",
        "/data/upload/1/a%2Fb.png?x=/",
        "/data/upload/1/%E4%BD%A0%E5%A5%BD%20%28%29.png",
        "/a?b=2&a=1&b=1&c=&d&=e&&f=%zz",
        "/a?q=%c3%a9&r=%C3%A9&s=%ff",
        "/a/../b/./c//d",
        "//evil.example/a",
        "/%2e%2e/%2E%2E/etc",
        "/a;b=c?d;e=f",
        "/a?b=c?d=/e:@!$'()*,~",
        "/a%00b%0d%0a?c=%0d%0aX:y",
        '/a?b={}|[]^`"<>',
        "/" + "long/" * 2000 + "?" + "q=" + "x" * 20000,
    ],
    ids=lambda target: target[:40],
)
def test_target_arrives_byte_for_byte(ready: Gateway, target: str) -> None:
    request = ready.arrived("GET", target)
    assert request.target.encode("latin-1") == target.encode()


@pytest.mark.parametrize(
    "header",
    [
        ("Content-Type", 'text/csv; charset="x"'),
        ("Range", "bytes=0-99,200-"),
        ("If-Range", '"etag"'),
        ("If-None-Match", 'W/"etag", "other"'),
        ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Accept", "text/html;q=0.8, */*"),
        ("Accept-Language", "de, en;q=0.5"),
        ("User-Agent", "curl/8.5.0"),
        ("Cache-Control", "no-cache"),
        ("Content-Disposition", 'attachment; filename="a b.txt"'),
        ("X-Requested-With", "XMLHttpRequest"),
        ("x-oDd-CasinG", "Kept"),
        ("Authorization-Hint", "not one"),
        ("X-Long", "y" * 30000),
    ],
    ids=lambda header: header[0],
)
def test_other_header_arrives_unchanged(ready: Gateway, header: tuple[str, str]) -> None:
    request = ready.arrived("POST", "/api/x", [PROGRAM, header], b"body")
    assert header in request.headers
    assert len(request.all(header[0])) == 1


@pytest.mark.parametrize("value", TEXTS, ids=["UTF-8", "Latin-1"])
def test_text_of_a_header_arrives_unchanged(ready: Gateway, value: str) -> None:
    (arrived,) = ready.arrived("GET", "/api/x", [("X-Name", value)]).all("X-Name")
    assert arrived in {value, in_utf_8(value)}


def test_repeated_headers_arrive_in_their_order(ready: Gateway) -> None:
    headers = [("X-Tag", "one"), ("X-Other", "-"), ("X-Tag", "two"), ("x-tag", "one")]
    request = ready.arrived("GET", "/api/x", headers)
    assert request.all("X-Tag") == ["one", "two", "one"]


def test_nothing_is_added_but_host_and_identity(ready: Gateway) -> None:
    request = ready.arrived("GET", "/api/x")
    assert sorted(name for name, _ in request.headers) == ["Authorization", "Host"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"])
def test_body_of_any_method_arrives_byte_for_byte(ready: Gateway, method: str) -> None:
    body = bytes(range(256)) * 5 + b"token=" + b"\r\n\r\n0\r\n"
    request = ready.arrived(method, "/api/x", [PROGRAM], body)
    assert request.method == method
    assert (request.body, request.length) == (body, len(body))
    assert request.all("Content-Length") == [str(len(body))]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_method_without_a_body_arrives_without_one(ready: Gateway, method: str) -> None:
    for body in (None, b""):
        request = ready.arrived(method, "/api/x", [PROGRAM], body)
        assert (request.method, request.length) == (method, 0)
        assert not request.all("Transfer-Encoding")


def test_chunked_upload_arrives_with_a_length(ready: Gateway) -> None:
    block = bytes(range(256)) * 1024
    for count in (1, 20):  # below and above what is kept in memory
        shutil.rmtree(ready.data_dir / ".labelstudio-proxy" / "temporary", ignore_errors=True)
        request = ready.arrived("POST", "/api/x", [PROGRAM], chunks=[block] * count)
        assert request.length == len(block) * count
        assert request.sha256 == hashlib.sha256(block * count).hexdigest()
        assert request.all("Content-Length") == [str(request.length)]
        assert not request.all("Transfer-Encoding")


def test_upload_is_streamed(ready: Gateway) -> None:
    half = bytes(2 * 1024 * 1024)
    with ready.connection() as sock:
        length = ("Content-Length", str(2 * len(half)))
        sock.sendall(head("POST", "/api/projects/1/import", [PROGRAM, length]) + half)
        assert ready.ask("GET", "/-/arrived").status == 200
        sock.sendall(half)
        request = read_response(sock, "POST").json()
    assert request["length"] == 2 * len(half)


def test_response_is_streamed(ready: Gateway) -> None:
    rest = 40 * 1024 * 1024
    with ready.connection() as sock:
        sock.sendall(head("GET", "/api/export", [respond_with(body="first", rest=rest)]))
        begin = b""
        while not begin.endswith(b"\r\n\r\nfirst"):
            begin += sock.recv(1)
        assert ready.ask("GET", "/-/release").status == 200
        received = 0
        while received < rest and (block := sock.recv(1024 * 1024)):
            received += len(block)
    assert received == rest


def test_response_that_is_cut_short_is_not_mistaken_for_a_complete_one(ready: Gateway) -> None:
    def told(kind: str) -> tuple[str, str]:
        return respond_with(headers=[("Content-Type", kind)], body="begin", rest=100, cut=True)

    with pytest.raises((IncompleteRead, ConnectionResetError)):
        ready.ask("GET", "/api/x", [told("application/json")])
    # nothing of a page is sent before all of it is there
    assert ready.ask("GET", "/projects/", [told("text/html")]).status in {502, 503}
    assert ready.arrived("GET", "/projects/").method == "GET"


def test_program_that_expects_100_continue_gets_it(ready: Gateway) -> None:
    fields = [PROGRAM, ("Expect", "100-continue"), ("Content-Length", "4")]
    with ready.connection(timeout=10) as sock:
        sock.sendall(head("POST", "/api/x", fields))
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"body")
        request = read_response(sock, "POST").json()
    assert request["length"] == 4
    assert "expect" not in {name.lower() for name, _ in request["headers"]}


# ---- identity


def test_identity_is_a_token_of_a_minute_for_the_owner(ready: Gateway) -> None:
    (authorization,) = ready.arrived("GET", "/projects/").all("Authorization")
    scheme, _, token = authorization.partition(" ")
    assert scheme == "Bearer"
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    lines = (ready.data_dir / ".env").read_text().splitlines()
    key = next(line.removeprefix("SECRET_KEY=") for line in lines if "SECRET_KEY=" in line)
    claims = jwt.decode(token, key, algorithms=["HS256"], options={"require": ["exp"]})
    assert set(claims) == {"token_type", "exp", "jti", "user_id"}
    assert claims["token_type"] == "access"
    assert claims["user_id"] == str(OWNER)
    assert claims["jti"]
    assert time.time() < claims["exp"] <= time.time() + 60


def test_secret_key_is_readable_by_its_owner_only(ready: Gateway) -> None:
    assert (ready.data_dir / ".env").stat().st_mode & 0o777 == 0o600
    assert ready.data_dir.stat().st_mode & 0o777 == 0o700


# ---- answers


def test_cookies_of_label_studio_do_not_come_back(ready: Gateway) -> None:
    cookies = [("Set-Cookie", "sessionid=1; Path=/"), ("set-cookie", "a=b"), ("SET-COOKIE2", "c")]
    for kind in ("text/html", "text/css", "application/json", "image/png"):
        fields = [*cookies, ("Content-Type", kind), ("X-Kept", "yes")]
        for path in ("/projects/", "/api/projects", "/data/upload/1/a.png"):
            back = ready.ask("GET", path, [respond_with(headers=fields)])
            assert "Set-Cookie" not in back
            assert "Set-Cookie2" not in back
            assert back["X-Kept"] == "yes"


def test_hop_by_hop_headers_do_not_come_back(ready: Gateway) -> None:
    names = ["Keep-Alive", "Proxy-Authenticate", "Trailer", "Upgrade", "X-Hop"]
    fields = [("Connection", "keep-alive, x-hop"), *((name, "1") for name in names)]
    back = ready.ask("GET", "/api/x", [respond_with(headers=fields, body="text")])
    assert back.body == b"text"
    assert not set(names) & {name for name, _ in back.headers}


@pytest.mark.parametrize("value", TEXTS, ids=["UTF-8", "Latin-1"])
def test_text_of_a_response_header_comes_back_unchanged(ready: Gateway, value: str) -> None:
    fields = [("X-Tag", "1"), ("X-Name", value), ("X-Tag", "2")]
    back = ready.ask("GET", "/api/x", [respond_with(headers=fields, body="text")])
    assert back["X-Name"] in {value, in_utf_8(value)}
    assert back.all("X-Tag") == ["1", "2"]


def test_responses_are_not_sniffed_and_files_are_sandboxed(ready: Gateway) -> None:
    fields = [("Content-Type", "text/html"), ("Content-Security-Policy-Report-Only", "x")]
    policies = {}
    for path in ("/data/upload/1/a.html", "/projects/"):
        back = ready.ask("GET", path, [respond_with(headers=fields, body='<a href="/x">')])
        assert back["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy-Report-Only" not in back
        policies[path] = back["Content-Security-Policy"]
    assert policies["/data/upload/1/a.html"].startswith("sandbox;")
    assert "allow-scripts" not in policies["/data/upload/1/a.html"]
    assert all("frame-ancestors 'self'" in policy for policy in policies.values())


def test_response_to_head_has_the_headers_and_no_body(ready: Gateway) -> None:
    fields = [("Content-Type", "image/png"), ("ETag", '"1"')]
    with ready.connection() as sock:
        for path in ("/data/upload/1/a.png", "/api/x"):
            # the same connection twice: a body would be read as the next answer
            sock.sendall(head("HEAD", path, [respond_with(headers=fields, body="x" * 1000)]))
            back = read_response(sock, "HEAD")
            assert (back.status, back.body) == (200, b"")
            assert back["Content-Length"] == "1000"
            assert back["ETag"] == '"1"'


def test_response_of_unknown_length_comes_back_without_a_length(ready: Gateway) -> None:
    told = respond_with(headers=[("Transfer-Encoding", "chunked")], body="text")
    back = ready.ask("GET", "/data/upload/1/a.png", [told])
    assert (back.body, back.all("Content-Length")) == (b"text", [])
    back = ready.ask("HEAD", "/data/upload/1/a.png", [told])
    assert (back.body, back.all("Content-Length")) == (b"", [])


@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_stays_without_one(ready: Gateway, status: int) -> None:
    fields = [("ETag", '"1"'), ("X-Kept", "yes")]
    with ready.connection() as sock:
        for kind in ("text/html", "application/json"):
            told = respond_with(status=status, headers=[*fields, ("Content-Type", kind)])
            sock.sendall(head("GET", "/projects/", [told]))
            back = read_response(sock, "GET")
            assert (back.status, back.body) == (status, b"")
            assert back["X-Kept"] == "yes"
            assert "Transfer-Encoding" not in back


def test_part_of_a_file_comes_back_as_it_is(ready: Gateway) -> None:
    fields = [("Content-Range", "bytes 5-9/100"), ("Accept-Ranges", "bytes")]
    for kind in ("audio/wav", "text/html"):
        part = [*fields, ("Content-Type", kind)]
        told = respond_with(status=206, headers=part, body="/a/\xff\x00")
        back = ready.ask("GET", "/data/upload/1/a", [("Range", "bytes=5-9"), told])
        assert (back.status, back.body) == (206, b"/a/\xff\x00")
        assert back["Content-Range"] == "bytes 5-9/100"
        assert back["Content-Length"] == "5"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 503])
def test_errors_of_the_api_come_back_as_they_are(ready: Gateway, status: int) -> None:
    fields = [("Content-Type", "application/json")]
    told = respond_with(status=status, headers=fields, body='{"detail": "/projects/"}')
    back = ready.ask("GET", "/api/projects", [told])
    assert (back.status, back.body) == (status, b'{"detail": "/projects/"}')


# ---- redirects


@pytest.mark.parametrize(
    ("path", "location", "leads_to"),
    [
        ("/projects/1/data?tab=2", "/projects/2/data?tab=3#x", "/projects/2/data?tab=3#x"),
        ("/projects/1/data", "http://localhost/projects/", "/projects/"),
        ("/projects/1/data", "settings", "/projects/1/settings"),
    ],
)
def test_redirect_is_relative_and_stays_below_the_prefix(
    ready: Gateway, path: str, location: str, leads_to: str
) -> None:
    back = ready.ask("GET", path, [respond_with(status=302, headers=[("Location", location)])])
    assert back.status == 302
    assert not urlsplit(back["Location"]).netloc
    assert not back["Location"].startswith("/")
    assert urljoin(PAGE + path, back["Location"]) == PAGE + leads_to


@pytest.mark.parametrize(
    "location",
    ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b"],
)
def test_redirect_never_leaves_the_origin(ready: Gateway, location: str) -> None:
    for path in ("/", "/api/projects/1/", "/data/upload/1/a"):
        back = ready.ask("GET", path, [respond_with(status=302, headers=[("Location", location)])])
        assert "Set-Cookie" not in back
        if "Location" in back:
            target = urlsplit(urljoin(PAGE + path, back["Location"]))
            assert (back.status, target.scheme, target.netloc) == (302, "https", HOST)
        else:
            assert back.status == 502


@pytest.mark.parametrize("path", ["/tasks/5/resolve/?fileuri=x", "/projects/5/presign/?fileuri=x"])
def test_redirect_to_a_signed_link_may_leave_the_origin(ready: Gateway, path: str) -> None:
    link = "https://bucket.s3.amazonaws.com/a%2Fb.png?X-Amz-Signature=1%2B2&x=+"
    back = ready.ask("GET", path, [respond_with(status=303, headers=[("Location", link)])])
    assert (back.status, back["Location"]) == (303, link)
    for location in ("javascript:alert(1)", "file:///etc/passwd", "//evil.example"):
        back = ready.ask("GET", path, [respond_with(status=303, headers=[("Location", location)])])
        assert back.status == 502


@pytest.mark.parametrize("location", ["/user/login/", "/user/login/?next=/projects/"])
def test_page_says_why_in_place_of_the_login_form(ready: Gateway, location: str) -> None:
    told = respond_with(status=302, headers=[("Location", location)])
    page = ready.ask("GET", "/projects/", [*NAVIGATE, ("Sec-Fetch-Site", "none"), told])
    assert page.status == 503
    assert "Location" not in page
    assert b"Label Studio does not let you in" in page.body
    data = ready.ask("GET", "/projects/", [PROGRAM, told])
    assert data.status == 503
    assert set(data.json()) == {"detail", "what", "why", "remedy"}


# ---- what another site may have sent; the cases are in the unit tests of the guard


def refused(gateway: Gateway, method: str, headers: list[tuple[str, str]]) -> bool:
    """Return True if the gateway refuses it; then nothing may have reached Label Studio."""
    before = gateway.ask("GET", "/-/seen").json()
    back = gateway.ask(method, f"/api/x?{method}", headers, b"{}")
    after = gateway.ask("GET", "/-/seen").json()
    if back.status == 403:
        assert "refused" in back.json()["detail"]
        assert after == before
        return True
    assert back.status == 200
    assert after == [*before, f"/api/x?{method}"]
    return False


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", [("Sec-Fetch-Site", "cross-site"), PROGRAM]),
        ("PATCH", [("Origin", "https://not-admitted.example")]),
        ("DELETE", [COOKIE]),
    ],
)
def test_change_from_another_site_is_refused(
    ready: Gateway, method: str, headers: list[tuple[str, str]]
) -> None:
    assert refused(ready, method, headers)


@pytest.mark.parametrize(
    "headers",
    [
        [("Sec-Fetch-Site", "same-origin")],
        [("Origin", f"https://{HOST}")],
        [("Origin", "https://admitted.example"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "https://lab.pattern.example"), ("Sec-Fetch-Site", "cross-site")],
        [PROGRAM],
    ],
)
def test_change_from_here_or_from_a_program_passes(
    ready: Gateway, headers: list[tuple[str, str]]
) -> None:
    assert not refused(ready, "POST", headers)


def test_other_sites_cannot_read_or_embed(ready: Gateway) -> None:
    image = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
    for path in ("/api/projects", "/_proxy/state", "/_proxy/diagnostics", "/_proxy/events"):
        assert ready.ask("GET", path, image).status == 403


def test_link_from_another_site_opens_a_page(ready: Gateway) -> None:
    back = ready.ask("GET", "/projects/", [*NAVIGATE, ("Sec-Fetch-Site", "cross-site")])
    assert back.status == 200


@pytest.mark.parametrize("path", ["/api/projects/1/export", "/%61pi/projects/1/export", "//api/x"])
def test_link_from_another_site_does_not_lead_into_the_api(ready: Gateway, path: str) -> None:
    before = ready.ask("GET", "/-/seen").json()
    assert ready.ask("GET", path, [*NAVIGATE, ("Sec-Fetch-Site", "cross-site")]).status == 403
    assert ready.ask("GET", "/-/seen").json() == before
    assert ready.ask("GET", path, TYPED).status == 200


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_commands_need_a_request_from_here(ready: Gateway, command: str) -> None:
    for headers in ([COOKIE], [("Origin", "https://evil.example")]):
        assert ready.ask("POST", f"/_proxy/{command}", headers).status == 403
    assert ready.ask("GET", f"/_proxy/{command}", [PROGRAM]).status == 404
    assert ready.state() == "ready"


# ---- what starts a stopped Label Studio; the cases are in the unit tests of the request's kind


def test_user_starts_label_studio(stopped: Gateway) -> None:
    back = stopped.ask("GET", "/projects/", TYPED)
    assert stopped.state() != "stopped"
    assert back.status == 200
    assert back["Content-Type"].startswith("text/html")


def test_program_starts_label_studio(stopped: Gateway) -> None:
    back = stopped.ask("GET", "/projects/", [PROGRAM])
    assert stopped.state() != "stopped"
    assert back.status == 503
    assert back.json()["state"] == "preparing"
    assert int(back["Retry-After"]) > 0


def test_nothing_else_starts_label_studio(stopped: Gateway) -> None:
    embedded = [*NAVIGATE, ("Sec-Fetch-Site", "cross-site")]
    poll = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
    for headers in (embedded, [COOKIE, ("Accept", "text/html")]):
        back = stopped.ask("GET", "/projects/", headers)
        assert back.status == 200
        assert b"Label Studio is not running" in back.body
    for method, headers in (("GET", poll), ("POST", poll), ("GET", [COOKIE]), ("HEAD", [])):
        assert stopped.ask(method, "/projects/", headers).status == 503
    assert stopped.ask("POST", "/projects/", [COOKIE]).status == 403
    assert stopped.state() == "stopped"


def test_gateways_own_responses_do_not_start_label_studio(stopped: Gateway) -> None:
    own = ("state", "diagnostics", "static/start.css", "static/start.js")
    for target in (
        *(f"/_proxy/{name}" for name in own),
        "/user/login/",
        "/user/signup/",
        "/logout",
    ):
        for headers in ([PROGRAM], TYPED):
            assert stopped.ask("GET", target, headers).status in {200, 302}
    assert stopped.state() == "stopped"


def test_start_page_over_plain_http_may_start_and_that_of_another_site_may_not(
    stopped: Gateway,
) -> None:
    page = stopped.ask("GET", "/projects/", [COOKIE, ("Accept", "text/html")])
    assert b'"may_start": true' in page.body
    page = stopped.ask("GET", "/projects/", [*NAVIGATE, ("Sec-Fetch-Site", "cross-site")])
    assert b'"may_start": false' in page.body
    assert "frame-ancestors 'self'" in page["Content-Security-Policy"]
