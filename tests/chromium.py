"""Chromium for the tests in a browser: the machine's own, or brought here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APT = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]


def on_path() -> str | None:
    """Chromium or Chrome as the machine has it; None if it has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def downloaded() -> str | None:
    """Chromium as Playwright downloads it; None if it has not."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def bring() -> bool:
    """See to it that there is a Chromium: False where none can be had."""
    if on_path() or downloaded():
        return True
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        _try(["apt-get", "update"])
        _try(APT)  # where it leaves no command of these names, as on Ubuntu without snap, Playwright has its turn
    if not on_path():
        _try([sys.executable, "-m", "playwright", "install", "chromium"])
    return bool(on_path() or downloaded())


def _try(command: list[str]) -> None:
    print("$", *command, flush=True)
    subprocess.run(command, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, timeout=900)
