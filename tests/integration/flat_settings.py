"""Settings of an installation whose API is another one: of the flat layout, described elsewhere, without keys."""

from backend.config.settings.base import *  # noqa: F403

OPENAPI_PATH = "/docs/openapi.json"
AGENT_API_LAYOUT = "flat"
