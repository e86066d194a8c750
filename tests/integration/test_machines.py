"""Several machines: each has folders of its own, and they exchange what they make through an object storage.

Each machine is a network namespace (see `machines.network`), the storage a server of the S3 protocol that checks
signatures, the database PostgreSQL over TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.machines.machines import Machines, machines
from tests.integration.machines.network import Cable
from tests.integration.machines.object_server import ObjectServer
from tests.integration.postgresql import PostgreSQL
from tests.integration.trees import archive_tree, clone, commits, files_of, tree_of

pytestmark = pytest.mark.integration
DEFINITION = """
name: {name}
steps:
  - id: publish
    type: repo_creation
    config:
      host: git
      repository_name: {name}
      structure:
        src: {{one.py: "1\\n", two.py: "2\\n"}}
        bin: {{run: {{content: "#!/bin/sh\\n", executable: true}}}}
        empty: []
      readme: "# {name}\\n"
"""
FILES = {"src/one.py": b"1\n", "src/two.py": b"2\n", "bin/run": b"#!/bin/sh\n"}


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectServer]:
    with ObjectServer() as server:
        yield server


@pytest.fixture(scope="module")
def whole(tmp_path_factory, postgresql: PostgreSQL, storage: ObjectServer) -> Iterator[Machines]:
    def url(cable: Cable) -> str:
        port = cable.offer(("127.0.0.1", storage.port))
        return storage.url(host=cable.address, port=port)

    with machines(tmp_path_factory.mktemp("ms"), postgresql=postgresql, storage_url=url) as made:
        made.start_beat()
        yield made


def definition(tmp_path: Path, name: str) -> Path:
    file = tmp_path / f"{name}.yaml"
    file.write_text(DEFINITION.format(name=name))
    return file


def delivered(whole: Machines, shown: dict[str, Any], tmp_path: Path) -> tuple[dict[str, Any], Path]:
    assert shown["status"] == "completed", shown
    result = shown["steps"][0]["result"]
    return result, clone(result["clone_url"], tmp_path / "clone")


def test_one_machine_generates_and_another_packages_and_pushes(whole: Machines, storage: ObjectServer, tmp_path: Path):
    generating = whole.add("generating", "generation,maintenance")
    pushing = whole.add("pushing", "export")
    try:
        shown = whole.ended(whole.run(definition(tmp_path, "parted")))
        result, cloned = delivered(whole, shown, tmp_path)
        content = tree_of(cloned, directories=False)
        assert content == FILES | {"README.md": b"# parted\n"}
        assert commits(cloned) == [result["commit"]]
        key = f"archives/{result['archive']['path']}"
        packed = tmp_path / Path(key).name
        packed.write_bytes(storage.read(key))
        assert files_of(archive_tree(packed)) == content
        # Each has but what it did itself.
        assert len(list((generating.folder / "generated-projects").glob("*-*"))) == 1
        assert not list((pushing.folder / "generated-projects").glob("*-*"))
        assert len(list((pushing.folder / "git-stores").glob("*.git"))) == 1
        assert not list(Path(whole.here.data_dir).glob("git-stores/*"))
        # The machine with the web process has it too when it is asked.
        assert "src/one.py" in whole.here.cli("projects", "diff", "parted")
        secret = storage.secret
        assert secret not in generating.log() + pushing.log()
    finally:
        whole.stop_machines()


@pytest.mark.parametrize("point", ["SHARED", "PUSHED"])
def test_a_machine_that_is_cut_off_in_the_middle_is_replaced_and_disturbs_nobody(
    whole: Machines, storage: ObjectServer, tmp_path: Path, point: str
):
    name = f"cut-{point.lower().replace('_', '-')}"
    lost = whole.add("lost", "generation,export,agents,maintenance")
    lost.hold(point)
    run = whole.run(definition(tmp_path, name))
    try:
        whole.here.wait_until(lost.held, patience=30, what="the machine's reaching the place")
        lost.cable.cut()
        whole.add("other", "generation,export,agents,maintenance")
        shown = whole.ended(run)
        result, cloned = delivered(whole, shown, tmp_path)
        before = storage.objects()
        said = len(lost.log())
        lost.let_go()
        lost.cable.mend()
        whole.here.wait_until(lambda: "Task " in lost.log()[said:], patience=60, what="the lost machine's word")
        # It goes on where it was, and finds that it has been overtaken.
        again = whole.ended(whole.run(definition(tmp_path, f"{name}-after"), project=name))
        assert again["status"] == "completed"
    finally:
        whole.stop_machines()
    assert commits(cloned) == [result["commit"]]
    assert commits(clone(result["clone_url"], tmp_path / "again")) == [result["commit"]]
    after = again["steps"][0]["result"]
    assert commits(clone(after["clone_url"], tmp_path / "after")) == [after["commit"], result["commit"]]
    generation = result["generation"]["generation"]
    assert [key for key in before if key.startswith(f"archives/{generation}/")] == [
        key for key in storage.objects() if key.startswith(f"archives/{generation}/")
    ]
    counted = whole.rows(f"SELECT count(*) FROM projects_archive WHERE generated_project_id = '{generation}'")
    assert counted == [(1,)]


def test_what_is_missing_in_the_storage_is_told_and_nothing_is_packaged(
    whole: Machines, storage: ObjectServer, tmp_path: Path
):
    generating = whole.add("generating", "generation,maintenance")
    try:
        generating.hold("WRITTEN_BACK")
        run = whole.run(definition(tmp_path, "damaged"))
        whole.here.wait_until(generating.held, patience=30, what="a generation")
        (digest, commit) = whole.rows("SELECT digest, commit FROM projects_storedpack ORDER BY id DESC LIMIT 1")[0]
        (key,) = [key for key in storage.objects("packs/") if digest in key]
        whole_pack = storage.read(key)
        storage.write(key, whole_pack[:-20] + b"x" * 20)
        generating.stop()
        whole.add("other", "generation,export,maintenance")
        shown = whole.ended(run)
        assert shown["status"] == "failed"
        error = shown["steps"][0]["error"]
        assert error["code"] == "content_missing"
        assert digest[:12] in error["message"]
        assert "repomill storage put" in error["hint"]
        storage.write(key, whole_pack)
        whole.here.cli("resume", run)
        result, cloned = delivered(whole, whole.ended(run), tmp_path)
        assert commits(cloned) == [result["commit"]] == [commit]
    finally:
        whole.stop_machines()
