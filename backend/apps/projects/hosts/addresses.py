"""Which repositories may be pushed to: the checking of URLs, of names on this machine, and of branches.

Only what is known to be harmless is let through. It opens no connection and changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from django.conf import settings

from backend.apps.credentials.hosts import canonical_base_url
from backend.apps.projects.hosts.wishes import require_text
from backend.apps.projects.services.git_words import clean
from backend.errors import InvalidInput
from backend.origins import objection, read_web_address

LONGEST_BRANCH = 200
LONGEST_NAME = 100
DEEPEST_NAME = 5
DEFAULT_PORTS = {"https": "443", "http": "80"}

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)
_OBJECT_ID = re.compile(r"[0-9a-f]{40,}", re.ASCII | re.IGNORECASE)
# NEW_HEAD and the like are ordinary names; these mean something to git.
_RESERVED = {
    "HEAD",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_HEAD",
    "AUTO_MERGE",
}


@dataclass(frozen=True)
class Address:
    """A repository that may be pushed to. `url` is what git is given; `protocol` the one transport it needs."""

    url: str
    protocol: str
    origin: str
    """Scheme, host and port as git names them in its questions; empty for a folder."""
    name: str
    """The path without slashes around it and without `.git`."""
    path: Path | None = None
    """The folder, for a repository on this machine."""


def remote_address(url: str) -> Address:
    """Return the address that a URL or an absolute path names.

    Raises InvalidInput for anything but https, http to this machine itself, and folders below LOCAL_REPOSITORIES_DIR;
    also for an IP address or a name of this machine that is not in GIT_INTERNAL_HOSTS.
    """
    require_text(url, field="url")
    if url.startswith("file://"):
        return _below_root(Path(url.removeprefix("file://")), url)
    if url.startswith("/"):
        return _below_root(Path(url), url)
    found = read_web_address(url)
    if found is None or not found.path:
        _refuse(url)
    if why := objection(found, internal_hosts=settings.GIT_INTERNAL_HOSTS):
        _refuse(url, why)
    return Address(
        url=found.url, protocol=found.scheme, origin=found.origin, name=found.path.strip("/").removesuffix(".git")
    )


def local_address(name: str) -> Address:
    """Return the address of a bare repository on this machine by its name below LOCAL_REPOSITORIES_DIR.

    `.git` at the end may be left out. Raises InvalidInput.
    """
    segments = require_text(name, field="repository_name").removesuffix(".git").split("/")
    if len(segments) > DEEPEST_NAME or not all(_is_segment(segment) for segment in segments):
        raise InvalidInput(
            f"{clean(name)[:100]!r} cannot be the name of a repository.",
            field="repository_name",
            expected="parts of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _, such as team/hello.git",
        )
    root = Path(settings.LOCAL_REPOSITORIES_DIR)
    path = root.joinpath(*segments).with_name(f"{segments[-1]}.git")
    for place in (path, *path.parents):
        if place == root:
            break
        if place.is_symlink():
            raise InvalidInput(
                f"{clean(name)[:100]!r} leads through a link.", field="repository_name", hint="Choose another name."
            )
    return Address(url=str(path), protocol="file", origin="", name="/".join(segments), path=path)


@dataclass(frozen=True)
class Site:
    """A host's web address: `origin` as git and browsers name it, and the path below which it lives, if any."""

    origin: str
    prefix: str = ""

    @property
    def host(self) -> str:
        """The host as a person names it."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        """The web address without a slash at the end."""
        return self.origin + self.prefix

    def repository(self, full_name: str) -> Address:
        """Return the address of one of its repositories. Raises InvalidInput."""
        return remote_address(f"{self.url}/{full_name}.git")


def site(*, host: str, base_url: str | None) -> Site:
    """Return the site that a base URL names, which may be the API's; default the public one. Raises InvalidInput."""
    url = canonical_base_url(host=host, base_url=base_url, internal_hosts=settings.GIT_INTERNAL_HOSTS)
    scheme, _, rest = url.partition("://")
    name, slash, path = rest.partition("/")
    return Site(origin=f"{scheme}://{name}", prefix=slash + path)


def valid_branch(branch: str) -> str:
    """Return the branch if its name is safe on every host and means nothing else to git. Raises InvalidInput."""
    parts = require_text(branch, field="branch").split("/")
    harmless = (
        _BRANCH.fullmatch(branch)
        and len(branch) <= LONGEST_BRANCH
        and branch not in _RESERVED
        and not _OBJECT_ID.fullmatch(branch)
        and parts[0] != "refs"
        and not branch.startswith("-")
        and not branch.endswith(".")
        and ".." not in branch
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )
    if not harmless:
        raise InvalidInput(
            f"{clean(branch)[:100]!r} cannot be the name of a branch.",
            field="branch",
            expected="A-Z a-z 0-9 . _ - with single slashes between, such as main or release/1.0",
        )
    return branch


def _below_root(path: Path, shown: str) -> Address:
    root = Path(settings.LOCAL_REPOSITORIES_DIR)
    if not path.is_absolute() or not path.is_relative_to(root) or path == root:
        _refuse(shown, "A folder outside of LOCAL_REPOSITORIES_DIR is not pushed to.")
    return local_address(path.relative_to(root).as_posix())


def _is_segment(segment: str) -> bool:
    lower = segment.lower()
    # A repository inside another's folder would be a way to write to that one's own files.
    return bool(
        _SEGMENT.fullmatch(segment)
        and len(segment) <= LONGEST_NAME
        and not segment.endswith(".")
        and not lower.endswith((".git", ".lock"))
    )


def _refuse(url: str, why: str = "It is not an address of a repository.") -> NoReturn:
    raise InvalidInput(
        f"{clean(url)[:200]!r} cannot be pushed to. {why}",
        field="url",
        expected="https://host/path, without user, password, query or percent signs",
        hint="Give the address that the host shows for cloning by HTTPS, and the token as a credential.",
    )
