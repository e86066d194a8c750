"""What passes through the broker during a run: ids and readable lines, and nothing of the work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.installation import Installation
from tests.integration.watching import Monitor, decoded

pytestmark = pytest.mark.integration

CANARY = "canary-7f3c"
JWT = re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+\.")

WORKFLOW = f"""\
name: watched
inputs: {{type: object, required: [project], properties: {{project: {{type: string}}}}}}
steps:
  - id: story
    type: api_call
    config:
      method: POST
      endpoint: "/projects/${{{{ inputs.project }}}}/stories/"
      data: {{title: "{CANARY}-title"}}
  - id: publish
    type: repo_creation
    config:
      host: git
      repository_name: watched
      structure: {{"{CANARY}-name.py": "{CANARY}-content"}}
"""


def test_the_broker_sees_no_structure_no_content_and_no_token(running: Installation, tmp_path: Path):
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    monitor = Monitor(running.data_dir / "redis.sock")
    shown = running.json("run", str(tmp_path / "w.yaml"), "--project", "demo", "--follow")
    monitor.close()

    assert shown["status"] == "completed"
    assert shown["steps"][0]["result"]["title"] == f"{CANARY}-title"
    for step in shown["steps"]:
        for task in step["tasks"]:
            assert task["id"].encode() in monitor.seen
    everything = monitor.seen + decoded(monitor.seen)
    assert b'"chain": [{"task":' in everything, "the bodies were not decoded"
    assert CANARY.encode() not in everything
    assert not JWT.search(everything)
    for secret in (running.data_dir / "secrets").iterdir():
        assert secret.read_bytes().strip() not in everything


def test_no_process_shows_a_secret_in_its_command_line_or_environment(running: Installation):
    secrets = [path.read_bytes().strip() for path in (running.data_dir / "secrets").iterdir()]
    looked_at = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(running.data_dir).encode() in seen:
                looked_at += 1
                assert not any(secret in seen for secret in secrets)
                assert not JWT.search(seen)
    assert looked_at > 6


def test_the_processes_logs_hold_no_secret_and_no_content(running: Installation):
    logs = b"".join(path.read_bytes() for path in (running.data_dir / "log").iterdir() if path.is_file())
    assert b"agents.call" in logs
    assert CANARY.encode() not in logs
    assert not JWT.search(logs)
    for secret in (running.data_dir / "secrets").iterdir():
        assert secret.read_bytes().strip() not in logs
