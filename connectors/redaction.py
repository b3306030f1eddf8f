r"""Text that others wrote -> text that may be shown: without our secrets, without control characters, not too long.

A secret comes back in other spellings: a proxy's error page repeats a header as JSON (`\/`, `\u003d`), in an URL
(`%2F`), as HTML (`&#x2F;`), as a Python repr, in base64, or cut off. `Redactor` looks for pieces of secrets under all
of these, one inside the other up to `LEVELS` deep.
"""

import base64
import contextlib
import html
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

HIDDEN = "***"
SHORTEST_PIECE = 8  # bytes in a row of a secret that are hidden; of a shorter secret, all of it
SHORTEST_KEY = 6  # characters of what may be a key in an URL: of shorter parts, words of people's are full
LEVELS = 4  # of escapes within escapes
ROOM = 8  # times as much as is shown is looked at: escapes and hidden secrets make a text shorter

# Every piece of `SHORTEST_PIECE` bytes holds one of a secret's blocks entirely, so only these have to be searched for.
_BLOCK = SHORTEST_PIECE // 2
_STRIDE = SHORTEST_PIECE - _BLOCK + 1  # of the blocks in such a piece, one begins at a multiple of it in the text
_ESCAPES = (b"\\", b"%", b"&")
_PERCENT_OR_HTML = rb"%[0-9a-fA-F]{2}|&#[xX]?[0-9a-fA-F]{1,6};|&(?:amp|lt|gt|quot|apos);"
_ESCAPE = re.compile(  # a backslash before one of these may begin an escape of its own: `\%75003d`
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|"
    + (_PERCENT_OR_HTML + rb"|\\(?!" + _PERCENT_OR_HTML + rb")[^ux]")
)
_URL_SAFE, _AS_IN_URLS = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")
_UNSHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, invisible and line-breaking characters


class Redactor:
    """Hides what it finds of `secrets`, however it is written: in some 0.5 ms a kilobyte, however many they are."""

    def __init__(self, secrets: Iterable[SecretStr]) -> None:
        values = {secret.get_secret_value() for secret in secrets} - {""}
        plain = {form for value in values for form in _plain_forms(value)}
        coded = {form for value in values for form in _base64_forms(value.encode(errors="surrogatepass"))}
        self._plain, self._coded = _by_block(plain), _by_block(coded)
        self._short = {block for block in self._plain if len(block) < _BLOCK}
        forms = plain | coded
        long_enough = all(len(form) >= SHORTEST_PIECE for form in forms)
        self._sampled = frozenset(block for form in forms for block in _blocks(form)) if long_enough else None

    def __call__(self, text: str) -> str:
        """Return `text` with `***` for each piece of a secret."""
        data = text.encode(errors="surrogatepass")
        hidden = self.hide(data)
        return text if hidden is data else hidden.decode(errors="replace")

    def hide(self, data: bytes) -> bytes:
        """Return `data`, which may be JSON, with `***` for each piece of a secret; itself if there is none."""
        if not self._plain or self._holds_none(data):
            return data
        spans: list[tuple[int, int]] = []
        begins, ends = array("L", range(len(data))), array("L", range(1, len(data) + 1))
        read = data
        for level in range(LEVELS):
            spans += ((begins[first], ends[last - 1]) for first, last in self._found(read))
            if level == LEVELS - 1 or (plainer := _unescaped(read, begins, ends)) is None:
                break
            read, begins, ends = plainer
        return _without(data, sorted(spans)) if spans else data

    def _holds_none(self, data: bytes) -> bool:
        """Whether a look at every fifth place shows that, as of nearly all that peers say."""
        if self._sampled is None or any(sign in data for sign in _ESCAPES):
            return False
        standard = data.translate(_URL_SAFE)
        return self._sampled.isdisjoint([standard[at : at + _BLOCK] for at in range(0, len(data), _STRIDE)])

    def _found(self, data: bytes) -> Iterator[tuple[int, int]]:
        standard = data.translate(_URL_SAFE)
        for read, forms in (data, self._plain), (standard, self._coded):
            for block in self._there(read, forms):
                for secret, at in forms[block]:
                    yield from _pieces(read, secret, block, at)

    def _there(self, data: bytes, forms: Mapping[bytes, object]) -> Iterable[bytes]:
        if len(forms) <= len(data) / 4:  # else it is cheaper to look each piece of `data` up
            return [block for block in forms if block in data]
        return forms.keys() & ({data[at : at + _BLOCK] for at in range(len(data))} | self._short)


def presentable(words: str, secrets: Iterable[SecretStr | None], longest: int) -> str:
    """Return what a peer said without `secrets`, on one line, of more than `longest` characters the middle cut out.

    The reason is often at the end. Control characters, which could rewrite a terminal, are written as escapes.
    """
    redact = Redactor(secret for secret in secrets if secret is not None)
    return _cut(escaped(redact(_cut(words, ROOM * longest))), longest)


def _cut(words: str, longest: int) -> str:
    half = longest // 2
    return words if len(words) <= longest else f"{words[:half]} ... {words[-half:]}"


def escaped(words: str) -> str:
    """Return `words` on one line, with escapes for whatever could rewrite a terminal."""
    if words.isprintable():
        return words
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _UNSHOWN else char for char in words
    )


def spellings(secret: SecretStr) -> frozenset[bytes]:
    r"""Return how a peer is likely to write all of a secret: as it is, as JSON (`\/`), in an URL (`%2F`), in base64.

    They are few, so that every frame can be searched for them. A secret that is too short to hide has none.
    """
    value = secret.get_secret_value()
    if len(value) < SHORTEST_PIECE:
        return frozenset()
    plain = {value, value.replace("/", r"\/"), quote(value, safe="")}
    coded = _base64_forms(value.encode(errors="surrogatepass"))
    url_safe = {form.translate(_AS_IN_URLS) for form in coded}
    return frozenset(form.encode(errors="surrogatepass") for form in plain) | coded | url_safe


def keys_in(url: SecretStr | str) -> list[SecretStr]:
    """Return what may be a key in `url`: its query and the values in it; in one that is secret, the path as well."""
    parts = urlsplit(url.get_secret_value() if isinstance(url, SecretStr) else url)
    written = [parts.query, *(value for _, value in parse_qsl(parts.query))]
    if isinstance(url, SecretStr):
        written += [parts.path, *parts.path.split("/")]
    forms = {form for each in written for form in (each, unquote(each))}
    return [SecretStr(form) for form in forms if len(form) >= SHORTEST_KEY]


def _plain_forms(secret: str) -> set[bytes]:
    # A space is a plus in a form; an umlaut is one byte to older software and in the repr of a text.
    forms = {written.encode(errors="surrogatepass") for written in (secret, secret.replace(" ", "+"))}
    with contextlib.suppress(UnicodeEncodeError):
        forms.add(secret.encode("latin-1"))
    return forms


def _base64_forms(secret: bytes) -> set[bytes]:
    """Return what stands in base64 of anything that holds `secret`: its first byte may lie at three places of four."""
    if len(secret) < SHORTEST_PIECE - 2:
        return set()
    # Characters that hold bits of a neighbour as well are left off, at both ends.
    return {
        base64.b64encode(bytes(before) + secret)[-(-before * 4 // 3) : (before + len(secret)) * 4 // 3]
        for before in range(3)
    }


def _blocks(form: bytes) -> Iterator[bytes]:
    """Yield every block of a form, wherever it begins, as it reads in base64 that is not URL-safe."""
    standard = form.translate(_URL_SAFE)
    return (standard[at : at + _BLOCK] for at in range(len(form) - _BLOCK + 1))


def _by_block(secrets: Iterable[bytes]) -> dict[bytes, list[tuple[bytes, int]]]:
    """Return {block: [(secret, where in it)]}."""
    found: dict[bytes, list[tuple[bytes, int]]] = {}
    for secret in secrets:
        for at in range(0, max(len(secret) - _BLOCK, 0) + 1, _BLOCK):
            found.setdefault(secret[at : at + _BLOCK], []).append((secret, at))
    return found


def _pieces(data: bytes, secret: bytes, block: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield [first, last) of each piece of `secret` that is long enough and holds `block`, which is `at` in it."""
    shortest = min(SHORTEST_PIECE, len(secret))
    here = data.find(block)
    while here >= 0:
        first, last, of_first, of_last = here, here + len(block), at, at + len(block)
        while first and of_first and data[first - 1] == secret[of_first - 1]:
            first, of_first = first - 1, of_first - 1
        while last < len(data) and of_last < len(secret) and data[last] == secret[of_last]:
            last, of_last = last + 1, of_last + 1
        if last - first >= shortest:
            yield first, last
        here = data.find(block, here + 1)


def _unescaped(data: bytes, begins: "array[int]", ends: "array[int]") -> "tuple[bytes, array[int], array[int]] | None":
    """Take one level of escapes off; return (bytes, where each begins, where it ends), or None without an escape."""
    if not any(sign in data for sign in _ESCAPES):
        return None
    read, new_begins, new_ends, last = bytearray(), array("L"), array("L"), 0
    for found in _ESCAPE.finditer(data):
        first, after = found.span()
        meant = _meant(found[0])
        read += data[last:first] + meant
        new_begins += begins[last:first] + array("L", [begins[first]] * len(meant))
        new_ends += ends[last:first] + array("L", [ends[after - 1]] * len(meant))
        last = after
    if not last:
        return None
    return bytes(read + data[last:]), new_begins + begins[last:], new_ends + ends[last:]


def _meant(escape: bytes) -> bytes:
    match escape[:1], escape[1:2]:
        case b"\\", b"u":  # of a character beyond the first 65,536, two
            codes = bytes.fromhex(escape.replace(b"\\u", b"").decode())
            return codes.decode("utf-16-be", "surrogatepass").encode(errors="surrogatepass")
        case b"\\", b"x":
            return bytes.fromhex(escape[2:].decode())
        case b"\\", _:
            return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(escape[1:], escape[1:])
        case b"%", _:
            return bytes.fromhex(escape[1:].decode())
    return html.unescape(escape.decode()).encode(errors="surrogatepass")


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    joined = [spans[0]]
    for first, last in spans[1:]:
        if first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    kept = [data[: joined[0][0]], *(data[a[1] : b[0]] for a, b in pairwise(joined)), data[joined[-1][1] :]]
    return HIDDEN.encode().join(kept)
