"""Puts into the storage what this host's git stores have and the storage lacks: lost, damaged, or older than it.

Everything that is kept is read and compared; that takes as long as it takes, and is for an operator to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from backend.apps.projects.models import GeneratedProject, StoredPack
from backend.apps.projects.services.commit_sharing import has_name, share
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.pack_storage import is_there, packs_storage
from backend.errors import ConfigurationError


@dataclass
class Care:
    """What was found: commits that were whole, that were put there now, and that neither storage nor host has."""

    whole: int = 0
    put: int = 0
    lost: list[str] = field(default_factory=list)
    """Each with the host that made it, where that is known."""


def put_missing() -> Care:
    """Look at the pack of every commit, and put there those of them that are missing and that this host has.

    Raises ConfigurationError where the hosts share a folder, StorageUnavailable.
    """
    if packs_storage() is None:
        raise ConfigurationError(
            "No storage is set, so there is nothing to put anywhere.",
            field="REPOMILL_STORAGE_URL",
            hint="Set it on every host; docs/guides/scale.md says how.",
        )
    care = Care()
    for row in StoredPack.objects.order_by("pk").iterator():
        store = GitStore.for_project(row.project_id)
        if is_there(row):
            care.whole += 1
        elif has_name(store, row.commit):
            # Made anew it need not have the same bytes; what it holds is the same.
            row.delete()
            share(store, project_id=row.project_id, commit=row.commit, follows=row.follows)
            care.put += 1
        else:
            care.lost.append(f"{row.commit} (made on {row.made_on})")
    for project, commit, parent in _without_a_pack():
        store = GitStore.for_project(project)
        if has_name(store, commit):
            care.put += share(store, project_id=project, commit=commit, follows={parent})
        else:
            care.lost.append(f"{commit} (made on another host, before there was a storage)")
    return care


def _without_a_pack() -> Iterator[tuple[UUID, str, str]]:
    """Yield project, commit and the one before it of generations, the oldest first."""
    recorded = GeneratedProject.objects.exclude(Q(commit="") | Q(status=GeneratedProject.Status.ARCHIVED))
    kept = {(row.project_id, row.commit) for row in StoredPack.objects.only("project_id", "commit")}
    for generation in recorded.order_by("created_at").only("project_id", "commit", "parent_commit"):
        found = (generation.project_id, generation.commit)
        if found not in kept:
            kept.add(found)
            yield *found, generation.parent_commit
