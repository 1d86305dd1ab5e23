"""JA4 against the example that its description gives, and against a second, plain way to write it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.protocols import ja4

CHROME_CIPHERS = "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
CHROME_EXTENSIONS = (
    "001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015"
)
CHROME_SIGNATURES = "0403 0804 0401 0503 0805 0501 0806 0601"


def packed(text: str) -> bytes:
    return bytes.fromhex(text)


def kinds(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(word, 16) for word in text.split()))


def test_the_published_example():
    made = ja4.fingerprint(
        "t",
        0x0304,
        packed("3a3a" + CHROME_CIPHERS),
        kinds(CHROME_EXTENSIONS),
        packed(CHROME_SIGNATURES),
        b"h2",
    )
    assert made == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_without_anything():
    assert (
        ja4.fingerprint("q", 0x7F1C, b"", (), b"", b"") == "q00i000000_" + "0" * 12 + "_" + "0" * 12
    )


def test_ends_of_a_protocol_that_is_no_text():
    def ends(protocol):
        return ja4.fingerprint("t", 0x0303, b"", (), b"", protocol)[8:10]

    assert [ends(p) for p in (b"h", b"\xab", b"\xab\xcd", b"\x30\xab", b"\x30\x31\xab\xcd")] == [
        "hh",
        "ab",
        "ad",
        "3b",
        "3d",
    ]
    assert ends(b"\x30\xab\xcd\x31") == "01"


number = st.integers(0, 0xFFFF)


@given(
    st.lists(number, max_size=120),
    st.lists(number, max_size=120, unique=True),
    st.lists(number, max_size=30),
)
def test_any_lists_as_their_description_says(ciphers, extensions, signatures):
    def useful(values):
        return [v for v in values if not (v & 0x0F0F == 0x0A0A and v >> 8 == v & 0xFF)]

    def twelve(text):
        return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

    suites, told, signs = map(useful, (ciphers, extensions, signatures))
    first = ",".join(sorted(f"{v:04x}" for v in suites))
    second = ",".join(sorted(f"{v:04x}" for v in told if v not in {0, 0x10}))
    if signs:
        second += "_" + ",".join(f"{v:04x}" for v in signs)
    counts = f"{min(len(suites), 99):02d}{min(len(told), 99):02d}"
    expected = f"t12{'d' if 0 in told else 'i'}{counts}00_{twelve(first)}_"
    expected += twelve(second) if told else "0" * 12

    def wire(values):
        return b"".join(v.to_bytes(2, "big") for v in values)

    assert (
        ja4.fingerprint("t", 0x0303, wire(ciphers), tuple(sorted(told)), wire(signatures), b"")
        == expected
    )
