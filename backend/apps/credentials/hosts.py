"""What Repomill knows about each kind of host without asking it: addresses, user names, and where its API is.

Pure. Which addresses may be talked to at all is `backend.origins`' rule, applied here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from backend.errors import InvalidInput
from backend.origins import objection, read_web_address


@dataclass(frozen=True, kw_only=True)
class HostKind:
    """A kind of host: `base_url` is the public one's, `username` what it wants beside a token for git over https.

    `api_path` is where its API is on a server of one's own; empty where there is none.
    """

    name: str
    title: str
    base_url: str
    username: str
    api_path: str


GITHUB: Final = HostKind(
    name="github", title="GitHub", base_url="https://github.com", username="x-access-token", api_path="/api/v3"
)
GITLAB: Final = HostKind(
    name="gitlab", title="GitLab", base_url="https://gitlab.com", username="oauth2", api_path="/api/v4"
)
GIT: Final = HostKind(name="git", title="git", base_url="", username="git", api_path="")
HOSTS: Final = {kind.name: kind for kind in (GITHUB, GITLAB, GIT)}


def host_kind(name: str) -> HostKind:
    """Return what is known of a kind of host. Raises InvalidInput for one that is not."""
    if name not in HOSTS:
        raise InvalidInput(f"There is no host {name[:50]!r}.", field="host", expected=list(HOSTS))
    return HOSTS[name]


def canonical_base_url(*, host: str, base_url: str | None, internal_hosts: Collection[str]) -> str:
    """Return the one spelling of a host's web address: an origin, and a path where it is installed below one.

    base_url: the web address or that of the API; default the public one of that kind of host; `git` has none.
    Raises InvalidInput.
    """
    kind = host_kind(host)
    if base_url is not None and not isinstance(base_url, str):
        # An empty list is no wish for the public host.
        raise InvalidInput("base_url is not text.", field="base_url", expected="an address, or nothing")
    text = base_url or kind.base_url
    if not text:
        raise InvalidInput(
            "Say where the repositories are.", field="base_url", expected="an address such as https://git.example.org"
        )
    address = read_web_address(text)
    if address is None:
        # It may hold a password, so it is not repeated.
        raise InvalidInput(
            "This is not the address of a host.",
            field="base_url",
            expected="https://host, with a port and a path if need be, and without a user, a query or escapes",
        )
    if why := objection(address, internal_hosts=internal_hosts):
        raise InvalidInput(why, field="base_url", hint="Give the host's public name and https.")
    if host == GITHUB.name and _has_api_host(address.host.removeprefix("api.")):
        address = replace(address, host=address.host.removeprefix("api."))
    url = address.url.removesuffix(kind.api_path) if kind.api_path else address.url
    if url.startswith(f"{kind.base_url}/") and kind.base_url:
        raise InvalidInput(
            f"The address of {kind.title} has no path.", field="base_url", expected=kind.base_url, hint="Leave it out."
        )
    return url


def api_url(*, host: str, base_url: str) -> str:
    """Return where the API of a host is, without a last slash.

    GitHub: a host of its own, api.NAME, for github.com and for names below ghe.com, else base_url/api/v3.
    GitLab: base_url/api/v4. Raises InvalidInput for `git`, which has none.
    """
    address, kind = read_web_address(base_url), host_kind(host)
    if address is None or not kind.api_path:
        raise InvalidInput("This host has no API.", field="host")
    if host == GITHUB.name and _has_api_host(address.host):
        return f"https://api.{address.host}"
    return address.url + kind.api_path


def _has_api_host(host: str) -> bool:
    return host == "github.com" or host.endswith(".ghe.com")
