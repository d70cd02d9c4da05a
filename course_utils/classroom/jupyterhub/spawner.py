"""A server for each student, under a user id of their own. The hub runs as root, by which alone it can be started."""

import sys
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Integer, Unicode

from .homes import FIRST_UID, give_home

ROOT = Path(__file__).resolve().parents[3]


class StudentSpawner(LocalProcessSpawner):
    """Starts the server of one student by way of ``student.py``, which becomes that student and sets the limits.

    Students are no users of the system: what they have is a home and a user id.
    """

    classroom = Unicode(help="The folder that holds homes/.").tag(config=True)
    first_uid = Integer(FIRST_UID, help="Where user ids begin. Two hubs on one machine need two.").tag(config=True)
    cpu_seconds = Integer(help="Processor time that one process may use, in seconds.").tag(config=True)
    processes = Integer(help="Processes and threads that one student may have.").tag(config=True)

    @property
    def home(self) -> Path:
        """The student's folder."""
        return Path(self.classroom, "homes", self.user.name)

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """The environment ``env`` with the student's name and home in it."""
        return {**env, "HOME": str(self.home), "USER": self.user.name, "SHELL": "/bin/bash"}

    def make_preexec_fn(self, name: str) -> None:
        """Nothing, for any name: student.py stays root until it has started the server."""

    async def start(self) -> tuple[str, int]:
        """Start the server; returns its address and port."""
        handed_out = Path(self.classroom, "lessons")
        self.cmd = [
            *(sys.executable, "-I", "-m", "course_utils.classroom.jupyterhub.student"),
            *("--uid", str(give_home(self.home, self.first_uid))),
            *("--home", str(self.home)),
            *("--lessons", str(handed_out if handed_out.is_dir() else ROOT / "notebooks")),
            *("--memory", str(self.mem_limit)),
            *("--cpu-seconds", str(self.cpu_seconds)),
            *("--processes", str(self.processes)),
            *("--", str(Path(sys.executable).with_name("jupyterhub-singleuser"))),
        ]
        return await super().start()
