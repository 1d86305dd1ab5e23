"""A short child process that makes a key and its request for a certificate, and ends.

What it needs to do that stays in its own memory and not for years in the agent's. It imports nothing of
the agent's and gets where libraries are on standard input: it is run by its path, isolated from the
environment. The key leaves it on standard output, which is a pipe, and is in no argument.

Input, JSON: ``path``, the agent's own ``sys.path``. Output, JSON: ``key``, PEM (PKCS #8); ``request``,
PKCS #10 in DER and base 64.
"""

from __future__ import annotations

import base64
import sys


def main() -> None:
    """Make one key, of P-256, and a request that says nothing but which key it is."""
    import json  # noqa: PLC0415  who runs this imports it for its path, and stays

    sys.path[:] = json.load(sys.stdin)["path"]

    from cryptography import x509  # noqa: PLC0415  only now it is known where it lies
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(*form, serialization.NoEncryption())
    json.dump({"key": pem.decode(), "request": base64.b64encode(request).decode()}, sys.stdout)


if __name__ == "__main__":
    main()
