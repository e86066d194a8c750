"""Which web addresses Repomill may talk to on a user's word: reading them, and the rule for them. Pure text.

It resolves no name and opens no connection. Whoever connects to a name that a user gave asks, of what it resolves to,
`is_public` as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

LONGEST_URL = 1000
LONGEST_LABEL = 63
"""Characters between two dots of a name. What no resolver can be asked for fails in its own ways wherever it is."""
DEFAULT_PORTS = {"https": 443, "http": 80}

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[a-z0-9._~+-]+)*)/?",
    re.IGNORECASE | re.ASCII,
)
# Addresses that stand for an IPv4 address: what they lead to counts.
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True)
class WebAddress:
    """A URL without user, query and fragment. `host` is in lower case, `path` is as given, without a last slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and, unless it is the scheme's own, port: `https://host` or `https://host:8443`."""
        shown = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{shown}"

    @property
    def url(self) -> str:
        """The address in its one canonical spelling."""
        return self.origin + self.path


def read_web_address(url: str) -> WebAddress | None:
    """Return the address that a URL spells, or None where there is any doubt about what it means."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > LONGEST_URL:
        return None
    scheme, path = found["scheme"].lower(), found["path"]
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS[scheme]
    if not all(0 < len(label) <= LONGEST_LABEL for label in found["host"].split(".")):
        return None
    if not 0 < port < 65536 or any(segment in {".", ".."} for segment in path.split("/")):
        return None
    return WebAddress(scheme=scheme, host=found["host"].lower(), port=port, path=path)


def objection(address: WebAddress, *, internal_hosts: Collection[str]) -> str | None:
    """Return why the address may not be talked to, as a sentence, or None when it may.

    internal_hosts: what the operator has allowed beside the hosts that have a name and speak https.
    """
    if address.scheme == "http" and not is_loopback(address.host):
        return "Another machine is reached by https only."
    if is_internal(address.host) and address.host not in internal_hosts:
        return "The operator has not allowed this address (REPOMILL_GIT_INTERNAL_HOSTS)."
    return None


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_internal(host: str) -> bool:
    """Return whether a host is this machine, or is given as an address or a bare number rather than by a name."""
    if is_loopback(host) or host.startswith("["):
        return True
    # The resolver takes 2130706433 and 0177.0.0.1 for addresses too; no public host's last label begins with a digit.
    return host.rstrip(".").rpartition(".")[2][:1].isdigit()


def is_public(address: str) -> bool:
    """Return whether an IP address, as a resolver gives it, belongs to the public internet."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = _embedded(found)
    return found.is_global and not found.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
