"""How the tests in a browser come by one."""

import os
import shutil
import subprocess

import pytest

from tests import __main__ as run
from tests import chromium


@pytest.mark.parametrize(
    ("there", "root", "apt", "works", "expected"),
    [
        ("chromium", True, True, None, []),
        (None, True, True, "apt-get", ["apt-get update", "apt-get install"]),
        (None, True, True, "playwright", ["apt-get update", "apt-get install", "playwright install"]),
        (None, True, False, "playwright", ["playwright install"]),
        (None, False, True, "playwright", ["playwright install"]),
        (None, False, True, None, ["playwright install"]),
    ],
)
def test_chromium_is_taken_or_brought(there, root, apt, works, expected, monkeypatch):
    has, tried = {"chromium": there is not None, "downloaded": False}, []

    def start(command, **_):
        tried.append(" ".join(command[2:4] if "playwright" in command else command[:2]))
        has["chromium"] |= works == "apt-get" and command == chromium.APT
        has["downloaded"] |= works == "playwright" and "playwright" in command

    monkeypatch.setattr(
        shutil,
        "which",
        lambda name: name if (has["chromium"] and name == "chromium") or (apt and name == "apt-get") else None,
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000, raising=False)
    monkeypatch.setattr(subprocess, "run", start)
    monkeypatch.setattr(chromium, "downloaded", lambda: "there" if has["downloaded"] else None)
    assert chromium.bring() is bool(there or works)
    assert tried == expected


@pytest.mark.parametrize(("ci", "failed"), [("true", 1), ("", 0)])
def test_without_chromium_the_run_says_what_is_left_out(ci, failed, monkeypatch, capsys):
    monkeypatch.setenv("CI", ci)
    result = run.left_out(run.Part("browser", "", []), "Chromium")
    assert (result.name, result.failed, result.skipped) == ("browser", failed, 1 - failed)
    assert "'browser' are left out" in capsys.readouterr().out
