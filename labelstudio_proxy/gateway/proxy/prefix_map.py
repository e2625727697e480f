"""Insert the prefix before the root-absolute URLs of pages and style sheets. Every other byte stays.

Label Studio's own settings for its scripts are an exception: a host name and the user's names change.

A scan finds the places; nothing is parsed into a tree and serialized again. So the encoding of a page
does not matter, mapping twice has the same result as mapping once, and removing the insertions gives
the original. No pattern scans a byte twice, so the time is proportional to the length, even for
hostile pages. See docs/decisions/prefix-map.md.
"""

from __future__ import annotations

import asyncio
import codecs
import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import NamedTuple

from ..static_files import versioned

HTML, CSS = "text/html", "text/css"
MAPPED_TYPES = frozenset({HTML, CSS})
# Longer bodies pass unmapped: they would need too much memory and time. Label Studio's pages have
# 40 KB, its largest style sheet has 1.4 MB.
LARGEST_BYTES = 4 * 1024 * 1024
# Maps in a few milliseconds, whatever it contains. Longer bodies are mapped in a thread.
SHORT_BYTES = 64 * 1024

Edit = tuple[int, int, bytes]  # start, end, replacement
Span = tuple[int, int]

# `<`, and the kinds of markup that the HTML standard's tokenizer distinguishes by the next character.
_MARKUP = re.compile(
    rb"(?i)<(?:(?P<comment>!--)|(?P<bogus>[!?]|/(?![a-z]))|(?P<tag>/?[a-z][^\s/>]*))"
)
_COMMENT_END = re.compile(rb"-->|(?<!<!)--!>")
_ATTRIBUTE = re.compile(
    rb"""(?x) [\s/]* (?: (?P<end>>) | (?P<name>[^\s/>][^\s/>=]*)
    (?: \s*=\s* (?: "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<open>["']) | (?P<bare>[^\s>]*) ))? )"""
)
# Their content is text up to the end tag (`noscript`: in a browser that runs scripts).
_RAW_END = {
    name: re.compile(rb"(?i)</" + name + rb"(?=[\s/>])")
    for name in b"script style textarea title xmp iframe noembed noframes noscript".split()
}
_URL_ATTRIBUTES = frozenset(b"href xlink:href src poster formaction".split())
# These attributes are URLs on one element only.
_URL_ATTRIBUTES_OF = {b"object": b"data", b"form": b"action"}
# A document begins with a doctype or one of these; HTML that begins with another tag is a fragment.
_FIRST_TAGS = frozenset(
    b"html head body title meta link base style script template noscript".split()
)
_SCRIPT_TYPES = (b"", b"text/javascript", b"application/javascript", b"module")

_PREFIX = re.compile(r"/|/(?![/\\])[^\x00-\x1f\x7f-\x9f]+/")
_UNSAFE = re.compile(r"[^A-Za-z0-9/_.~%@:+-]")
_SPACE = re.compile(rb"\s*")
_ROOT_ABSOLUTE = re.compile(rb"/(?![\t\r\n]*[/\\])")
_CANDIDATE = re.compile(rb"[^\s,](?:\S*,(?!\S)|\S*[^,]*)")
_REFRESH = re.compile(rb"(?i)\s*[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?[\"']?")
# What Django's templates write for these characters, and how a string in a script says them.
_ESCAPED = re.compile(rb"&(?:amp|lt|gt|quot|#x27);")
_UNESCAPED = {
    b"&amp;": b"\\u0026",
    b"&lt;": b"\\u003c",
    b"&gt;": b"\\u003e",
    b"&quot;": b"\\u0022",
    b"&#x27;": b"\\u0027",
}
_QUOTE_REFERENCE = re.compile(rb"(?i)(?:&(?:quot|apos|#39|#34|#x27|#x22);)?\s*")

_STRING = rb""" " [^"\\\n]* (?: \\. [^"\\\n]* )* "? | ' [^'\\\n]* (?: \\. [^'\\\n]* )* '? """
_COMMENT = rb" /\* (?: .*? \*/ | .* ) "
_CSS = re.compile(
    rb"(?xsi) (?P<call> (?<![\w-])url\(\s* | @import\s* )? (?P<string>" + _STRING + rb")"
    rb"| (?<![\w-])url\( (?P<bare>[^)]*) |" + _COMMENT
)
# Matches strings, comments and regular expressions as a whole, so that their content is not mistaken
# for code.
_JS = re.compile(
    rb"""(?xs) (?: (?<![\w$.]) (?: (?P<call>
        (?: (?:window|self|globalThis|document|top|parent)\s*\.\s* )?
        (?: fetch\s*\( | location(?:\s*\.\s*href)?\s*= | location\s*\.\s*(?:assign|replace)\s*\( ) \s*
    ) | (?P<hostname> hostname\s*:\s* ) | (?P<user> (?:username|firstName|lastName|initials|email)\s*:\s* ) ) )?
    (?P<string>""" + _STRING + rb""" | ` [^`\\]* (?: \\. [^`\\]* )* `? )
    | //[^\n]* |""" + _COMMENT + rb"""
    | (?<=[(,=:\[!&|?;{\n]) [ \t]* / (?![/*])
        (?: [^\\/\[\n] | \\. | \[ [^\]\\\n]* (?: \\. [^\]\\\n]* )* \]? )+ /?"""
)  # fmt: skip


class _Base(NamedTuple):
    """The prefix without its last slash, escaped for each language.

    ASCII only, so that it is right in every encoding, and free of characters that would end a
    string, a value or a tag.
    """

    html: bytes
    js: bytes
    css: bytes

    @classmethod
    def of(cls, prefix: str) -> _Base:
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"A prefix is a path between two slashes, not {prefix!r}")

        def escaped(form: str) -> bytes:
            return _UNSAFE.sub(lambda match: form.format(ord(match[0])), prefix[:-1]).encode()

        return cls(html=escaped("&#{};"), js=escaped("\\u{{{:x}}}"), css=escaped("\\{:06x}"))


def is_document(html: bytes) -> bool:
    """Return True if the body is an HTML document, which a media type alone does not say.

    Label Studio sends JSON and fragments as `text/html`, too.
    """
    at = len(codecs.BOM_UTF8) if html.startswith(codecs.BOM_UTF8) else 0
    while at >= 0 and (markup := _MARKUP.match(html, _after_space(html, at))):
        if markup["tag"]:
            return markup["tag"].lower() in _FIRST_TAGS
        if _is_doctype(html, markup):
            return True
        at = _end_of_comment(html, markup)
    return False


def map_page(html: bytes, prefix: str, scripts: Sequence[str] = (), nonce: str = "") -> bytes:
    """Return the page as it works under `prefix`, a path that starts and ends with `/`.

    Inserts `prefix.js` first, unless the prefix is `/`, and then `scripts`, which are more of the
    gateway's own files. Every script element gets the `nonce`, if one is given; its letters must need
    no escaping. A URL that already begins with the prefix stays. Pages in UTF-16 stay unmapped.
    Raises ValueError if `prefix` is not such a path.
    """
    base = _Base.of(prefix)
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return html
    always = ("prefix.js",) if base.html else ()
    return _apply(html, _page_edits(html, base, (*always, *scripts), nonce.encode()))


def map_css(css: bytes, prefix: str) -> bytes:
    """Return the style sheet as it works under `prefix`; see `map_page`."""
    return _apply(css, _css_edits(css, (0, len(css)), _Base.of(prefix)))


def map_script(js: bytes, prefix: str) -> bytes:
    """Return a script of a page as `map_page` maps it."""
    return _apply(js, _js_edits(js, (0, len(js)), _Base.of(prefix)))


async def map_body(
    body: bytes, media_type: str, prefix: str, scripts: Sequence[str] = (), nonce: str = ""
) -> bytes:
    """Return a body of one of MAPPED_TYPES as it works under `prefix`; see `map_page`.

    Maps a long body in a thread. A regular expression keeps the interpreter lock from the start to
    the end of a match, so LARGEST_BYTES also limits how long other requests wait.
    """

    def mapped() -> bytes:
        return (
            map_css(body, prefix) if media_type == CSS else map_page(body, prefix, scripts, nonce)
        )

    return mapped() if len(body) <= SHORT_BYTES else await asyncio.to_thread(mapped)


async def read_body(chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """Return the chunks joined, and True; or the first of them, and False if they are too long to map."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_BYTES:
            return bytes(body), False
    return bytes(body), True


def _apply(text: bytes, edits: Iterable[Edit]) -> bytes:
    parts, copied = [], 0
    for start, end, new in sorted(edits):
        parts += [text[copied:start], new]
        copied = end
    return b"".join([*parts, text[copied:]])


def _page_edits(html: bytes, base: _Base, scripts: Sequence[str], nonce: bytes) -> Iterator[Edit]:
    attribute = b' nonce="%s"' % nonce if nonce else b""
    # The gateway's scripts go to the start of <head>, or as near to it as the page allows.
    places = {b"": len(codecs.BOM_UTF8) if html.startswith(codecs.BOM_UTF8) else 0}
    at = 0
    while at >= 0 and (markup := _MARKUP.search(html, at)):
        if not markup["tag"]:
            at = _end_of_comment(html, markup)
            if _is_doctype(html, markup) and at > 0:
                places.setdefault(b"doctype", at)
        else:
            name = markup["tag"].lower()
            attributes, at = _attributes(html, markup.end())
            if at < 0 or name.startswith(b"/"):
                continue
            if name in (b"head", b"html"):
                places.setdefault(name, at)
            if name == b"script" and nonce:
                # Replaces Label Studio's own nonce: browsers ignore both if an element has two.
                if b"nonce" in attributes:
                    yield (*attributes[b"nonce"], nonce)
                else:
                    yield markup.end(), markup.end(), attribute
            yield from _attribute_edits(html, name, attributes, base)
            if name in _RAW_END:
                closing = _RAW_END[name].search(html, at)
                text = (at, closing.start() if closing else len(html))
                if name == b"style":
                    yield from _css_edits(html, text, base)
                elif name == b"script" and _is_javascript(html, attributes):
                    yield from _js_edits(html, text, base)
                at = text[1]

    tag = b"".join(
        b'<script%s src="%s/_proxy/static/%s" data-prefix="%s/"></script>'
        % (attribute, base.html, versioned(script).encode(), base.html)
        for script in scripts
    )
    place = next(places[name] for name in (b"head", b"html", b"doctype", b"") if name in places)
    if tag and not html.startswith(tag, place):
        yield place, place, tag


def _end_of_comment(html: bytes, markup: re.Match[bytes]) -> int:
    """Return where the comment, doctype or bogus comment `markup` ends; -1 if it does not."""
    if markup["comment"]:
        closing = _COMMENT_END.search(html, markup.start() + 2)
        return closing.end() if closing else -1
    return html.find(b">", markup.start()) + 1 or -1


def _is_doctype(html: bytes, markup: re.Match[bytes]) -> bool:
    return html[markup.start() : markup.start() + 9].lower() == b"<!doctype"


def _attributes(html: bytes, at: int) -> tuple[dict[bytes, Span], int]:
    """Return the attributes of the tag whose name ends at `at`, and the tag's end; -1 if it has none."""
    found: dict[bytes, Span] = {}
    while match := _ATTRIBUTE.match(html, at):
        at = match.end()
        if match["end"]:
            return found, at
        if match["open"]:  # a value without a closing quote: the tag does not end
            break
        value = next(
            (group for group in ("double", "single", "bare") if match[group] is not None), None
        )
        if value:
            found.setdefault(match["name"].lower(), match.span(value))
    return found, -1


def _attribute_edits(
    html: bytes, tag: bytes, attributes: dict[bytes, Span], base: _Base
) -> Iterator[Edit]:
    for name, (start, end) in attributes.items():
        if name in _URL_ATTRIBUTES or name == _URL_ATTRIBUTES_OF.get(tag):
            yield from _url_edits(html, (start, end), base.html)
        elif name in (b"srcset", b"imagesrcset"):
            for candidate in _CANDIDATE.finditer(html, start, end):
                yield from _url_edits(html, candidate.span(), base.html)
        elif name == b"style":
            yield from _css_edits(html, (start, end), base)
        elif name.startswith(b"on"):
            yield from _js_edits(html, (start, end), base)
        elif (
            tag == b"meta"
            and name == b"content"
            and _value(html, attributes, b"http-equiv") == b"refresh"
        ):
            refresh = _REFRESH.match(html, start, end)
            yield from _url_edits(html, (refresh.end() if refresh else start, end), base.html)


def _css_edits(text: bytes, span: Span, base: _Base) -> Iterator[Edit]:
    for match in _CSS.finditer(text, *span):
        if match["call"]:
            yield from _url_edits(text, (match.start("string") + 1, match.end()), base.css)
        elif match["bare"]:
            # In a style attribute, quotes may be character references.
            quote = _QUOTE_REFERENCE.match(text, match.start("bare"), match.end())
            yield from _url_edits(
                text, (quote.end() if quote else match.end(), match.end()), base.css
            )


def _js_edits(text: bytes, span: Span, base: _Base) -> Iterator[Edit]:
    settings = text.find(b"APP_SETTINGS", *span) >= 0
    for match in _JS.finditer(text, *span):
        if match["call"]:
            yield from _url_edits(text, (match.start("string") + 1, match.end()), base.js)
        elif match["hostname"] and settings and match["string"] in (b'""', b"''"):
            # Label Studio calls `new URL(hostname)`, which throws for a path without a host.
            path = b' + "%s"' % base.js if base.js else b""
            yield match.start("string"), match.end(), b"location.origin" + path
        elif match["user"] and settings:
            # Label Studio escapes the user's names for HTML, and shows them so: `O&#x27;Brien`.
            for escaped in _ESCAPED.finditer(text, match.start("string"), match.end()):
                yield *escaped.span(), _UNESCAPED[escaped[0]]


def _url_edits(text: bytes, span: Span, base: bytes) -> Iterator[Edit]:
    """Yield the edit for the URL at the start of `span`, unless it is relative or under the prefix."""
    at, end = _after_space(text, *span), span[1]
    after = at + len(base)
    # At the end of the span the slice is empty, which `in` accepts, too.
    under = (
        text.startswith(base, at, end) and text[after : min(after + 1, end)] in b"/?#\"'`) \t\r\n"
    )
    if not under and _ROOT_ABSOLUTE.match(text, at, end):
        yield at, at, base


def _after_space(text: bytes, at: int, end: int = sys.maxsize) -> int:
    space = _SPACE.match(text, at, end)
    return space.end() if space else at


def _value(html: bytes, attributes: dict[bytes, Span], name: bytes) -> bytes:
    start, end = attributes.get(name, (0, 0))
    return html[start:end].strip().lower()


def _is_javascript(html: bytes, attributes: dict[bytes, Span]) -> bool:
    return _value(html, attributes, b"type").partition(b";")[0].strip() in _SCRIPT_TYPES
