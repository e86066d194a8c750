"""What git is started with: its path, its variables and the settings that have the last word.

It starts nothing itself: `git_process` does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from backend.errors import ConfigurationError

# A place below which nothing can exist, so that no .netrc, .gitconfig or .ssh of anybody is read.
NO_HOME = "/dev/null"

# Where a machine says which authorities it trusts; a private one must go on working, and none of these can run code.
CERTIFICATE_VARIABLES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")

# Given on the command line because that has the last word over every configuration file.
HARDENING = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=",
    "credential.helper=",
    "credential.useHttpPath=false",
    "http.followRedirects=false",
    "http.proxy=",
    "http.sslVerify=true",
    "http.emptyAuth=false",
    "http.cookieFile=",
    "http.saveCookies=false",
    # A connection that carries fewer than 1,000 bytes a second for half a minute is a dead one.
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "init.templateDir=",
    "submodule.recurse=false",
    "push.recurseSubmodules=no",
    "push.gpgSign=false",
    "push.followTags=false",
    "transfer.bundleURI=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "protocol.allow=never",
)


@cache
def executable() -> str:
    """Return the absolute path of git.

    Raises ConfigurationError when there is none.
    """
    found = shutil.which("git")
    if found is None:
        raise ConfigurationError(
            "The program `git` is not on this machine's PATH.", hint="Install git 2.39.5 or later.", field="PATH"
        )
    return str(Path(found).resolve())


def environment(*, protocols: Sequence[str] = (), extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that git runs with; of this process's own only PATH and the places of trusted certificates.

    protocols: the transports that git may use (`file`, `http`, `https`); none by default.
    extra: further variables of the caller, such as an askpass program. Never a secret.
    """
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        # Git's words are read by `hosts.outcomes`: they have to be English.
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": NO_HOME,
        "XDG_CONFIG_HOME": NO_HOME,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    variables |= {name: os.environ[name] for name in CERTIFICATE_VARIABLES if os.environ.get(name)}
    # Git asks its own variable only; the common one serves a machine that sets nothing else.
    if "SSL_CERT_FILE" in variables:
        variables.setdefault("GIT_SSL_CAINFO", variables["SSL_CERT_FILE"])
    return variables | dict(extra or {})


def command_line(*arguments: str, git_dir: Path | None, options: Sequence[str] = ()) -> list[str]:
    """Return the whole argument list of a call: git, the hardening, `options` (as `name=value`), then the arguments."""
    line = [executable()]
    for option in (*HARDENING, *options):
        line += ["-c", option]
    if git_dir is not None:
        line.append(f"--git-dir={git_dir}")
    return [*line, *arguments]
