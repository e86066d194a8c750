"""What our image weighs: each host that runs it fetches and stores it."""

from __future__ import annotations

import pytest
from docker import DockerClient

from tests.smoke.containers import image

pytestmark = pytest.mark.smoke
LARGEST = 250_000_000


def test_one_small_image_for_all_roles(docker_client: DockerClient) -> None:
    assert docker_client.images.get(image("REPOMILL")).attrs["Size"] < LARGEST
