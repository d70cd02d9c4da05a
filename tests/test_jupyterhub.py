"""A class of two on a class server: two user ids, two homes, their limits, and nothing left when it ends."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import requests
import websocket
from traitlets.config.loader import PyFileConfigLoader

pytest.importorskip("pwd", reason="a class server runs on Linux")

from course_utils.classroom.jupyterhub import collect, homes, proxy, ready, student
from course_utils.lessons import ROOT, lessons

CONFIG = Path(student.__file__).with_name("jupyterhub_config.py")
PASSWORD = "a-trial-of-letters"
PROCESSES = 150
DAEMONS = "trap '' TERM HUP; setsid sleep 600 & setsid sh -c 'sleep 600 &'"
PATIENCE = 180  # seconds for anything to happen, on cores that are busy with something else

root_on_linux = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0),
    reason="students get user ids of their own, and only root on Linux can give them",
)


def until(condition: Callable[[], object], what: str, log: Path | None = None) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        said = log.read_text()[-3000:] if log and log.exists() else ""
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}\n{said}"
        time.sleep(0.2)


def processes_of(uids: range) -> list[psutil.Process]:
    """What runs under these user ids."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline"]):
        if process.info["uids"] and process.info["uids"].real in uids:
            found.append(process)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can pass through, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="vision-class-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def uids() -> Iterator[range]:
    """User ids that nobody has, and of which nothing is left afterwards, even where a test failed."""
    first = random.randrange(homes.FIRST_UID + 1000, 60_000, 10)
    ids = range(first, first + 10)
    assert not processes_of(ids), "these user ids are in use: run the test again"
    yield ids
    for process in processes_of(ids):
        with suppress(psutil.NoSuchProcess):
            process.kill()


# ---- A student's process, alone


def start(home: Path, uid: int, script: str, **limits: int) -> list[str]:
    """The command that runs a script of the shell as a student."""
    home.mkdir(exist_ok=True)
    os.chown(home, uid, uid)
    (home.parent / "lessons").mkdir(exist_ok=True)
    given = {"uid": uid, "home": home, "lessons": home.parent / "lessons"}
    given |= {"memory": 2**30, "cpu-seconds": 60, "processes": 50} | limits
    options = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return [sys.executable, "-I", "-m", student.__spec__.name, *options, "--", "/bin/sh", "-c", script]


@root_on_linux
def test_a_process_that_uses_up_its_time_is_ended(folder, uids):
    burning = start(folder / "home", uids[0], "while :; do :; done", **{"cpu-seconds": 1})
    assert subprocess.run(burning, timeout=PATIENCE).returncode not in (0, 1)  # ended by a signal


@root_on_linux
def test_what_a_student_left_running_ends_with_the_server(folder, uids):
    left = start(folder / "home", uids[0], f"{DAEMONS}; touch done")
    assert subprocess.run(left, timeout=PATIENCE).returncode == 0
    assert (folder / "home" / "done").exists()
    assert not processes_of(uids)


@root_on_linux
@pytest.mark.parametrize("killed", ["the hub", "a deaf server", "what watches a server"])
def test_no_server_outlives_its_hub(killed, folder, uids):
    deaf = "trap '' TERM; " if killed == "a deaf server" else ""
    server = start(folder / "home", uids[0], f"{deaf}touch ready; exec sleep 600")
    hub = subprocess.Popen(["sh", "-c", '"$@"; true', "sh", *server])  # true, or the shell would become its command
    try:
        until((folder / "home" / "ready").exists, "the student's process")
        keeper = psutil.Process(hub.pid).children()[0]
        {"the hub": hub.kill, "a deaf server": keeper.terminate, "what watches a server": keeper.kill}[killed]()
        until(lambda: not processes_of(uids), "the student's processes to end")
    finally:
        hub.kill()
        hub.wait()


@root_on_linux
def test_root_starts_no_server_as_root(folder):
    refused = subprocess.run(start(folder / "home", 0, "touch done"), capture_output=True, text=True)
    assert refused.returncode == 2
    assert "no server runs as root" in refused.stderr
    assert not (folder / "home" / "done").exists()


# ---- Homes, lessons, collecting


@root_on_linux
def test_a_home_is_its_owners_for_good(folder, uids):
    anna, ben = (homes.give_home(folder / name, uids[0]) for name in ("anna", "ben"))
    assert {anna, ben} == {uids[0], uids[1]}
    assert homes.give_home(folder / "anna", uids[0]) == anna
    for name, uid in (("anna", anna), ("ben", ben)):
        home = (folder / name).stat()
        assert (home.st_uid, home.st_gid, home.st_mode & 0o777) == (uid, uid, 0o700)


@root_on_linux
@pytest.mark.parametrize("whose", ["root's", "a stranger's", "a user's"])
def test_a_home_of_another_is_no_students(whose, folder, uids, monkeypatch):
    owner = {"root's": 0, "a stranger's": uids[0] - 1, "a user's": uids[0]}[whose]
    monkeypatch.setattr(homes, "_is_known", lambda uid: whose == "a user's" and uid == owner)
    (folder / "anna").mkdir()
    os.chown(folder / "anna", owner, owner)
    with pytest.raises(PermissionError, match=f"anna belongs to user id {owner}, which is no student's"):
        homes.give_home(folder / "anna", uids[0])


@root_on_linux
def test_user_ids_of_the_system_are_left_out(folder, uids, monkeypatch):
    monkeypatch.setattr(homes, "_is_known", lambda uid: uid in uids[:2])
    assert homes.give_home(folder / "anna", uids[0]) == uids[2]


def test_lessons_are_handed_out_once_and_signed(tmp_path, monkeypatch):
    from nbformat import read
    from nbformat.sign import NotebookNotary

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    given, mine = tmp_path / "given", tmp_path / "mine"
    given.mkdir()
    shutil.copy(lessons()[0], given / "00.ipynb")
    (given / "release.json").write_text("{}")
    student.hand_out(given, mine)
    assert NotebookNotary().check_signature(read(mine / "00.ipynb", as_version=4))
    (mine / "00.ipynb").write_text("my work")
    (mine / "release.json").unlink()
    (mine / "release.json").symlink_to(tmp_path / "nowhere")
    (given / "01.ipynb").write_bytes((given / "00.ipynb").read_bytes())
    student.hand_out(given, mine)
    assert (mine / "00.ipynb").read_text() == "my work"
    assert (mine / "release.json").is_symlink()
    assert (mine / "01.ipynb").exists()


@root_on_linux
def test_collecting_reads_with_the_rights_of_the_student(folder, uids):
    (folder / "homes").mkdir()
    for name, text in (("anna", "by anna"), ("ben", "by ben")):
        home = folder / "homes" / name
        uid = homes.give_home(home, uids[0])
        (home / "lessons").mkdir()
        (home / "lessons" / "01.ipynb").write_text(text)
        os.chown(home / "lessons" / "01.ipynb", uid, uid)
    secret = folder / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    (folder / "homes" / "ben" / "lessons" / "02.ipynb").symlink_to(folder / "homes" / "anna" / "lessons" / "01.ipynb")
    (folder / "homes" / "ben" / "lessons" / "03.ipynb").symlink_to(secret)
    names = ["01.ipynb", "02.ipynb", "03.ipynb"]
    assert collect.collect(folder, names, folder / "out") == {"anna": 1, "ben": 1}
    assert {path.relative_to(folder / "out").as_posix(): path.read_text() for path in folder.glob("out/*/*")} == {
        "anna/01.ipynb": "by anna",
        "ben/01.ipynb": "by ben",
    }


# ---- What keeps a class from being served


@pytest.mark.parametrize(
    ("root", "password", "students", "sentence"),
    [
        (False, PASSWORD, ["anna"], "only root can give each student a user id of their own."),
        (True, "", ["anna"], "set COURSE_PASSWORD to eight characters or more."),
        (True, "seven77", ["anna"], "set COURSE_PASSWORD to eight characters or more."),
        (True, PASSWORD, [], "set COURSE_STUDENTS to the names of your students, separated by spaces."),
        (True, PASSWORD, ["anna", "../b"], "names are a small letter, then small letters, digits, - and _, not ../b."),
    ],
)
def test_no_class_without(root, password, students, sentence, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    assert ready.wrong(tmp_path / "class", password, students) == sentence
    assert not (tmp_path / "class").exists()


@root_on_linux
def test_no_class_where_students_cannot_get(tmp_path, monkeypatch):
    monkeypatch.setattr(proxy, "wrong", lambda: None)  # it may not have been brought yet
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = ready.wrong(closed / "class", PASSWORD, ["anna"])
    assert said == f"students cannot get to {closed}/class." or "students cannot run" in said


def test_the_hub_does_not_start_without_a_password(monkeypatch):
    monkeypatch.delenv("COURSE_PASSWORD", raising=False)
    with pytest.raises(SystemExit, match="The class server does not start: "):
        PyFileConfigLoader(CONFIG.name, path=str(CONFIG.parent)).load_config()


@pytest.mark.parametrize(
    ("there", "root", "works", "expected"),
    [
        ({"node", "npm", "proxy"}, True, True, []),
        ({"node", "npm", "apt-get"}, True, True, ["npm install"]),
        ({"apt-get"}, True, True, ["apt-get update", "apt-get install", "npm install"]),
        ({"apt-get"}, False, True, []),
        ({"node", "npm"}, False, False, ["npm install"]),
        (set(), True, True, []),
    ],
)
def test_the_proxy_is_taken_or_brought(there, root, works, expected, monkeypatch):
    has, tried = set(there), []

    def run(command, **_):
        tried.append(" ".join(command[:2]))
        if works and command[:2] == ["apt-get", "install"]:
            has.update({"node", "npm"})
        elif works and command[0] == "npm":
            has.add("proxy")

    monkeypatch.setattr(shutil, "which", lambda name: name if name in has else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(proxy, "wrong", lambda: None if {"node", "proxy"} <= has else "no proxy")
    monkeypatch.setattr(proxy, "_version", lambda: "1.0.0")
    monkeypatch.setattr(subprocess, "run", run)
    assert proxy.bring() is ({"node", "proxy"} <= has)
    assert tried == expected


# ---- A class of two


def where_all_can_read(stage: Path) -> list[str]:
    """A command before a command, which then has the course and its Python where every user can read them.

    On a machine where they lie below a folder that only root may enter, as a Python in the home of root does, the
    command sees that folder as an empty one with nothing but them in it. What others see does not change.
    """
    needed = {Path(path).resolve() for path in (sys.base_prefix, sys.prefix, ROOT)}
    closed: dict[Path, list[Path]] = {}
    for path in needed:
        if gate := next((folder for folder in reversed(path.parents) if folder.stat().st_mode & 0o005 != 0o005), None):
            closed.setdefault(gate, []).append(path)
    held = {path: stage / str(number) for number, path in enumerate(needed)}
    script = []
    for gate, paths in closed.items():
        script += [f"mkdir -p '{held[path]}'; mount --bind '{path}' '{held[path]}'" for path in paths]
        script += [f"mount -t tmpfs -o mode=755 tmpfs '{gate}'"]
        script += [f"mkdir -p '{path}'; mount --bind '{held[path]}' '{path}'" for path in paths]
    command = ["setpriv", "--pdeathsig", "TERM"]  # it ends when this test does, however that was
    return [*command, *(["unshare", "--mount", "sh", "-ec", "\n".join([*script, 'exec "$@"']), "sh"] if closed else [])]


def free_ports(count: int) -> list[int]:
    """Ports on the loopback interface that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def class_server(folder: Path, uids: range) -> Iterator[tuple[subprocess.Popen, str]]:
    """A class server for anna and ben, who get the first two lessons: its process and its address."""
    (folder / "class" / "lessons").mkdir(parents=True)
    for lesson in lessons()[:2]:
        shutil.copy(lesson, folder / "class" / "lessons")
    port, hub_port, proxy_port = free_ports(3)
    address, log = f"http://127.0.0.1:{port}", folder / "hub.log"
    options = [
        f"--config={CONFIG}",
        f"--JupyterHub.bind_url={address}",
        f"--JupyterHub.hub_port={hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy_port}",
        f"--StudentSpawner.first_uid={uids[0]}",
        f"--StudentSpawner.processes={PROCESSES}",
    ]
    given = {"COURSE_PASSWORD": PASSWORD, "COURSE_STUDENTS": "anna ben", "COURSE_CLASS": str(folder / "class")}
    with log.open("w") as file:
        hub = subprocess.Popen(
            [*where_all_can_read(folder / "stage"), sys.executable, "-m", "jupyterhub", *options],
            env={**os.environ, **given},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    started = []
    try:
        until(lambda: hub.poll() is not None or "JupyterHub is now running" in log.read_text(), "the hub", log)
        assert hub.poll() is None, log.read_text()
        started = psutil.Process(hub.pid).children(recursive=True)
        yield hub, address
    finally:
        hub.terminate()
        with suppress(subprocess.TimeoutExpired):
            hub.wait(60)
        hub.kill()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Student:
    """Somebody who logs in with a browser's form, starts a server and runs cells in it."""

    def __init__(self, address: str, name: str, password: str = PASSWORD):
        self.address, self.name, self.lab = address, name, ""
        self.browser = requests.Session()
        self.browser.trust_env = False  # no proxy but the hub's
        self.browser.get(f"{address}/hub/login", timeout=PATIENCE)
        form = {"username": name, "password": password, "_xsrf": self.browser.cookies.get("_xsrf", path="/hub/")}
        # the pages that follow start the server
        self.greeted = self.browser.post(f"{address}/hub/login", data=form, timeout=PATIENCE)

    def start(self, homes: Path) -> None:
        """Wait for the server, and start a kernel."""
        xsrf = {"X-XSRFToken": self.browser.cookies.get("_xsrf", path="/hub/")}
        made = self.browser.post(f"{self.address}/hub/api/users/{self.name}/tokens", headers=xsrf, timeout=PATIENCE)
        assert made.status_code == 201, made.text
        self.token = {"Authorization": f"token {made.json()['token']}"}
        me, log = f"/hub/api/users/{self.name}", homes / self.name / ".server.log"
        until(lambda: self.get(me).json()["servers"].get("", {}).get("ready"), f"the server of {self.name}", log)
        url = f"{self.address}/user/{self.name}/api/kernels"
        kernel = requests.post(url, json={"name": "python3"}, headers=self.token, timeout=PATIENCE).json()["id"]
        channels = f"{url}/{kernel}/channels".replace("http:", "ws:")
        self.kernel = websocket.create_connection(
            channels, header=self.token, timeout=PATIENCE, http_no_proxy=["127.0.0.1"]
        )

    def get(self, path: str) -> requests.Response:
        """What the hub or a server answers to the student's token."""
        return requests.get(self.address + path, headers=self.token, timeout=PATIENCE)

    def run(self, code: str) -> str:
        """What a cell prints, and the error it ends with."""
        header = {"msg_id": uuid4().hex, "msg_type": "execute_request", "session": "test", "username": self.name}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header | {"version": "5.4"}, "parent_header": {}, "metadata": {}, "content": content}
        self.kernel.send(json.dumps(message | {"channel": "shell"}))
        said = ""
        while True:
            came = json.loads(self.kernel.recv())
            if came["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if came["msg_type"] == "stream":
                said += came["content"]["text"]
            elif came["msg_type"] == "error":
                said += f"{came['content']['ename']}: {came['content']['evalue']}"
            elif came["msg_type"] == "status" and came["content"]["execution_state"] == "idle":
                return said.strip()


IDENTITY = """
import os, course_utils
no_more = [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")]
print(os.getuid(), os.getgid(), os.getgroups(), os.getcwd(), no_more, course_utils.__file__)
"""
FORKS = """
import subprocess
children = []
try:
    while len(children) < 1000:
        children.append(subprocess.Popen(["sleep", "600"]))
except OSError as error:
    print(type(error).__name__, len(children))
for child in children:
    child.kill()
    child.wait()
"""


def has_a_home(student: Student, home: Path, uid: int) -> None:
    """The student has a user id, a home that is closed to others, the lessons in it, and the course to read."""
    assert student.run(IDENTITY) == f"{uid} {uid} [] {home} ['1'] {ROOT / 'course_utils' / '__init__.py'}"
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (uid, 0o700)
    for lesson in (home.parent.parent / "lessons").iterdir():
        assert (home / "lessons" / lesson.name).read_bytes() == lesson.read_bytes()
    assert student.run("open('lessons/00_start_here.ipynb', 'a').close(); open('new', 'w').close()") == ""
    assert (home / "new").stat().st_mode & 0o777 == 0o600


def keeps_to_themselves(student: Student, other: str, homes: Path) -> None:
    """Neither the course can be written, nor another's home read, nor another's server used."""
    package = ROOT / "course_utils"
    for attempt in (
        f"open({str(package / '__init__.py')!r}, 'a')",
        f"open({str(package / 'new.py')!r}, 'w')",
        f"os.listdir({str(homes / other)!r})",
        f"open({str(homes / other / 'lessons' / '00_start_here.ipynb')!r})",
        f"os.listdir({str(homes)!r})",
        f"os.listdir({str(homes.parent / 'hub')!r})",
    ):
        assert student.run(f"import os; {attempt}").startswith("PermissionError"), attempt
    assert PASSWORD not in student.run("import os; print(os.environ)")
    for name, status in ((student.name, 200), (other, 403)):
        assert student.get(f"/user/{name}/api/status").status_code == status  # with the token
        page = student.browser.get(f"{student.address}/user/{name}/lab", timeout=PATIENCE)  # with cookies
        assert page.status_code == status
        student.lab = student.lab or page.text


def has_the_courses_jupyterlab(student: Student) -> None:
    """JupyterLab asks for no news, and shows no menu for those who grade."""
    url = f"/user/{student.name}/lab/api/settings/@jupyterlab/apputils-extension:notification"
    properties = student.get(url).json()["schema"]["properties"]
    assert [properties[name]["default"] for name in ("fetchNews", "checkForUpdates")] == ["false", False]
    assert re.search(r'"disabledExtensions": \[[^]]*"@jupyter/nbgrader"', student.lab)


def keeps_within_limits(student: Student) -> None:
    """Too much memory and too many processes end in an error that a student can read, and the kernel goes on."""
    assert student.run("from course_utils import data; print(len(data.fashion_mnist()[2].images))") == "10000"
    assert student.run("bytearray(5 * 2**30)").startswith("MemoryError")
    error, children = student.run(FORKS).split()
    assert error == "BlockingIOError"
    assert 50 < int(children) < PROCESSES
    limit = "import resource; print(resource.getrlimit(resource.RLIMIT_CPU))"
    assert student.run(limit) == "(7200, 7200)"
    assert student.run("resource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))").startswith("ValueError")


@root_on_linux
def test_a_class_of_two(folder, uids):
    if not proxy.bring():
        assert os.environ.get("CI") != "true", "no proxy could be brought"
        pytest.skip("configurable-http-proxy is not there, and could not be brought")
    with class_server(folder, uids) as (hub, address), ThreadPoolExecutor(2) as pool:
        assert Student(address, "anna", "another password").greeted.status_code == 403
        assert Student(address, "carl").greeted.status_code == 403  # is not on the list
        anna, ben = pool.map(lambda name: Student(address, name), ("anna", "ben"))
        homes = folder / "class" / "homes"
        list(pool.map(lambda one: one.start(homes), (anna, ben)))
        owners = {name: (homes / name).stat().st_uid for name in ("anna", "ben")}
        assert set(owners.values()) == {uids[0], uids[1]}
        list(pool.map(lambda one: has_a_home(one, homes / one.name, owners[one.name]), (anna, ben)))
        keeps_to_themselves(anna, "ben", homes)
        keeps_to_themselves(ben, "anna", homes)
        has_the_courses_jupyterlab(anna)
        keeps_within_limits(anna)

        everything = [*psutil.Process(hub.pid).children(recursive=True), psutil.Process(hub.pid)]
        listening = [at for one in everything for at in one.net_connections("inet") if at.status == "LISTEN"]
        assert len(listening) > 5
        assert {at.laddr.ip for at in listening} == {"127.0.0.1"}

        ben.run(f"import subprocess; subprocess.run({DAEMONS!r}, shell=True)")
        assert len([one for one in processes_of(uids) if one.info["cmdline"][:1] == ["sleep"]]) == 2
        hub.send_signal(signal.SIGTERM)
        until(lambda: hub.poll() is not None, "the hub to end", folder / "hub.log")
        assert not processes_of(uids)
