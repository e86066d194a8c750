"""How a repository is recognised as this project's own: by a mark in its description, or by a record in the git store.

The mark is written in the very request that makes the repository, so that there is no moment at which the one exists
without the other, and is taken away when the repository is complete. It is a keyed hash of project, host and name:
nobody without this installation's key can make one, and one that is copied to another repository means nothing there.

The record is a reference in the project's git store, named after the host's own id of the repository: one that was
deleted and made anew under the same name is another.
"""

from __future__ import annotations

import base64
import hashlib
import re

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.pack_storage import is_noted, note

_SALT = "repomill.repository.mark"
_MARK = re.compile(r"\[repomill:([a-z2-7]{26})\]")


def marked_description(*, project_id: str, origin: str, full_name: str) -> str:
    """Return the description that a repository has from its making until it is complete."""
    return (
        f"Repomill is filling this repository. [repomill:{_mark(project_id, origin, full_name, settings.SECRET_KEY)}]"
    )


def is_marked(description: str, *, project_id: str, origin: str, full_name: str) -> bool:
    """Return whether a description has the mark of this project and this repository."""
    found = _MARK.search(description)
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return found is not None and any(
        constant_time_compare(found[1], _mark(project_id, origin, full_name, key)) for key in keys
    )


def record(store: GitStore, *, origin: str, identity: str, commit: str) -> None:
    """Note in the store, and for the other hosts, that this repository has this commit of the project."""
    run("update-ref", _reference(origin, identity), commit, git_dir=store.path)
    if store.project_id is not None:
        note(_name(origin, identity), project_id=store.project_id)


def is_recorded(store: GitStore, *, origin: str, identity: str) -> bool:
    """Return whether this project was delivered to this very repository before, by whatever host."""
    if (
        store.exists()
        and run("for-each-ref", "--count=1", "--", _reference(origin, identity), git_dir=store.path).output
    ):
        return True
    return store.project_id is not None and is_noted(_name(origin, identity), project_id=store.project_id)


def _mark(project_id: str, origin: str, full_name: str, key: str | bytes) -> str:
    told = "\n".join((project_id, origin, full_name.casefold()))
    digest = salted_hmac(_SALT, told, secret=key, algorithm="sha256").digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def _reference(origin: str, identity: str) -> str:
    return f"refs/deliveries/{_name(origin, identity)}"


def _name(origin: str, identity: str) -> str:
    return hashlib.sha256(f"{origin} {identity}".encode()).hexdigest()[:40]
