"""bubblewrap for the tests of grading: the machine's own, or brought here."""

import os
import shutil
import subprocess


def bring() -> bool:
    """See to it that there is a bubblewrap: False where none can be had."""
    if not shutil.which("bwrap") and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "bubblewrap"]):
            print("$", *command, flush=True)
            subprocess.run(command, check=False, env=quiet, timeout=900)
    return shutil.which("bwrap") is not None
