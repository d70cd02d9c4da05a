"""The hub's front door, configurable-http-proxy: ``python -m course_utils.classroom.jupyterhub.proxy`` brings it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "build" / "jupyterhub"
PROXY = FOLDER / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
BRING = "python -m course_utils.classroom.jupyterhub.proxy"
APT = ["apt-get", "install", "-y", "--no-install-recommends", "nodejs", "npm"]


def command() -> list[str]:
    """What starts the proxy."""
    return [shutil.which("node") or "node", str(PROXY)]


def wrong() -> str | None:
    """What keeps the proxy from being started, in a sentence; None if nothing does."""
    return None if shutil.which("node") and PROXY.exists() else f"it has no proxy yet. {BRING} brings it."


def bring() -> bool:
    """See to it that there is a proxy: False where none can be had. Needs a network the first time."""
    if wrong() is None:
        return True
    if not shutil.which("npm") and os.geteuid() == 0 and shutil.which("apt-get"):
        _try(["apt-get", "update"])
        _try(APT)
    if shutil.which("node") and shutil.which("npm"):
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(FOLDER)]
        _try([*install, f"configurable-http-proxy@{_version()}"])
    return wrong() is None


def _version() -> str:
    """The newest that this machine's Node runs: Debian 12 has Node 18."""
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout  # "v20.20.2"
    return "5.2.0" if int(re.search(r"\d+", said)[0]) >= 20 else "4.6.3"


def _try(arguments: list[str]) -> None:
    print("$", *arguments, flush=True)
    subprocess.run(arguments, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, timeout=900)


if __name__ == "__main__":
    sys.exit(None if bring() else "No proxy could be brought. It needs Node, npm and, once, a network.")
