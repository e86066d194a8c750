"""What a running stack tells Prometheus: every metric of the catalogue is there, and says what has happened."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend.metrics.catalogue import METRICS, Kind
from tests.integration.installation import Installation

pytestmark = pytest.mark.integration
ONLY_WITH_FAULTS = {
    *("repomill_waits_total", "repomill_tasks_parked", "repomill_tasks"),
    *("repomill_quota_left", "repomill_quota_wait_seconds"),
}
"""Shown while work waits, or once a host with limits was asked; the unit tests have them."""
WORKFLOW = """
name: note
steps:
  - id: publish
    type: repo_creation
    config: {host: git, repository_name: note, structure: {a.md: hello}}
  - {id: ask, type: api_call, config: {method: GET, endpoint: "/nothing-here/"}}
"""
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Samples = dict[str, dict[tuple[str, ...], float]]


def refused(url: str) -> int:
    """Return the status of an answer that refuses."""
    with pytest.raises(urllib.error.HTTPError) as caught, DIRECTLY.open(url, timeout=30):
        pass
    with caught.value as answer:
        return answer.code


def scrape(installation: Installation, web_url: str) -> Samples:
    """Ask as Prometheus does, and return by name and labels' values."""
    # The file is made when somebody asks for the first time.
    assert refused(f"{web_url}/metrics") == 401
    token = (installation.data_dir / "secrets" / "metrics_token").read_text().strip()
    request = urllib.request.Request(f"{web_url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with DIRECTLY.open(request, timeout=30) as answer:
        text = answer.read().decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.values()))] = sample.value
    return found


def test_a_running_stack_tells_of_everything(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    installation = Installation(tmp_path_factory.mktemp("mx"))
    try:
        info = installation.start("--no-flower")
        before = scrape(installation, info.web_url)
        assert before["repomill_runs_started_total"][()] == 0
        installation.cli("projects", "create", "shop")
        (tmp_path / "note.yaml").write_text(WORKFLOW)
        installation.cli("run", str(tmp_path / "note.yaml"), "--project", "shop", "--follow", code=1)
        found = scrape(installation, info.web_url)

        for metric in METRICS:
            name = f"{metric.name}_count" if metric.kind is Kind.HISTOGRAM else metric.name
            if metric.name not in ONLY_WITH_FAULTS:
                assert found.get(name), name
        assert found["repomill_runs_started_total"][()] == 1
        assert found["repomill_runs_total"][("failed",)] == 1
        assert found["repomill_steps_total"][("completed", "repo_creation")] == 1
        assert found["repomill_steps_total"][("api_call", "failed")] == 1
        assert found["repomill_attempts_total"][("completed", "generation.generate")] == 1
        assert found["repomill_pushes_total"][("completed", "git")] == 1
        assert found["repomill_generated_files_total"][()] == 1
        assert found["repomill_generated_bytes_total"][()] == 5
        assert found["repomill_runs_in_flight"][()] == 0
        assert found["repomill_broker_up"][()] == 1
        assert set(found["repomill_workers"].values()) >= {1.0}
        assert {queue for (queue,) in found["repomill_queue_oldest_seconds"]} == {
            *("agents", "bulk", "export", "generation", "maintenance")
        }
    finally:
        installation.stop()
