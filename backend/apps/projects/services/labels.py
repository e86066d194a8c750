"""Labels of projects: words that they are grouped by."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import transaction

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectLabel
from backend.apps.projects.selectors import get_project, labels_of
from backend.errors import InvalidInput

LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")


def change_labels(*, user: User, project: Project, add: Sequence[str] = (), remove: Sequence[str] = ()) -> list[str]:
    """Add and remove labels, and return those that the project has then, sorted.

    Raises InvalidInput for what is no label, PermissionRefused where the user may not change the project.
    """
    get_project(user=user, project_id=project.pk, write=True)
    for name in add:
        if not LABEL.fullmatch(name):
            raise InvalidInput(
                f"{name[:100]!r} is no label.", field="label", expected="1 to 50 of a-z 0-9 . _ -, no sign first"
            )
    with transaction.atomic():
        new = (ProjectLabel(project=project, name=name) for name in add)
        ProjectLabel.objects.bulk_create(new, ignore_conflicts=True)
        ProjectLabel.objects.filter(
            project=project, name__in=[name for name in remove if LABEL.fullmatch(name)]
        ).delete()
    return labels_of(project)
