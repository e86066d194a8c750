"""What the addresses among the settings may be, which are not servers with a form of their own.

No error shows an address: even one that has no place for a password may hold one.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from backend.errors import ConfigurationError

# What a link on a page of ours may lead to: nothing that a browser would run, and no password.
_LINK = re.compile(r"(https?://[A-Za-z0-9._:\[\]-]+)?(/[A-Za-z0-9._~/-]*)?")
_ORIGIN = re.compile(r"https?://(?:\w[\w.-]*|\[(?P<address>[0-9a-f:.]+)\])(?::[0-9]+)?", re.IGNORECASE)


def check_origin(name: str, address: str) -> None:
    """Raise ConfigurationError unless an address is http or https, a host, and at most a port."""
    found = _ORIGIN.fullmatch(address)
    try:
        fits = found is not None and has_possible_port(urlsplit(address))
        if found and found["address"]:
            ip_address(found["address"])
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{name} must be an origin such as https://repomill.example.org.",
            field=name,
            hint="Give http:// or https://, a host, and where it is not the usual one a port; no user, path or query.",
        )


def check_link(name: str, address: str) -> None:
    """Raise ConfigurationError unless an address can be a link, or is empty."""
    if address and not _LINK.fullmatch(address):
        raise ConfigurationError(
            f"{name} must be an address such as https://repomill.example.org, or a path.",
            field=name,
            hint="It is shown to those who browse, so it has no user, password or query.",
        )


def check_collector(name: str, address: str) -> None:
    """Raise ConfigurationError unless an address is one of http with a host, an absolute path, or empty."""
    if not address or address.startswith("/"):
        return
    try:
        parts = urlsplit(address)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and has_possible_port(parts)
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{name} must be an http address such as http://collector:4318/v1/traces, or an absolute path.", field=name
        )


def has_possible_port(parts: SplitResult) -> bool:
    """Return whether an address has no port, or one that a server can have. Raises ValueError for what is no number."""
    return parts.port != 0
