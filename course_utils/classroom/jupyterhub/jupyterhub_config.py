"""The course for a class. README.md beside this file says how to start it, and what to change for real use.

What is yours comes from the environment, so that no password stands in a file:

    COURSE_PASSWORD  what every student types, eight characters or more
    COURSE_STUDENTS  their names, separated by spaces
    COURSE_CLASS     the folder for their homes and for the hub's own records; made if it is not there
"""

import os
import sys
from pathlib import Path

from course_utils.classroom.jupyterhub import homes, proxy, ready, spawner

c = get_config()  # noqa: F821, as JupyterHub puts it here

classroom = Path(os.environ.get("COURSE_CLASS", "/srv/vision-course")).absolute()
password = os.environ.get("COURSE_PASSWORD", "")
students = os.environ.get("COURSE_STUDENTS", "").split()
if wrong := ready.wrong(classroom, password, students):
    sys.exit(f"The class server does not start: {wrong}")

# -- who may come in

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = password
c.Authenticator.username_pattern = homes.NAME.pattern
c.Authenticator.allowed_users = set(students)
c.Authenticator.allow_existing_users = False  # whoever leaves the list is out, though the hub knows them

# -- a server for each, which sees to one student's limits (see student.py)

c.JupyterHub.spawner_class = spawner.StudentSpawner
c.StudentSpawner.classroom = str(classroom)
c.StudentSpawner.mem_limit = "4G"  # for each process: a lesson takes up to 1.8
c.StudentSpawner.cpu_seconds = 2 * 3600  # for each process, then it is ended
c.StudentSpawner.processes = 500  # of one student together; each thread counts
c.StudentSpawner.start_timeout = c.StudentSpawner.http_timeout = 180  # seconds: a whole class starts at once
c.StudentSpawner.default_url = "/lab/tree/lessons"
c.StudentSpawner.disable_user_config = True  # nobody's settings decide who gets into a server
c.StudentSpawner.environment = {"JUPYTER_PREFER_ENV_PATH": "1"}  # the course's kernel, not one from the home
c.StudentSpawner.args = [
    f"--LabApp.app_settings_dir={Path(spawner.__file__).parent / 'lab'}",
    "--KernelManager.transport_encryption=required",  # or what cells print could be heard by all on this machine
    "--ServerApp.tornado_settings={'websocket_max_message_size': 67108864}",  # bytes: a photograph passes
    "--MappingKernelManager.cull_idle_timeout=3600",  # seconds: a kernel that nobody looks at gives its memory back
    "--ServerApp.shutdown_no_activity_timeout=3600",
]

# -- the hub itself: on this machine only, and all it knows in a folder that only root can read

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.cleanup_servers = True  # no server outlives the hub
c.JupyterHub.db_url = f"sqlite:///{classroom / 'hub' / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(classroom / "hub" / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(classroom / "hub" / "proxy.pid")
c.ConfigurableHTTPProxy.command = proxy.command()
