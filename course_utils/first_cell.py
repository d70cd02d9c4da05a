# Finds course_utils, the course's own package, and brings it where this lesson was opened alone, as on Colab.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ADDRESS = os.environ.get("COURSE_ADDRESS", "https://vision-course.example/course.git")
NEEDED = ["ipycanvas", "ipywidgets", "matplotlib", "platformdirs", "psutil", "safetensors", "tqdm"]
quietly = {"check": True, "capture_output": True, "env": os.environ | {"GIT_TERMINAL_PROMPT": "0"}}
if importlib.util.find_spec("course_utils") is None:
    alone = Path("vision-course").resolve()
    root = next((folder for folder in (alone, *alone.parents) if (folder / "course_utils").is_dir()), alone)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    try:
        if not root.exists():
            subprocess.run(["git", "clone", "--depth=1", ADDRESS, str(root)], **quietly)
        if root == alone and missing:  # the torch that is there stays
            pins = [pin for pin in (root / "requirements.txt").read_text().split() if pin.split("==")[0] in missing]
            subprocess.run([sys.executable, "-m", "pip", "install", *pins], **quietly)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"git and pip could not bring the course from {ADDRESS}. Is there a network? Then run this again.")
    sys.path.insert(0, str(root))
if missing := ", ".join(name for name in ["torch", "torchvision", *NEEDED] if importlib.util.find_spec(name) is None):
    sys.exit(f"{sys.executable} lacks {missing}: Kernel > Change Kernel > Python 3, or pip install -r requirements.txt")
