"""The cluster's client: a connection to a Dask scheduler, encrypted where Dask's configuration says
so.
"""

import logging
import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError, WorkersError
from experiments.signature import DISTRIBUTION

if TYPE_CHECKING:
    from distributed import Client, Security

CONNECT = 10.0  # seconds within which a scheduler that is there answers
LOGGERS = ("distributed", "distributed.client")  # Dask gives a level to each
ADDRESS = re.compile(r"(tcp|tls)://(\[[^\]]+\]|[^\s/:]+):(\d{1,5})")
FILES = ("ca-file", "client.cert", "client.key")  # of a client, in Dask's configuration


def checked(address: str) -> str:
    """The address of a scheduler, where it can be one. Raises InputError."""
    if not ADDRESS.fullmatch(address):
        raise InputError(
            f"--cluster {address}: not the address of a Dask scheduler; write tcp://host:8786, or"
            " tls://host:8786"
        )
    return address


def connect(address: str) -> "Client":
    """A client of the scheduler at an address; TLS is as Dask's configuration has it. Raises
    InputError, WorkersError.
    """
    parts = ADDRESS.fullmatch(checked(address))
    assert parts
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            f"--cluster {address}: the package {error.name} is missing; install it with: pip"
            f" install '{DISTRIBUTION}[cluster]'"
        ) from None
    for logger in LOGGERS:
        logging.getLogger(logger).setLevel(
            logging.CRITICAL
        )  # what it would log comes back as errors, and is said once
    security = _security(address)
    try:
        socket.getaddrinfo(
            parts[2].strip("[]"), parts[3]
        )  # of a name that nobody knows Dask says that it timed out
        return distributed.Client(
            address, timeout=CONNECT, set_as_default=False, name="sweeps", security=security
        )
    except (OSError, TimeoutError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WorkersError(
            f"no Dask scheduler answers at {address} ({reason}); start one with: dask scheduler, or"
            " correct --cluster"
        ) from None


def _security(address: str) -> "Security":
    """What Dask's configuration says of encryption. Raises InputError where the address says
    something else.
    """
    import distributed

    security = distributed.Security()
    try:
        encrypted = security.get_connection_args("client")["ssl_context"] is not None
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"--cluster {address}: {_unusable(error)}") from None
    if address.startswith("tls") and not encrypted:
        raise InputError(
            f"--cluster {address}: TLS needs certificates; name them in Dask's configuration "
            "(distributed.comm.tls.ca-file, and client.cert and client.key)"
        )
    if address.startswith("tcp") and security.require_encryption:
        raise InputError(
            f"--cluster {address}: Dask's configuration asks for encryption"
            f" (distributed.comm.require-encryption); write {address.replace('tcp', 'tls', 1)}, or"
            " take that out"
        )
    return security


def _unusable(error: OSError) -> str:
    """Which file of a client's is meant: the error does not say."""
    import dask.config

    for key in FILES:
        path = dask.config.get(f"distributed.comm.tls.{key}") or ""
        try:
            if "\n" not in path:  # else it is the certificate itself
                Path(path).read_bytes()
        except OSError as reason:
            return (
                f"distributed.comm.tls.{key} in Dask's configuration is {path}, which cannot be"
                f" read ({reason.strerror}); give the absolute path of a file that can"
            )
    return (
        f"the certificates that Dask's configuration names cannot be used ({error}); make them"
        " again, each with its key"
    )
