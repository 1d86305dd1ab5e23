"""What clients and servers say in the clear of TLS and QUIC, and JA4 by a second implementation.

Wireshark's lists feed the plain JA4 here, which follows FoxIO's description and shares no code with
the meter's. Both sides take the first hello of a flow and what answers it within a second.
"""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b, sha256

import pytest

from dijkwacht_records.addresses import format_address
from dijkwacht_records.vocabulary import Alpn, CertFlag, HelloFlag

GREASE = {number << 8 | number for number in range(0x0A, 0x100, 0x10)}
CARRIERS = {"openvpn", "tds"}
"""Protocols that have TLS inside of messages of their own."""
PATIENCE = 1.0
"""Seconds that the meter waits for an answer."""
ALPN = {"": Alpn.NONE, "h2": Alpn.H2, "http/1.1": Alpn.HTTP_1_1, "h3": Alpn.H3}
ALPN |= {"http/1.0": Alpn.HTTP_1_0, "dot": Alpn.DOT}
VERSIONS = {0x304: "13", 0x303: "12", 0x302: "11", 0x301: "10", 0x300: "s3", 2: "s2"}
ALGORITHMS_OF = (13, 34, 50)
"""Extensions whose algorithms Wireshark puts into one list, in the order sent."""
TLS_1_3, TICKET, PRE_SHARED_KEY, ENCRYPTED_HELLO = 0x304, 35, 41, {0xFE0D, 0xFFCE}
RETRY = "cf:21:ad:74:e5:9a:61:11:be:1d:8c:02:1e:65:b8:91:c2:a2:11:16:7a:bb:8c:5e:07:9e:09:e2:c8:a8:33:9c"
HELLO, ANSWER, CERTIFICATE = 1, 2, 11


@pytest.mark.captures
@pytest.mark.timeout(7200)
@pytest.mark.tools("tshark")
def test_hellos_are_what_wireshark_reads(compare):
    assert compare("tls", ours, theirs) > 300


def ours(rows):
    seen = Counter()
    for row in rows["tls"]:
        key = (row["proto"], *(format_address(row[h]) for h in ("orig_h", "resp_h")), row["resp_p"])
        seen[*key, "name", row["server_name"]] += 1
        seen[*key, "version", row["version"]] += 1
        seen[*key, "alpn", row["alpn"]] += 1
        seen[*key, "flags", row["hello_flags"] & ~HelloFlag.CUT] += 1
        if not row["hello_flags"] & HelloFlag.CUT:
            seen[*key, "ja4", row["ja4"]] += 1
        if row["server_version"]:
            seen[*key, "answer", row["server_version"], row["cipher"]] += 1
            seen[*key, "fingerprint", row["server_fp"]] += 1
        if row["cert_flags"] & CertFlag.SEEN:
            seen[*key, "certificate", row["cert_days"], row["cert_age"]] += 1
        if row["alert"]:
            seen[*key, "alert", row["alert"]] += 1
    return seen


def theirs(packets):
    flows = {}
    for packet in packets:
        if CARRIERS.intersection(packet.names):
            continue
        fields = packet.fields("tls", "quic")
        kinds = [int(kind) for kind in fields.get("tls.handshake.type", ())]
        flow = flows.get((packet.proto, packet.stream))
        if flow is None and HELLO in kinds and not packet.tunnelled:
            flows[packet.proto, packet.stream] = (packet, read_hello(fields, packet.proto), {})
        elif flow is not None and answers(packet, flow[0], fields):
            read_answer(fields, kinds, packet.time, flow[2])
    seen = Counter()
    for packet, hello, answer in flows.values():
        key = (packet.proto, packet.src, packet.dst, packet.dport)
        for name, value in (hello | answer).items():
            seen[*key, name, *(value if isinstance(value, tuple) else (value,))] += 1
    return seen


def answers(packet, hello, fields):
    """Whether ``packet`` is the server's, in time, or either side's alert."""
    in_time = packet.time - hello.time <= PATIENCE
    return in_time and (packet.sport == hello.dport or "tls.alert_message.desc" in fields)


def numbers(fields, name):
    return [int(value, 0) for value in fields.get(f"tls.handshake.{name}", ())]


def useful(values):
    return [value for value in values if value not in GREASE]


def read_hello(fields, proto):
    offered = useful(numbers(fields, "extensions.supported_version"))
    legacy = numbers(fields, "version")[0]
    protocols = fields.get("tls.handshake.extensions_alpn_str", ("",))
    names = fields.get("tls.handshake.extensions_server_name", ("",))
    known = [version for version in offered if version >> 4 == 0x30]
    newest = max(offered, default=legacy)
    return {
        "name": names[0].lower(),
        "version": max([legacy, *known]),
        "alpn": int(ALPN.get(protocols[0], Alpn.OTHER)),
        "flags": hello_flags(fields, newest),
        "ja4": ja4("q" if proto == 17 else "t", fields, newest, protocols[0]),
    }


def hello_flags(fields, newest):
    kinds = numbers(fields, "extension.type")
    sizes = dict(zip(kinds, numbers(fields, "extension.len"), strict=False))
    session = newest < TLS_1_3 and numbers(fields, "session_id_length")[0]
    resumes = session or sizes.get(TICKET) or PRE_SHARED_KEY in kinds
    encrypted = ENCRYPTED_HELLO.intersection(kinds)
    return int((resumes and HelloFlag.RESUMES) or 0) | int((encrypted and HelloFlag.ECH) or 0)


def ja4(transport, fields, version, protocol):
    """By github.com/FoxIO-LLC/ja4, technical_details/JA4.md."""
    ciphers = useful(numbers(fields, "ciphersuite"))
    sent = numbers(fields, "extension.type")
    kinds = useful(sent)
    known = "d" if 0 in kinds else "i"
    ends = "00"
    if protocol:
        raw = protocol.encode("latin-1")
        plain = raw[:1].isalnum() and raw[-1:].isalnum()
        ends = protocol[0] + protocol[-1] if plain else raw.hex()[0] + raw.hex()[-1]
    a = f"{transport}{VERSIONS.get(version, '00')}{known}"
    a += f"{min(len(ciphers), 99):02d}{min(len(kinds), 99):02d}{ends}"
    told = listed(sorted(kind for kind in kinds if kind not in {0, 16}))
    signatures = useful(signature_algorithms(fields, sent))
    if signatures:
        told += "_" + listed(signatures)
    return f"{a}_{short(listed(sorted(ciphers)))}_{short(told) if kinds else '0' * 12}"


def signature_algorithms(fields, sent):
    """Those of extension 13 alone."""
    algorithms, lengths = numbers(fields, "sig_hash_alg"), numbers(fields, "sig_hash_alg_len")
    at = 0
    holders = [kind for kind in sent if kind in ALGORITHMS_OF]
    for kind, length in zip(holders, lengths, strict=False):
        if kind == 13:
            return algorithms[at : at + length // 2]
        at += length // 2
    return []


def listed(values):
    return ",".join(f"{value:04x}" for value in values)


def short(text):
    return sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def read_answer(fields, kinds, time, answer):
    if ANSWER in kinds:
        chosen = numbers(fields, "extensions.supported_version") or numbers(fields, "version")
        told = (chosen[0], numbers(fields, "ciphersuite")[0])
        protocol = fields.get("tls.handshake.extensions_alpn_str", ("",))[0]
        answer["answer"] = told
        answer["fingerprint"] = fingerprint(fields, told, protocol)
        if protocol:
            answer["alpn"] = int(ALPN.get(protocol, Alpn.OTHER))
    if alert := fields.get("tls.alert_message.desc"):
        answer.setdefault("alert", int(alert[0]) + 1)
    clear = answer.get("answer", (0,))[0] != TLS_1_3
    if CERTIFICATE in kinds and clear and "certificate" not in answer:
        begin, end = (validity(fields, name) for name in ("notBefore", "notAfter"))
        if begin and end:
            now = datetime.fromtimestamp(time, UTC)
            answer["certificate"] = ((end - begin).days, (now - begin).days)


def fingerprint(fields, told, protocol):
    """As the contract describes it; 0 for one that only asks for another hello."""
    if fields.get("tls.handshake.random", ("",))[0] == RETRY:
        return 0
    kinds = numbers(fields, "extension.type")
    text = b"".join(value.to_bytes(2, "big") for value in (*told, len(kinds), *kinds))
    digest = blake2b(text + protocol.encode("latin-1"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2 or 1


def validity(fields, name):
    """A moment of the first certificate's; each kind of time has a list of its own."""
    kinds = [fields.get(f"x509af.{n}", ("",))[0] for n in ("notBefore", "notAfter")]
    own = kinds[name == "notAfter"]
    before = name == "notAfter" and kinds[0] == own
    listed = fields.get("x509af.utcTime" if own == "0" else "x509af.generalizedTime", ())
    if len(listed) <= before:
        return None
    text = listed[before]
    for form, cut in (
        ("%Y-%m-%d %H:%M:%S (UTC)", text),
        ("%b %d, %Y %H:%M:%S", text.partition(".")[0]),
    ):
        with suppress(ValueError):
            return datetime.strptime(cut, form).replace(tzinfo=UTC)
    return None
