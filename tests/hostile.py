"""Attacks: answers that a hostile student might hand in, and what each must come to.

An attack that would take or harm something tries it and tells by its error what worked: "got []" is nothing.
"""

import hashlib
import textwrap
from dataclasses import dataclass, field

from course_utils.classroom.judging import drawn_seed
from course_utils.classroom.records import Release
from course_utils.exercises import EXERCISES, source_of

SEED = 0x2B2_CAFE_F00D_BEEF  # the release's secret
SECRET = Release("1", (), seed=SEED)
CASES = 24  # of cross_correlate2d, named and drawn
STOPPED = "its process ended before it had answered"
CRASHED = "its process crashed"
REACHES = frozenset({"reaches"})


@dataclass(frozen=True)
class Attack:
    """What is handed in, and what the instructor must see of it."""

    name: str
    source: str
    says: str = ""  # stands in the headline or the details
    state: str = "failed"
    flags: frozenset[str] = REACHES
    exercise: str = "cross_correlate2d"
    others: dict[str, str] = field(default_factory=dict)  # other answers of the same student
    earned: float = 0.0  # of 10


RIGHT = """
def cross_correlate2d(image, kernel):
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return torch.einsum("ijuv,uv->ij", windows, kernel)
"""
WRONG = "def cross_correlate2d(image, kernel):\n    return image\n"
SIZE = "def output_size(size, kernel_size, stride, padding, dilation):\n"


SLOW = """except BaseException as error:
    if type(error).__name__ == "TimeLimit":
        got.append("no answer in time")"""


NOT_ON_THE_WAY = (
    "assert [f for f in os.listdir('{0}') if not (sys.prefix + sys.base_prefix).count(os.path.join('{0}', f) + '/')]"
)


def tries(**attempts: str) -> str:
    """An answer cell that makes each attempt when it is executed; one that raises nothing has worked."""
    parts = [WRONG, "import contextlib, ctypes, glob, hashlib, os, resource, signal, sys\ngot = []"]
    for name, statements in attempts.items():
        body = textwrap.indent(textwrap.dedent(statements).strip(), "    ")
        parts.append(f"try:\n{body}\n    got.append('{name}')\n{SLOW}")
    return "\n".join([*parts, "raise RuntimeError(f'got {got}')"])


def body(statements: str) -> str:
    """An answer to cross_correlate2d of these statements."""
    text = textwrap.indent(textwrap.dedent(statements).strip("\n"), "    ")
    return f"def cross_correlate2d(image, kernel):\n{text}\n"


def size(statements: str) -> str:
    return SIZE + textwrap.indent(textwrap.dedent(statements).strip("\n"), "    ") + "\n"


def hashed(number: int) -> str:
    """How an attack knows a number when it meets it, without bringing it along."""
    return hashlib.sha256(str(number).encode()).hexdigest()


# --- To read what it should not -------------------------------------------------------------------------------

WHOLE = """
from __main__ import gone
from course_utils import exercises
from course_utils.exercises.exercise import functions_of
known = [f for e in exercises.EXERCISES.values()
         for f in (e.reference, e.judge, e.fault, *(m.function for m in e.mistakes)) if f is not None]
parts = [part for f in known for part in functions_of(f) or [f]]
parts += [part.__wrapped__ for part in parts if hasattr(part, "__wrapped__")]
assert len(parts) > 500
assert not all(part.__code__.co_code == gone.__code__.co_code for part in parts)
"""
NUMBERS = """
import gc
whole = {p for t in gc.get_objects() for p in gc.get_referents(t) if type(p) is int and p.bit_length() > 40}
known = {hashlib.sha256(str(number).encode()).hexdigest() for number in whole if number < 10**30}
"""
READING = [
    Attack(
        "calls the reference",
        body("""
            from course_utils.exercises import EXERCISES, source_of
            return EXERCISES["cross_correlate2d"].reference(image, kernel)
        """),
        says="this part of the course is not there while an answer is graded",
    ),
    Attack(
        "looks for references, mistakes and blocks in memory",
        tries(
            references=WHOLE,
            by_name="""
                import gc, types
                found = [f for f in gc.get_objects() if isinstance(f, types.FunctionType)]
                assert found and any(f.__name__ == "cross_correlate2d" and "shape" in f.__code__.co_names
                                     for f in found if f is not cross_correlate2d)
            """,
            block="""
                from course_utils import convolution
                convolution.cross_correlate2d(torch.ones(3, 3), torch.ones(2, 2))
            """,
            grader="assert {f'course_utils.classroom.{name}' for name in ('judging', 'grading')} & set(sys.modules)",
        ),
        says="got []",
    ),
    Attack(
        "looks for the course's source",
        tries(
            source="import inspect\nfrom course_utils import convolution\nassert inspect.getsource(convolution.im2col)",
            lines="import linecache\nassert [f for f in linecache.cache if 'exercises/lesson_' in f]",
            beside="import course_utils\nassert os.listdir(os.path.dirname(course_utils.__file__))",
            package="import pkgutil\nassert pkgutil.get_data('course_utils', 'convolution.py')",
            anywhere="assert [d for d in ('*', '*/*', '*/*/*') if glob.glob(f'/{d}/course_utils/*')]",
            lessons="assert [d for d in ('*', '*/*', '*/*/*') if glob.glob(f'/{d}/*lesson_01*')]",
            installed="assert [p for p in sys.path if glob.glob(p + '/course_utils/*.py*')]",
            checkout="assert os.listdir('@ROOT@/course_utils')",
            notebooks="assert os.listdir('@ROOT@/notebooks')",
        ),
        says="got []",
    ),
    Attack(
        "looks for the secret in every object there is",
        tries(
            case_seed=NUMBERS + f"assert '{hashed(drawn_seed(SECRET, 'cross_correlate2d', 0))}' in known",
            secret=f"assert '{hashed(SEED)}' in known",
            grader="""
                frame, kinds = sys._getframe(), set()
                while frame:
                    kinds |= {type(value).__name__ for value in frame.f_locals.values()}
                    frame = frame.f_back
                assert kinds & {"Judge", "Release", "Submission", "Try", "Verdict"}
            """,
        ),
        says="got ['case_seed']",  # which its cases are drawn from, and which tells nothing of the secret
    ),
    Attack(
        "looks for what is expected, up the stack and in memory",
        body("""
            import gc, sys
            if image.shape != (3, 3):
                return None
            right = torch.einsum("ijuv,uv->ij", image.unfold(0, 2, 1).unfold(1, 2, 1), kernel)
            found = [t for t in gc.get_objects() if isinstance(t, torch.Tensor) and t.shape == right.shape]
            frame = sys._getframe()
            while frame:
                found += [v for v in frame.f_locals.values() if isinstance(v, torch.Tensor) and v.shape == right.shape]
                frame = frame.f_back
            raise RuntimeError(f"got {[t for t in found if t is not right and t.allclose(right)]}")
        """),
        says="got []",
    ),
    Attack(
        "looks for files of the grader and the machine",
        tries(
            passwords="open('/etc/shadow')",
            users="open('/etc/passwd')",
            outside="open('@OUTSIDE@/secret.txt')",
            # nothing may be seen there but the way to Python and its packages, if it leads through
            temporary=NOT_ON_THE_WAY.format("/tmp"),
            home=NOT_ON_THE_WAY.format("@HOME@"),
            checkout="open('@ROOT@/README.md')",
            network="open('/etc/resolv.conf')",
            processes="assert os.listdir('/proc')",
            system="assert os.listdir('/sys')",
            memory="open('/dev/mem', 'rb')",
            disks="assert glob.glob('/dev/sd*') + glob.glob('/dev/vd*') + glob.glob('/dev/nvme*')",
            covered="ctypes.CDLL(None).umount2(b'/course', 2) == 0 or 1/0",
            up="assert os.listdir('/scratch/../course')",
        ),
        says="got []",
    ),
    Attack(
        "looks for an environment, arguments and open files",
        tries(
            environment="assert set(os.environ) - {'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'}",
            in_c="""
                libc = ctypes.CDLL(None)
                libc.getenv.restype = ctypes.c_char_p
                assert any(map(libc.getenv, (b"PATH", b"HOME", b"USER", b"PYTHONPATH", b"TMPDIR")))
            """,
            itself="open('/proc/self/environ')",
            first="open('/proc/1/cmdline')",
            files="""
                opened = 0
                for file in range(3, 200):
                    with contextlib.suppress(OSError):
                        os.fstat(file)
                        opened += 1
                assert opened != 1  # the one pipe that outcomes go into
            """,
            reads_the_pipe="[os.read(f, 1) for f in range(3, 200) if isinstance(os.fstat(f), object)]",
        ),
        says="got []",
    ),
]

# --- To leave something behind --------------------------------------------------------------------------------

WRITING = [
    Attack(
        "writes everywhere",
        tries(
            **{
                name: f"open({place!r}, 'w').write('x')"
                for name, place in {
                    "outside": "@OUTSIDE@/marker",
                    "root": "/marker",
                    "temporary": "@TEMPORARY@/vision-course-marker",
                    "home": "@HOME@/vision-course-marker",
                    "course": "/course/course_utils/marker.py",
                    "checkout": "@ROOT@/vision-course-marker",
                    "shared": "/dev/shm/vision-course-marker",
                    "devices": "/dev/vision-course-marker",
                    "processes": "/proc/marker",
                }.items()
            },
            python="open(os.path.dirname(os.__file__) + '/vision_course_marker.py', 'w')",
            packages="open(os.path.dirname(torch.__file__) + '/vision_course_marker.py', 'w')",
            link="os.symlink('@OUTSIDE@', '/scratch/link')\nopen('/scratch/link/marker', 'w')",
            hard_link="os.link(os.__file__, '/scratch/hard')",
            device="os.mknod('/scratch/null', 0o20666, os.makedev(1, 3))",
            program="""
                open("run", "w").write("#!/bin/sh\\ntrue")
                os.chmod("run", 0o4755)
                os.execv("run", ["run"])
            """,
        ),
        says="got []",
    ),
    Attack(
        "fills the disk",
        tries(
            bytes_of_it="""
                total = 0
                with contextlib.suppress(OSError):
                    for number in range(8):
                        with open(f"full{number}", "wb", buffering=0) as file:
                            total += sum(file.write(bytes(2**20)) for _ in range(15))
                assert total > 17 * 2**20
            """,
            files_of_it="""
                for number in range(1000):
                    open(f"many{number}", "w")
            """,
            too_long_a_file="os.truncate(os.open('long', os.O_CREAT | os.O_RDWR), 2**30)",
        ),
        says="got []",
    ),
]

# --- To reach other processes, the network, the kernel --------------------------------------------------------

CALLS = "libc = ctypes.CDLL(None, use_errno=True)\nassert libc."
REACHING = [
    Attack(
        "starts processes and threads",
        tries(
            fork="os.fork() or os._exit(0)",
            fork_in_c=CALLS + "fork() >= 0",
            vfork="assert ctypes.CDLL(None).syscall(58) >= 0",
            bomb="for _ in range(20):\n    os.fork() or os._exit(0)",
            program="import subprocess\nsubprocess.run(['/bin/true'])",
            spawned="os.posix_spawn('/bin/true', ['true'], {})",
            instead="os.execv('/bin/true', ['true'])",
            thread="import _thread\n_thread.start_new_thread(print, ())",
            threads="import threading\nthreading.Thread(target=print).start()",
            pool="import multiprocessing\nmultiprocessing.Pool(2).map(abs, [1])",
            shell="assert os.system('true') == 0",
        ),
        says="got []",
    ),
    Attack(
        "kills and watches processes",
        tries(
            everybody="os.kill(-1, 9)",
            parent="os.kill(os.getppid(), 9)",
            first="os.kill(1, 15)",
            group="os.killpg(os.getpgrp(), 15)",
            itself="signal.raise_signal(15)",
            by_file="signal.pidfd_send_signal(os.pidfd_open(1), 9)",
            sees="assert os.getppid() != 0",
            traces=CALLS + "ptrace(16, 1, 0, 0) == 0",
            traced=CALLS + "ptrace(0, 0, 0, 0) == 0",
            reads=CALLS + "process_vm_readv(1, 0, 0, 0, 0, 0) >= 0",
        ),
        says="got []",
    ),
    Attack(
        "opens connections",
        tries(
            inet="import socket\nsocket.socket()",
            unix="import socket\nsocket.socket(socket.AF_UNIX)",
            claim="import socket\nsocket.socket(socket.AF_UNIX).connect('\\0vision-course-61000')",
            raw="import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
            pair="import socket\nsocket.socketpair()",
            names="import socket\nsocket.getaddrinfo('example.org', 80)",
            page="import urllib.request\nurllib.request.urlopen('http://127.0.0.1:8888')",
            loop="import asyncio\nasyncio.new_event_loop()",
        ),
        says="got []",
    ),
    Attack(
        "takes rights",
        tries(
            root="os.setuid(0)",
            is_root="assert os.getuid() == 0 or os.geteuid() == 0 or os.getgid() == 0",
            groups="os.setgroups([0])",
            capabilities="""
                header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
                assert ctypes.CDLL(None).capget(header, sets) == 0 and any(sets)
            """,
            namespace=CALLS + "unshare(0x10000000) == 0",
            mount=CALLS + "mount(b'none', b'/scratch', b'tmpfs', 0, None) == 0",
            uncover=CALLS + "umount2(b'/proc', 2) == 0",
            root_folder="os.chroot('/scratch')",
            dies_with_nobody=CALLS + "prctl(1, 0, 0, 0, 0) == 0",
            memory="resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
            cpu="resource.setrlimit(resource.RLIMIT_CPU, (4000, 4000))",
            files="resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))",
            nice="os.nice(-5)",
            keys=CALLS + "syscall(250, 0, -1, 0, 0, 0) >= 0",  # keyctl, on x86-64
            memory_file="os.memfd_create('x')",
            shared="assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
        ),
        says="got []",
    ),
]

# --- To wear the grader out -----------------------------------------------------------------------------------

WEARING = [
    Attack(
        "never ends",
        body("while True: pass"),
        says="it did not end within 5 seconds",
        flags=frozenset(),
    ),
    Attack(
        "never ends, and nothing wakes it",
        body("""
            import signal, time
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    continue
        """),
        says="it did not come to an end",
    ),
    Attack(
        "asks for 100 GB",
        body("return torch.empty(25_000_000_000)"),
        says="MemoryError: it asks for more than",
        flags=frozenset(),
    ),
    Attack(
        "asks for little, again and again",
        "kept = []\n" + body("while True: kept.append(bytearray(2**20))"),
        says="",
        flags=frozenset(),
    ),
    Attack(
        "prints a gigabyte",
        body("""
            for _ in range(1000 if image.shape == (3, 3) else 1):
                print("spam " * 200_000)
            return image
        """),
        says="characters in all",
        flags=frozenset(),
    ),
    Attack(
        "gives back a gigabyte",
        body("return torch.zeros(250_000_000 if image.shape == (3, 3) else 1)"),
        says="it gives back tensors of more than 16 MB",
        flags=frozenset(),
    ),
    Attack(
        "gives back one number stretched to ten billion",
        body("return torch.zeros(1, 1).expand(100_000, 100_000)"),
        says="more than",
        flags=frozenset(),
    ),
    Attack(
        "gives back a number of 100,000 digits",
        size("return 10 ** 100_000"),
        says="expected",
        exercise="output_size",
        flags=frozenset(),
    ),
    Attack(
        "gives back a list of itself",
        body("""
            it = []
            it.append(it)
            return it
        """),
        says="lists 20 deep",
        flags=frozenset(),
    ),
    Attack(
        "gives back 210,000 numbers in a list",
        body("return list(range(210_000 if image.shape == (3, 3) else 1))"),
        says="it gives back more than",
        flags=frozenset(),
    ),
    Attack(
        "calls itself without end",
        body("return cross_correlate2d(image, kernel)"),
        says="RecursionError",
        flags=frozenset(),
    ),
]

# --- To end before it is judged -------------------------------------------------------------------------------

COUNTED = "import os, sys\ncalls = []\n"
ENDING = [
    Attack("ends its process when executed", RIGHT + "import os\nos._exit(0)", says=STOPPED),
    Attack(
        "ends its process in the third case",
        RIGHT.replace("cross", "right")
        + COUNTED
        + body("""
            calls.append(1)
            return right_correlate2d(image, kernel) if len(calls) < 3 else os._exit(0)
        """),
        says=STOPPED,
    ),
    Attack("exits", body("raise SystemExit(0)"), says="SystemExit", flags=frozenset()),
    Attack("plays the stop button", body("raise KeyboardInterrupt"), says=STOPPED, flags=frozenset()),
    Attack("crashes Python", "import ctypes\n" + body("ctypes.string_at(0)"), says=CRASHED),
    Attack(
        "works at the exit and in finalizers",
        "import atexit, os\n"
        + "class Last:\n    def __del__(self):\n        write()\n"
        + "def write():\n"
        + "    for f in range(3, 64):\n"
        + "        try: os.write(f, bytes(1000))\n"
        + "        except OSError: pass\n"
        + "last = Last()\natexit.register(write)\n"
        + WRONG,
        says="expected shape",
    ),
    Attack(
        "closes the pipe",
        "import os\nos.closerange(3, 64)\n" + RIGHT,
        says=STOPPED,
    ),
]

# --- To forge what is sent ------------------------------------------------------------------------------------

SENDING = """
import sys, os
from course_utils.classroom import border
from course_utils.exercises.running import Outcome
frame = sys._getframe()
while "send_on" not in frame.f_locals:
    frame = frame.f_back
cases, send_on = frame.f_locals["cases"], frame.f_locals["send_on"]
def forge(case):
    image, kernel = case.arguments
    right = torch.conv2d(image[None, None], kernel[None, None])[0, 0]
    send_on(border.encode(Outcome(value=right, afterwards=[image, kernel]), [image, kernel]))
"""
ALL_FILES = """
import os
def send(data):
    for f in range(3, 64):
        try:
            os.write(f, data)
        except OSError:
            pass
"""
FORGING = [
    Attack(
        "forges every outcome and ends",
        SENDING + "for case in cases:\n    forge(case)\nos._exit(0)\n" + WRONG,
        says="held until a person has looked",
        state="held",
    ),
    Attack(
        "forges every outcome and goes on",
        SENDING + "for case in cases:\n    forge(case)\n" + WRONG,
        says="it sent back more than anybody asked for",
    ),
    Attack(
        "forges a few outcomes and ends",
        SENDING + "for case in cases[:4]:\n    forge(case)\nos._exit(0)\n" + WRONG,
        says=STOPPED,
    ),
    Attack("sends noise", ALL_FILES + "send(bytes(range(256)) * 10)\n" + RIGHT, says=""),
    Attack(
        "sends half a frame", ALL_FILES + "send(b'\\0\\0\\1\\0\\0\\0\\0\\0half')\nos._exit(0)\n" + RIGHT, says=STOPPED
    ),
    Attack(
        "sends what is no outcome",
        ALL_FILES + "send((b'\\0\\0\\0\\2\\0\\0\\0\\1[]x') * 24)\nos._exit(0)\n" + RIGHT,
        says="it sent back something that cannot be read",
    ),
    Attack(
        "sends a verdict of its own",
        ALL_FILES
        + 'text = b\'{"value": null, "error": null, "wrong": null, "passed": true, "earned": 10}\'\n'
        + "send((len(text).to_bytes(4, 'big') + bytes(4) + text) * 24)\nos._exit(0)\n"
        + RIGHT,
        says="it sent back something that cannot be read",
    ),
    Attack(
        "sends a hundred thousand frames",
        ALL_FILES + "send((b'\\0\\0\\0\\2\\0\\0\\0\\0{}') * 100_000)\n" + RIGHT,
        says="it sent back more than anybody asked for",
    ),
    Attack(
        "sends without end",
        ALL_FILES + "while True:\n    send(bytes(2**20))\n" + RIGHT,
        says="it sent back more than anybody asked for",
    ),
]

# --- To claim what is not so ----------------------------------------------------------------------------------

CLAIMING = [
    Attack(
        "an object that equals everything",
        "class Same:\n    def __eq__(self, other): return True\n    def __getattr__(self, name): return Same()\n"
        + body("return Same()"),
        says="expected a tensor, yours is a Same",
        flags=frozenset(),
    ),
    Attack(
        "a tensor that says it is close to everything",
        "class Close(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        return torch.ones((), dtype=torch.bool)\n"
        + body(
            "return torch.zeros(image.shape[0] - kernel.shape[0] + 1, "
            "image.shape[1] - kernel.shape[1] + 1, dtype=image.dtype).as_subclass(Close)"
        ),
        says="expected",
        flags=frozenset(),
    ),
    Attack(
        "a tensor that is computed when nobody looks",
        "class Later(torch.Tensor):\n"
        "    def detach(self): return torch.conv2d(self.image[None, None], self.kernel[None, None])[0, 0]\n"
        "    as_subclass = cpu = clone = contiguous = detach\n"
        + body(
            "it = torch.zeros(image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1, "
            "dtype=image.dtype).as_subclass(Later)\nit.image, it.kernel = image, kernel\nreturn it"
        ),
        says="expected",
        flags=frozenset(),
    ),
    Attack(
        "an answer that is filled in by a finalizer",
        "todo = []\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        out, image, kernel = todo[-1]\n"
        "        out.copy_(torch.conv2d(image[None, None], kernel[None, None])[0, 0])\n"
        + RIGHT.replace("cross", "first")
        + body("""
            right = first_correlate2d(image, kernel)
            out = torch.zeros_like(right) if todo else right
            todo.append((out, image.clone(), kernel.clone()))
            image.late = Late()  # lives until the next case's outcome takes this one's place
            return out
        """),
        says="1 of 4 cases right",
        flags=frozenset(),
    ),
    Attack(
        "a whole number that equals all others",
        "class Int(int):\n    def __eq__(self, other): return True\n    def __int__(self): return 3\n"
        "    __index__ = __abs__ = __int__\n    def __hash__(self): return 0\n" + size("return Int(0)"),
        says="expected 3, yours 0",
        exercise="output_size",
        flags=frozenset(),
    ),
    Attack(
        "a text and a dict that agree",
        "class Text(str):\n    def __eq__(self, other): return True\n"
        "class Dict(dict):\n    def __getitem__(self, name): return Text()\n    def items(self): raise SystemExit\n"
        + body("return Dict(a=Text())"),
        says="expected a tensor, yours is a dict",
        flags=frozenset(),
    ),
    Attack(
        "nan", body("return torch.einsum('ij,kl->jl', image, kernel) * math.nan"), says="expected", flags=frozenset()
    ),
    Attack(
        "nan of the right shape",
        RIGHT.replace("kernel)\n", "kernel) * math.nan\n"),
        says="numbers are nan",
        flags=frozenset(),
    ),
    Attack("infinity", RIGHT.replace("kernel)\n", "kernel) + math.inf\n"), says="expected", flags=frozenset()),
    Attack("a generator", RIGHT.replace("return", "yield"), says="yours is a generator", flags=frozenset()),
    Attack(
        "a sparse tensor",
        RIGHT.replace("kernel)\n", "kernel).to_sparse()\n"),
        says="expected an ordinary tensor",
        flags=frozenset(),
    ),
    Attack("a complex tensor", RIGHT.replace("kernel)\n", "kernel) + 0j\n"), says="expected", flags=frozenset()),
    Attack(
        "a quantized tensor",
        body("return torch.quantize_per_tensor(image.float(), 0.1, 0, torch.quint8)"),
        says="yours is a quantized tensor",
        flags=frozenset(),
    ),
    Attack(
        "a float where a whole number is asked",
        size("return 3.0"),
        says="expected the whole number",
        exercise="output_size",
        flags=frozenset(),
    ),
    Attack(
        "changes what it was given",
        RIGHT.replace("    return", "    result =") + "    image.zero_()\n    return result\n",
        says="it changes image, which was given to it",
        flags=frozenset(),
    ),
]


def by_heart() -> str:
    """The right results of the named cases as every reader has them."""
    exercise = EXERCISES["cross_correlate2d"]
    pairs = [(case.arguments, exercise.reference(*case.arguments)) for case in exercise.named_cases()]
    known = {round(float(image.sum()), 3): result.tolist() for (image, _), result in pairs}
    return f"known = {known}\n" + body("return torch.tensor(known[round(float(image.sum()), 3)], dtype=image.dtype)")


LEARNT = [
    Attack("the named cases by heart", by_heart(), says="KeyError", flags=frozenset()),
    Attack(
        "the named sizes by heart, nothing else",
        size(
            "return {(5, 3, 1, 0, 1): 3, (8, 3, 2, 0, 1): 3, (7, 3, 1, 1, 1): 7, (10, 3, 1, 0, 2): 6}.get("
            "(size, kernel_size, stride, padding, dilation))"
        ),
        says="all 4 named cases right, but",
        exercise="output_size",
        flags=frozenset(),
    ),
    Attack(
        "inputs kept from case to case",
        "seen = []\n" + body("seen.append((image, kernel))\nreturn seen[0][0] * seen[0][1][0, 0]"),
        says="expected",
        flags=frozenset(),
    ),
]

# --- To bend what checks --------------------------------------------------------------------------------------

FORBIDDEN = """
class No:
    def __init__(self, *a): self.called = []
    def __enter__(self): pass
    def __exit__(self, *a): pass
"""
DIRECT = body("return torch.conv2d(image[None, None], kernel[None, None])[0, 0]")
BENDING = [
    Attack(
        "everything is close",
        "import builtins\nyes = lambda *a, **k: torch.tensor(True)\n"
        "torch.isclose = torch.allclose = torch.equal = torch.Tensor.equal = torch.Tensor.__eq__ = yes\n"
        "builtins.all = builtins.isinstance = builtins.abs = lambda *a: True\n" + WRONG,
        says="",
    ),
    Attack(
        "the checker's own functions",
        "from course_utils.exercises import checking, comparing, running\n"
        "checking.wrong_with = comparing.difference = lambda *a: None\n"
        "checking.check_answer = lambda *a: None\n" + WRONG,
        says="expected shape",
    ),
    Attack(
        "what writes outcomes",
        "from course_utils.classroom import border\nborder.encode = lambda *a: b'right'\n" + WRONG,
        says=STOPPED,
    ),
    Attack(
        "what runs it",
        "from course_utils.exercises import running\n"
        "running.run = lambda f, case, *a, **k: running.Outcome(value=torch.conv2d("
        "case.arguments[0][None, None], case.arguments[1][None, None])[0, 0], afterwards=list(case.arguments))\n"
        + WRONG,
        says="held until a person has looked",
        state="held",
    ),
    Attack(
        "what forbids, by the package's attributes",
        FORBIDDEN + "import course_utils\ncourse_utils.exercises.running.Forbidden = No\n" + DIRECT,
        says="held until a person has looked",
        state="held",
    ),
    Attack(
        "what draws the cases",
        "from course_utils.exercises.exercise import Draw\n"
        "Draw.__call__ = lambda self, *shape: torch.zeros(shape)\n"
        + body(
            "return torch.zeros(image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1, "
            "dtype=image.dtype)"
        ),
        says="0 of 4 cases right",
    ),
    Attack(
        "what tries it",
        "from course_utils.exercises import EXERCISES\n"
        "object.__setattr__(EXERCISES['train_one_epoch'], 'trial', lambda *a: {})\n"
        "def train_one_epoch(model, batches, optimizer):\n    return 0.0\n",
        says="cannot be compared",
        exercise="train_one_epoch",
    ),
    Attack(
        "what judges it",
        "from course_utils.exercises import EXERCISES\n"
        "object.__setattr__(EXERCISES['reparameterize'], 'judge', lambda *a: None)\n"
        "def reparameterize(mu, logvar):\n    return mu\n",
        says="",
        exercise="reparameterize",
    ),
    Attack(
        "the words of the judge",
        "from course_utils.exercises import EXERCISES\n"
        "object.__setattr__(EXERCISES['dropout'], 'trial', lambda *a: {'the zeros lie': 'anywhere', "
        "'the share of zeros': 'p', 'numbers that are not 0 are': 'x / (1 - p)', "
        "'at the next call the zeros are': 'drawn anew', 'x afterwards': 'as it was', 'gradients': 'flow'})\n"
        "def dropout(x, p, training):\n    return x * 0\n",
        says="",
        exercise="dropout",
    ),
    Attack(
        "imports, by a hook",
        "import sys\nclass Hook:\n    def find_spec(self, *a): raise SystemExit\nsys.meta_path.insert(0, Hook())\n"
        + WRONG,
    ),
    Attack(
        "another cell does it",
        body("return helper(image[None, None], kernel[None, None])[0, 0]"),
        says="held until a person has looked",
        state="held",
        others={
            "output_size": "import sys\ndef helper(a, b):\n    sys.setprofile(None)\n"
            "    with torch._C.DisableTorchFunction():\n        return torch.conv2d(a, b)\n" + size("return 3")
        },
    ),
]

# --- To call the thing itself ---------------------------------------------------------------------------------

ITSELF = "that is the thing itself"
CALL = "(image[None, None], kernel[None, None])[0, 0]"


def calls(name: str, source: str, says: str = ITSELF, **more: object) -> Attack:
    return Attack(name, source, says, **({"flags": frozenset()} | more))


HELD = {"says": "held until a person has looked", "state": "held", "flags": REACHES}
CALLING = [
    calls("PyTorch's own", DIRECT),
    calls("by another name", "from torch import conv2d as harmless\n" + body(f"return harmless{CALL}")),
    calls("by the functional's name", body(f"return F.conv2d{CALL}")),
    calls(
        "in a layer",
        body(
            "layer = torch.nn.Conv2d(1, 1, kernel.shape, bias=False)\n"
            "layer.weight.data = kernel[None, None]\nreturn layer(image[None, None])[0, 0]"
        ),
    ),
    calls("by a name put together", body(f"return getattr(torch, 'con' + 'v2d'){CALL}"), flags=REACHES),
    calls("by map", body("return [*map(torch.conv2d, [image[None, None]], [kernel[None, None]])][0][0, 0]")),
    calls("by partial", "import functools\n" + body(f"return functools.partial(torch.conv2d, bias=None){CALL}")),
    calls(
        "by exec",
        body(f"space = {{}}\nexec('from torch import conv2d', space)\nreturn space['conv2d']{CALL}"),
        flags=REACHES,
    ),
    calls(
        "and swallows the reproach",
        body(f"try:\n    return torch.conv2d{CALL}\nexcept BaseException:\n    return torch.zeros(2, 2)"),
    ),
    calls("by PyTorch's operators", body(f"return torch.ops.aten.conv2d{CALL}"), **HELD),
    calls("by PyTorch's operators, renamed", "import torch as th\n" + body(f"return th.ops.aten.conv2d{CALL}"), **HELD),
    calls("by PyTorch's operators, handed on", "t = torch\n" + body(f"return [t][0].ops.aten.conv2d{CALL}"), **HELD),
    calls(
        "by a script",
        "def inner(a, b):\n    return torch.conv2d(a, b)\ninner = torch.jit.script(inner)\n"
        + body(f"return inner{CALL}"),
        **HELD,
    ),
    calls(
        "by the general form",
        body(
            "return torch.convolution(image[None, None], kernel[None, None], None, (1, 1), "
            "(0, 0), (1, 1), False, (0, 0), 1)[0, 0]"
        ),
    ),
    calls(
        "by its own gradient",
        "from torch.nn import grad\n"
        + body(
            "shape = 1, 1, image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1\n"
            "return grad.conv2d_weight(image[None, None], shape, kernel[None, None])[0, 0]"
        ),
    ),
    calls("the course's block", body("return convolution.cross_correlate2d(image, kernel)")),
    calls(
        "the course's block, renamed",
        "from course_utils.convolution import conv2d as harmless\n" + body(f"return harmless{CALL}"),
    ),
    calls(
        "SciPy's",
        "import scipy.signal\n"
        + body("return torch.from_numpy(scipy.signal.correlate2d(image.numpy(), kernel.numpy(), mode='valid'))"),
    ),
    calls(
        "by a text that is evaluated",
        "import typing\ndef note(it: \"__import__('sys').setprofile(None) or "
        "__import__('torch')._C.DisableTorchFunction().__enter__()\"): pass\n"
        + body(f"try:\n    typing.get_type_hints(note)\nexcept TypeError:\n    pass\nreturn torch.conv2d{CALL}"),
        **HELD,
    ),
]

FINE = [
    Attack("windows and einsum", RIGHT, "all 4 cases right, and 20 drawn ones", "passed", frozenset(), earned=10.0),
    Attack(
        "F.unfold",
        body(
            "columns = F.unfold(image[None, None], kernel.shape)\n"
            "height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1\n"
            "return (kernel.flatten() @ columns[0]).view(height, width)"
        ),
        "all 4 cases right",
        "passed",
        frozenset(),
        earned=10.0,
    ),
    Attack(
        "the course's own answer, copied",
        source_of(EXERCISES["cross_correlate2d"].reference, "cross_correlate2d").replace("result", "mine"),
        "all 4 cases right",
        "passed",
        frozenset({"twin"}),
        earned=10.0,
    ),
    Attack(
        "a long comment",
        RIGHT + "# and why it is right: \n" * 800,
        "all 4 cases right",
        "passed",
        frozenset(),
        earned=10.0,
    ),
]

ATTACKS = [*READING, *WRITING, *REACHING, *WEARING, *ENDING, *FORGING, *CLAIMING, *LEARNT, *BENDING, *CALLING, *FINE]
ROUGH = [*READING, *WRITING, *REACHING, ENDING[0]]  # for an ordinary user too
