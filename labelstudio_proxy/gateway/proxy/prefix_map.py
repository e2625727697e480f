"""Puts the prefix before the root-absolute URLs of a page, and leaves every other byte alone.

Nothing is parsed into a tree and written out again: a scan finds the places, and the prefix is
inserted there. So the page's encoding does not matter, mapping twice is mapping once, and taking the
insertions out again gives the original. No pattern looks twice at what it has passed, so that a
hostile page costs no more than its length.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..static_files import versioned

Edit = tuple[int, int, bytes]  # from, to, what goes there instead
Span = tuple[int, int]

# `<`, and what the HTML standard's tokenizer makes of the character after it.
_MARKUP = re.compile(
    rb"(?i)<(?:(?P<comment>!--)|(?P<bogus>[!?]|/(?![a-z]))|(?P<tag>/?[a-z][^\s/>]*))"
)
_COMMENT_END = re.compile(rb"-->|(?<!<!)--!>")
_ATTRIBUTE = re.compile(
    rb"""(?x) [\s/]* (?: (?P<end>>) | (?P<name>[^\s/>][^\s/>=]*)
    (?: \s*=\s* (?: "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<open>["']) | (?P<bare>[^\s>]*) ))? )"""
)
# Up to their end tag these hold text, whatever it looks like (`noscript`: in a browser with scripts).
_RAW_END = {
    name: re.compile(rb"(?i)</" + name + rb"(?=[\s/>])")
    for name in b"script style textarea title xmp iframe noembed noframes noscript".split()
}
_URL_ATTRIBUTES = frozenset(b"href xlink:href src poster formaction".split())
# Names that mean something else on other elements.
_URL_ATTRIBUTES_OF = {b"object": b"data", b"form": b"action"}
_SCRIPT_TYPES = (b"", b"text/javascript", b"application/javascript", b"module")

_PREFIX = re.compile(r"/|/(?![/\\])[^\x00-\x1f\x7f-\x9f]+/")
_UNSAFE = re.compile(r"[^A-Za-z0-9/_.~%@:+-]")
_SPACE = re.compile(rb"\s*")
_ROOT_ABSOLUTE = re.compile(rb"/(?![\t\r\n]*[/\\])")
_CANDIDATE = re.compile(rb"[^\s,](?:\S*,(?!\S)|\S*[^,]*)")
_REFRESH = re.compile(rb"(?i)\s*[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?[\"']?")
_QUOTE_REFERENCE = re.compile(rb"(?i)(?:&(?:quot|apos|#39|#34|#x27|#x22);)?\s*")

_STRING = rb""" " [^"\\\n]* (?: \\. [^"\\\n]* )* "? | ' [^'\\\n]* (?: \\. [^'\\\n]* )* '? """
_COMMENT = rb" /\* (?: .*? \*/ | .* ) "
_CSS = re.compile(
    rb"(?xsi) (?P<call> (?<![\w-])url\(\s* | @import\s* )? (?P<string>" + _STRING + rb")"
    rb"| (?<![\w-])url\( (?P<bare>[^)]*) |" + _COMMENT
)
# Strings, comments and regular expressions are read whole, so that nothing in them is taken for code.
_JS = re.compile(
    rb"""(?xs) (?: (?<![\w$.]) (?: (?P<call>
        (?: (?:window|self|globalThis|document|top|parent)\s*\.\s* )?
        (?: fetch\s*\( | location(?:\s*\.\s*href)?\s*= | location\s*\.\s*(?:assign|replace)\s*\( ) \s*
    ) | (?P<hostname> hostname\s*:\s* ) ) )?
    (?P<string>""" + _STRING + rb""" | ` [^`\\]* (?: \\. [^`\\]* )* `? )
    | //[^\n]* |""" + _COMMENT + rb"""
    | (?<=[(,=:\[!&|?;{\n]) [ \t]* / (?![/*])
        (?: [^\\/\[\n] | \\. | \[ [^\]\\\n]* (?: \\. [^\]\\\n]* )* \]? )+ /?"""
)  # fmt: skip


class _Base(NamedTuple):
    """The prefix without its last slash, as each language writes it.

    Plain ASCII, whatever the page's encoding, that ends no string, no value and no tag.
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


def map_page(html: bytes, prefix: str, scripts: Sequence[str] = (), nonce: str = "") -> bytes:
    """The page as it must be to work under `prefix`, a path that starts and ends with `/`.

    `prefix.js` is put first into it, unless the prefix is `/`, and then `scripts`, more of the gateway's
    own files. All script elements get the `nonce`, if there is one, of letters that need no escaping.
    Where a URL already begins with the prefix, it stays as it is. Pages in UTF-16 pass unmapped.
    Raises ValueError if `prefix` is no such path.
    """
    base = _Base.of(prefix)
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return html
    always = ("prefix.js",) if base.html else ()
    return _apply(html, _page_edits(html, base, (*always, *scripts), nonce.encode()))


def map_css(css: bytes, prefix: str) -> bytes:
    """The style sheet as it must be to work under `prefix`; see `map_page`."""
    return _apply(css, _css_edits(css, (0, len(css)), _Base.of(prefix)))


def map_script(js: bytes, prefix: str) -> bytes:
    """A script of a page, as `map_page` has it."""
    return _apply(js, _js_edits(js, (0, len(js)), _Base.of(prefix)))


def _apply(text: bytes, edits: Iterable[Edit]) -> bytes:
    parts, copied = [], 0
    for start, end, new in sorted(edits):
        parts += [text[copied:start], new]
        copied = end
    return b"".join([*parts, text[copied:]])


def _page_edits(html: bytes, base: _Base, scripts: Sequence[str], nonce: bytes) -> Iterator[Edit]:
    attribute = b' nonce="%s"' % nonce if nonce else b""
    # Where the scripts go: first in <head>, or else as near to that as there is something to hold on to.
    places = {b"": len(codecs.BOM_UTF8) if html.startswith(codecs.BOM_UTF8) else 0}
    at = 0
    while at >= 0 and (markup := _MARKUP.search(html, at)):
        if markup["comment"]:
            closing = _COMMENT_END.search(html, markup.start() + 2)
            at = closing.end() if closing else -1
        elif markup["bogus"]:
            at = html.find(b">", markup.start()) + 1 or -1
            if html[markup.start() : markup.start() + 9].lower() == b"<!doctype" and at > 0:
                places.setdefault(b"doctype", at)
        else:
            name = markup["tag"].lower()
            attributes, at = _attributes(html, markup.end())
            if at < 0 or name.startswith(b"/"):
                continue
            if name in (b"head", b"html"):
                places.setdefault(name, at)
            if name == b"script" and nonce:
                # In the place of Label Studio's own: browsers take no nonce where there are two.
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


def _attributes(html: bytes, at: int) -> tuple[dict[bytes, Span], int]:
    """The attributes of the tag whose name ends at `at`, and where the tag ends; -1 if it never does."""
    found: dict[bytes, Span] = {}
    while match := _ATTRIBUTE.match(html, at):
        at = match.end()
        if match["end"]:
            return found, at
        if match["open"]:  # a value without a closing quote: the rest of the page is no tag at all
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
            # In a style attribute the quotes may be written as character references.
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
            # Label Studio calls `new URL(hostname)`, which a bare path would make throw.
            path = b' + "%s"' % base.js if base.js else b""
            yield match.start("string"), match.end(), b"location.origin" + path


def _url_edits(text: bytes, span: Span, base: bytes) -> Iterator[Edit]:
    """The edit for a URL that begins `span`: none if it is not root-absolute, or already under the prefix."""
    space = _SPACE.match(text, *span)
    at, end = space.end() if space else span[0], span[1]
    after = at + len(base)
    # Nothing at all may follow, and is in any string of bytes.
    under = (
        text.startswith(base, at, end) and text[after : min(after + 1, end)] in b"/?#\"'`) \t\r\n"
    )
    if not under and _ROOT_ABSOLUTE.match(text, at, end):
        yield at, at, base


def _value(html: bytes, attributes: dict[bytes, Span], name: bytes) -> bytes:
    start, end = attributes.get(name, (0, 0))
    return html[start:end].strip().lower()


def _is_javascript(html: bytes, attributes: dict[bytes, Span]) -> bool:
    return _value(html, attributes, b"type").partition(b";")[0].strip() in _SCRIPT_TYPES
