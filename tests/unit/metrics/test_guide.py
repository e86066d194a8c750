"""The operators' guide names every metric, and none that there is not."""

import re

from backend.config.environment import ROOT
from backend.metrics.catalogue import BY_NAME

GUIDE = ROOT / "docs" / "guides" / "operators.md"


def test_the_guide_tells_of_every_metric() -> None:
    named = set(re.findall(r"`(repomill_[a-z_]+?)(?:\{[a-z,]*\})?`", GUIDE.read_text()))
    assert named == set(BY_NAME)


def test_its_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"\]\(([^)]+\.png)\)", GUIDE.read_text())
    assert len(pictures) == 4
    for picture in pictures:
        assert (GUIDE.parent / picture).stat().st_size < 150_000
