"""Five generations of one project at once: each has its own files, and all their commits are there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services.generations import generate, package
from backend.apps.projects.services.git_store import GitStore
from tests.integration.trees import archive_tree, files_of, tree_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_five_generations_of_one_project_do_not_disturb_each_other(demo, owner, new_execution):
    base = generate(project=demo, user=owner, execution_id=None, structure={"shared.txt": "0"})

    def work(number: int, execution: UUID) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            asked = {f"f{index}.txt": f"{number} {index}" for index in range(50)}
            arguments = {"project": demo, "user": owner, "execution_id": execution}
            generate(**arguments, structure={"part": asked, "shared.txt": str(number)})
            made = generate(**arguments, readme=f"# {number}")
            return made, package(**arguments, format="zip")
        finally:
            connection.close()

    executions = [new_execution() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(work, range(5), executions))
    store = GitStore.for_project(demo.pk)
    for number, (made, archive) in enumerate(results):
        expected = {f"part/f{index}.txt": f"{number} {index}".encode() for index in range(50)}
        expected |= {"shared.txt": str(number).encode(), "README.md": f"# {number}".encode()}
        assert files_of(tree_of(Path(made["output_directory"]))) == expected
        assert files_of(archive_tree(Path(archive["path"]))) == expected
        with store.tree(made["commit"]) as tree:
            assert {path: data for path, data, _ in tree.contents(list(expected))} == expected
        assert [entry.commit for entry in store.log(made["commit"])][-1] == base["commit"]
        assert ProjectFile.objects.filter(generated_project=made["generation"]).count() == 52
    assert set(GeneratedProject.objects.values_list("status", flat=True)) == {"completed"}
