"""What the tests of the command line share."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli.stack.settings import StackSettings
from backend.config.environment import Environment, read


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """The environment of an installation in a temporary folder."""
    short = replace(read({"REDIS_URL": "redis://unused"}), data_dir=tmp_path)
    return replace(short, redis_url=f"redis+socket://{tmp_path}/redis.sock?virtual_host=0")


@pytest.fixture
def settings(environment: Environment) -> StackSettings:
    """The settings of a stack with Flower."""
    return StackSettings(environment=environment, web_port=8123, flower_port=5123)
