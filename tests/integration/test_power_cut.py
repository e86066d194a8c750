"""`kill -9` of the whole stack in the middle of queued work."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import NewDatabase
from tests.integration.trees import archive_tree, clone, commits, files_of, tree_of

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

RUNS = 10
EXAMPLE = ROOT / "examples" / "publish-service" / "workflow.yaml"

START = f"""
from pathlib import Path
from backend.apps.authentication.models import User
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.definitions.check import read_definition_file
from backend.apps.workflows.services import save_definition, start_execution

user = User.objects.get(username="operator")
version = save_definition(read_definition_file(Path({str(EXAMPLE)!r})))
answer = []
for number in range({RUNS}):
    project = create_project(user=user, name=f"Project {{number}}")
    inputs = {{"project": str(project.pk), "name": f"service-{{number}}"}}
    answer.append(str(start_execution(
        version=version, inputs=inputs, user=user, project_id=project.pk, project_name=project.slug
    ).pk))
"""

COUNT = """
from backend.apps.projects.models import Archive, GeneratedProject, Story
from backend.apps.exports.models import RepositoryExport
answer = {
    "stories": sorted(Story.objects.values_list("title", flat=True)),
    "archives": Archive.objects.count(),
    "generations": sorted(GeneratedProject.objects.values_list("status", flat=True)),
    "exports": sorted(RepositoryExport.objects.values_list("repository_name", "status")),
}
"""

STANDING = """
from collections import Counter
from backend.apps.workflows.models import WorkflowExecution, TaskExecution
answer = {
    "runs": Counter(WorkflowExecution.objects.values_list("status", flat=True)),
    "tasks": Counter(TaskExecution.objects.values_list("status", flat=True)),
}
"""


def test_ten_queued_runs_survive_and_each_effect_happens_once(tmp_path: Path, new_database: NewDatabase):
    installation = Installation(tmp_path / "d", REPOMILL_WORKER_CONCURRENCY="1", **new_database())
    try:
        installation.start("--no-flower")
        ids = installation.django(START)
        installation.kill()
        before = installation.django(STANDING)
        assert before["runs"].get("running", 0) > 0, "everything was done before the power went; nothing was shown"

        installation.start("--no-flower")
        installation.wait_until(
            lambda: installation.django(STANDING)["runs"] == {"completed": RUNS},
            patience=180,
            what="ten completed runs",
        )
        counted = installation.django(COUNT)
        shown = [installation.show(each) for each in ids]
    finally:
        installation.stop()

    assert counted["stories"] == [f"Publish service-{number}" for number in range(RUNS)]
    assert counted["archives"] == RUNS
    assert counted["generations"] == ["completed"] * RUNS
    assert counted["exports"] == [[f"service-{number}", "completed"] for number in range(RUNS)]
    for number, execution in enumerate(shown):
        result = execution["steps"][2]["result"]
        cloned = clone(result["clone_url"], tmp_path / f"clone-{number}")
        assert commits(cloned) == [result["commit"]]
        generated = tree_of(Path(result["generation"]["output_directory"]))
        assert tree_of(cloned, directories=False) == files_of(generated)
        assert archive_tree(Path(result["archive"]["path"])) == generated
    stores = list((installation.data_dir / "git-stores").glob("*.git"))
    assert len(stores) == RUNS
    for store in stores:
        listed = subprocess.run(
            ["git", f"--git-dir={store}", "rev-list", "--all", "--count"], capture_output=True, text=True, check=True
        )
        assert listed.stdout.strip() == "1", json.dumps(counted)
