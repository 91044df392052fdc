"""A certificate that no authority signed, made when it is needed."""

import shutil
import ssl
import subprocess
from pathlib import Path


def self_signed(folder: Path) -> ssl.SSLContext | None:
    """What a server needs to encrypt with a new certificate for `localhost`; None where there is no `openssl`."""
    if shutil.which("openssl") is None:
        return None
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        ["openssl", *request.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS 1.3 the server would speak again after the handshake, which TDS 7.4 has no packets for.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
