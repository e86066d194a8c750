"""Settings of an installation for which GitHub is a server on this machine, whose minutes are shorter than ours.

The limits stay what GitHub publishes; only what a minute, an hour and the second between two writes last is divided.
"""

import os
from dataclasses import replace

from backend.apps.credentials import hosts
from backend.apps.exports import pacing
from backend.config.settings.base import *  # noqa: F403

FASTER = float(os.environ["REPOMILL_TEST_FASTER"])
GITHUB_HERE = os.environ["REPOMILL_TEST_GITHUB"]

hosts.HOSTS["github"] = replace(hosts.GITHUB, base_url=GITHUB_HERE)
pacing.PUBLISHED["github"] = tuple(replace(limit, seconds=limit.seconds / FASTER) for limit in pacing.GITHUB)
pacing.SPACING["github"] /= FASTER
