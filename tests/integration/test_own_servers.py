"""The main job on a PostgreSQL and a Redis of one's own, in place of the embedded parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli.stack.broker import EmbeddedBroker
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import PostgreSQL
from tests.integration.trees import clone, commits

pytestmark = pytest.mark.integration

EXAMPLE = str(ROOT / "examples" / "publish-service" / "workflow.yaml")


def test_redis_url_and_database_url_replace_the_embedded_parts(tmp_path: Path, postgresql: PostgreSQL):
    (tmp_path / "broker").mkdir()
    with EmbeddedBroker(tmp_path / "broker") as broker:
        database_url = postgresql.create_database()
        installation = Installation(tmp_path / "d", DATABASE_URL=database_url, REDIS_URL=broker.url)
        installation.start("--no-flower")
        try:
            installation.cli("projects", "create", "demo")
            shown = installation.json("run", EXAMPLE, "--project", "demo", "--input", "name=on-postgres", "--follow")
            engine = installation.django("from django.db import connection\nanswer = connection.vendor")
        finally:
            installation.stop()
    assert engine == "postgresql"
    assert shown["status"] == "completed"
    result = shown["steps"][2]["result"]
    assert commits(clone(result["clone_url"], tmp_path / "clone")) == [result["commit"]]
    assert not (installation.data_dir / "repomill.sqlite3").exists()
    assert not (installation.data_dir / "redis.sock").exists()
