"""A certificate for the benchmarks' server, and a trust store as large as real ones that has it."""

from __future__ import annotations

from pathlib import Path


def issue(folder: Path) -> tuple[Path, dict[str, str]]:
    """
    Make a certificate for localhost.

    Args:
        folder: Where the files go.

    Returns:
        The certificate with its key, and the environment in which clients trust it. The trust
        store holds everything that certifi's does, because reading all that is a part of the cost.
    """
    import certifi
    import trustme

    authority = trustme.CA()
    certificate = folder / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    store = folder / "trusted.pem"
    store.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    return certificate, {"SSL_CERT_FILE": str(store)}
