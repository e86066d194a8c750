"""docker-compose.yml as Compose itself reads it; what it is to say is in tests/unit/config/test_containers.py."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from backend.config.environment import ROOT

pytestmark = pytest.mark.smoke


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(autouse=True)
def there() -> None:
    if compose("version").returncode != 0:
        pytest.skip("docker compose is not installed")


def test_compose_reads_the_file_as_we_do() -> None:
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "no warning, of a variable that is not set for example"
    read = json.loads(done.stdout)
    written = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert set(read["services"]) == set(written["services"])
    assert set(read["volumes"]) == set(written["volumes"])
    assert [port["host_ip"] for port in read["services"]["proxy"]["ports"]] == ["127.0.0.1"]
