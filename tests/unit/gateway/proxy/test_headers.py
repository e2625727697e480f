from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_proxy.gateway.proxy.headers import (
    NOT_FORWARDED,
    NOT_RETURNED,
    decoded,
    request_headers,
    response_headers,
    without_token,
)


@pytest.mark.parametrize(
    "name",
    [
        *("Cookie", "COOKIE", "Authorization", "Origin", "Referer", "X-Forwarded-For"),
        *("X-Forwarded-Host", "X_Forwarded_Host", "X-XSRFToken", "Proxy-Authorization"),
        *("X-JupyterHub-User", "X-Api-Key", "Forwarded", "X-Forwarded-Prefix", "Host"),
        *("X-Labelstudio-Proxy-Token", "Connection", "Upgrade", "TE", "X-ProxyContextPath"),
        *("Cookie2", "X-CSRFToken", "X-Forwarded-User", "X-Forwarded-Access-Token", "X-Real-IP"),
        *("X-Forwarded-Context", "X-JupyterHub-Api-Token", "x-jupyter-token", "X_JupyterHub_User"),
        *("HTTP_AUTHORIZATION", "X_API_KEY", "Keep-Alive", "Proxy-Connection", "X_Forwarded_For"),
    ],
)
def test_jupyters_headers_are_not_forwarded(name: str) -> None:
    sent = request_headers([(name, "secret"), (name.lower(), "secret")], "Bearer ours", "localhost")
    assert "secret" not in str(sent)
    assert dict(sent) == {"Host": "localhost", "Authorization": "Bearer ours"}


def test_headers_that_connection_names_are_not_forwarded() -> None:
    received = [("Connection", "close, X-Secret"), ("X-Secret", "1"), ("X-Other", "2")]
    assert "X-Secret" not in request_headers(received, "", "")
    assert "X-Other" in request_headers(received, "", "")


def test_other_headers_pass_in_order_and_as_often_as_they_come() -> None:
    received = [("Accept", "a"), ("X-Thing", "1"), ("x-thing", "2"), ("Range", "bytes=1-")]
    sent = list(request_headers(received, "Bearer ours", "localhost").items())
    assert sent[:4] == [("Accept", "a"), ("X-Thing", "1"), ("X-Thing", "2"), ("Range", "bytes=1-")]


def test_label_studios_cookies_do_not_reach_the_browser() -> None:
    received = [("Set-Cookie", "sessionid=1"), ("Content-Type", "text/html"), ("ETag", '"x"')]
    answer = response_headers(received)
    assert "Set-Cookie" not in answer
    assert answer["ETag"] == '"x"'
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        *("Cross-Origin-Opener-Policy", "Cross-Origin-Opener-Policy-Report-Only"),
        *("Cross-Origin-Embedder-Policy", "Cross-Origin-Embedder-Policy-Report-Only"),
        *("Cross-Origin-Resource-Policy", "Origin-Agent-Cluster", "Report-To", "NEL"),
        *("Reporting-Endpoints", "Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc"),
        "Service-Worker-Allowed",
    ],
)
def test_headers_for_the_whole_origin_do_not_reach_the_browser(name: str) -> None:
    received = [(name, "same-origin"), (name.lower(), "x"), ("Referrer-Policy", "same-origin")]
    answer = response_headers(received)
    assert name not in answer
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/a?token=s", "/a"),
        ("/a?b=1&token=s&c=%2F+", "/a?b=1&c=%2F+"),
        ("/a?TOKEN=s&Token=s&b", "/a?b"),
        ("/a?%74oken=s&t%6Fken=s", "/a"),
        ("/a?token", "/a"),
        ("/a?+token=s", "/a"),
        ("/a?mytoken=s&tokens=t&b=token", "/a?mytoken=s&tokens=t&b=token"),
        ("/token=s", "/token=s"),
        ("/a?", "/a?"),
        ("/a?b=&&c", "/a?b=&&c"),
        ("/?token=s", "/"),
        ("/a?token=s&token=s&a=1&token=s", "/a?a=1"),
        ("/a?%74%6F%6b%65%6E=s&tok%45n=s&a=1", "/a?a=1"),
        ("/a?token+=s&%20token=s&a=1", "/a?a=1"),
        ("/a?token=&token=s=s&a=1", "/a?a=1"),
        ("/a?&&token=s&&a=1", "/a?&&&a=1"),
        ("/a?token%3Ds", "/a?token%3Ds"),  # a name without a value
        ("/ü?q=ü&token=s", "/ü?q=ü"),
    ],
)
def test_only_the_token_is_removed_from_the_query(path: str, left: str) -> None:
    assert without_token(path) == left


@given(st.text(alphabet="abtoken%=&?/+64"))
def test_a_query_without_a_token_passes_byte_for_byte(query: str) -> None:
    names = [part.partition("=")[0] for part in query.split("&")]
    if not any("%" in name or name.strip("+") == "token" for name in names) and query:
        assert without_token(f"/p?{query}") == f"/p?{query}"


SECRET = "jupyter-secret"
OURS = {"Host": "localhost", "Authorization": "Bearer ours"}


@st.composite
def spelt(draw: st.DrawFn, names: st.SearchStrategy[str]) -> str:
    """Names in any mixture of capital and small letters, hyphens and underscores."""
    letters = draw(names)
    turned = draw(st.lists(st.booleans(), min_size=len(letters), max_size=len(letters)))
    name = "".join(c.upper() if up else c.lower() for c, up in zip(letters, turned, strict=True))
    return name.replace("-", "_") if draw(st.booleans()) else name


CREDENTIALS = spelt(
    st.sampled_from(sorted(NOT_FORWARDED))
    | st.sampled_from(["x-forwarded-", "x-jupyter", "sec-fetch-", "x-labelstudio-proxy-"]).flatmap(
        lambda prefix: st.text("abcxyz-", max_size=8).map(prefix.__add__)
    )
)
OTHERS = st.text("abcdefxyz-0189", min_size=1, max_size=12).filter(
    lambda name: not name.startswith(("sec-fetch-", "x-")) and name not in NOT_FORWARDED
)


@given(
    st.lists(st.tuples(CREDENTIALS, st.just(SECRET))),
    st.lists(st.tuples(OTHERS, st.text(max_size=20))),
    st.randoms(use_true_random=False),
)
def test_credentials_in_any_spelling_are_removed_and_other_headers_pass(
    credentials: list[tuple[str, str]], others: list[tuple[str, str]], random: Random
) -> None:
    mixed = [*credentials, *others]
    random.shuffle(mixed)
    sent = request_headers(mixed, OURS["Authorization"], OURS["Host"])
    assert {name: sent.popall(name) for name in OURS} == {k: [v] for k, v in OURS.items()}
    # what comes twice stays in its order; SECRET is in nothing
    kept = [pair for pair in mixed if pair in others]
    assert sorted(sent.items()) == sorted(kept)
    for name in {name for name, _ in others}:
        assert sent.getall(name) == [value for other, value in kept if other == name]


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=30))))
def test_headers_of_any_bytes_are_filtered_without_an_error(raw: list[tuple[bytes, bytes]]) -> None:
    text = decoded(raw)
    assert len(text) == len(raw)
    request_headers(text, "", "")
    returned = response_headers(text)
    assert not {name.lower() for name in returned} & NOT_RETURNED


@given(
    st.lists(
        st.one_of(
            st.builds(
                "{}={}".format, st.sampled_from(["a", "b", "tokens", "x%20"]), st.text("cd%&+")
            ),
            st.lists(st.sampled_from(["t", "%74", "T", "%54"]), min_size=1, max_size=1).map(
                lambda first: f"{first[0]}oke%6E={SECRET}"
            ),
            st.sampled_from([f"+token={SECRET}", f"%09token%0a={SECRET}", f"TOKEN={SECRET}"]),
        )
    )
)
def test_tokens_in_any_encoding_are_removed(parts: list[str]) -> None:
    assert SECRET not in without_token("/api/projects?" + "&".join(parts))
