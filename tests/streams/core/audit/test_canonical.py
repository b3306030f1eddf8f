import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.audit.canonical import canonical, payload_hash, sayable

numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text(st.characters(codec="utf-8"))
texts = st.text(st.characters(codec="utf-8"), max_size=5)
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)


@given(documents)
def test_a_hash_does_not_depend_on_how_the_document_is_written(document: object) -> None:
    tight, wide = json.dumps(document).encode(), json.dumps(document, indent=3, ensure_ascii=False).encode()

    assert payload_hash(tight) == payload_hash(wide) == sha256(canonical(document)).hexdigest()


def test_the_order_of_keys_does_not_count() -> None:
    assert payload_hash(b'{"a": 1, "b": [1.0]}') == payload_hash(b'{"b":[1],"a":1}')


@pytest.mark.parametrize("document", [b'{"n": 9007199254740993}', b"1e999", b"{", b"\xff", b"NaN", b"[" * 100_000])
def test_what_has_no_canonical_form_is_hashed_byte_for_byte_and_says_so(document: bytes) -> None:
    assert payload_hash(document) == "raw:" + sha256(document).hexdigest()


def test_half_surrogates_are_replaced_and_long_texts_cut() -> None:
    assert sayable("a\ud800b", 10) == "a?b"
    assert sayable("abc", 2) == "ab"
