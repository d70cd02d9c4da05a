"""Shut a process in: namespaces of its own, no rights, bounded means, no way to start or reach another process.

Called in a process that was just forked, by root or by an ordinary user, inside bubblewrap's read-only file system.
The layers do not rely on each other: where one is passed, the next holds.
"""

import ctypes
import os
import resource
import signal
import struct

import pyseccomp

from ..exercises import running

CLONE = {"NS": 0x20000, "IPC": 0x8000000, "USER": 0x10000000, "PID": 0x20000000, "NET": 0x40000000, "UTS": 0x4000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 1, 38, 24
CAPABILITIES_3 = 0x20080522

CPU_SECONDS = 40
FILE_BYTES = 16 * 2**20
SCRATCH = f"size={FILE_BYTES},nr_inodes=256,mode=1777"
OPEN_FILES = 64
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# What would start, reach or watch another process, change what the process may see, or hold memory outside its bounds.
REFUSED = (
    "fork vfork clone clone3 execve execveat kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open "
    "pidfd_send_signal pidfd_getfd ptrace process_vm_readv process_vm_writev process_madvise kcmp "
    "socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmsg "
    "mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr "
    "bpf perf_event_open userfaultfd io_uring_setup keyctl add_key request_key syslog "
    "shmget shmat msgget semget mq_open memfd_create memfd_secret prctl seccomp personality "
    "setuid setgid setreuid setregid setresuid setresgid setgroups setns capset "
    "init_module finit_module delete_module kexec_load reboot swapon swapoff sethostname setdomainname "
    "open_by_handle_at name_to_handle_at fanotify_init inotify_init inotify_init1 quotactl acct "
)

libc = ctypes.CDLL(None, use_errno=True)


def confine(uid: int | None, scratch: str, covered: list[str]) -> None:
    """Go on as the first process of namespaces of its own, in an empty scratch folder, with next to no rights.

    Args:
        uid: the user to become, where the caller is root; None for an ordinary user, who stays who they are.
        scratch: a folder to work in; what is written there is gone at the end.
        covered: folders that become empty.
    """
    flags = sum(CLONE.values()) if uid is None else sum(CLONE.values()) - CLONE["USER"]
    outside = os.getuid(), os.getgid()
    memory = _memory_now() + running.MEMORY
    _call("unshare", flags)
    if uid is None:
        _map_to_itself(*outside)
    _go_on_as_first_process()
    for folder in covered:
        _mount_empty(folder, MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    _mount_empty(scratch, 0, SCRATCH)
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update(ONE_THREAD)  # SciPy's algebra would start some when it is imported, which is refused
    _bound_means(memory)
    _drop_rights(uid)
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    refuse_calls()


def close_all_but(kept: int) -> None:
    """Close every file but the one that is kept, and leave nothing to read from or print to."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)


def write_all(file: int, data: bytes) -> None:
    """Write data to a file, which may be a pipe, until everything is in it."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def refuse_calls() -> None:
    """A filter that the kernel applies to every system call from here on, and that nothing can take off again."""
    refused = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in dict.fromkeys(REFUSED.split()):
        try:
            number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
        except ValueError:
            continue  # not on this processor
        if number >= 0:
            refused.add_rule(pyseccomp.ERRNO(1), number)  # EPERM
    refused.load()


def _call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount_empty(folder: str, flags: int, options: str) -> None:
    flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC
    _call("mount", b"none", folder.encode(), b"tmpfs", flags, options.encode())


def _map_to_itself(uid: int, gid: int) -> None:
    for file, text in (("uid_map", f"{uid} {uid} 1"), ("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{file}", "w") as written:
            written.write(text)


def _go_on_as_first_process() -> None:
    """Fork: only a child is inside the new process namespace. The parent waits, and ends as the child has ended."""
    child = os.fork()
    if child == 0:
        return
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _, status = os.waitpid(child, 0)
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)


def _memory_now() -> int:
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[0]) * resource.getpagesize()


def _bound_means(memory: int) -> None:
    for what, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, 8),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (bound, bound))


def _drop_rights(uid: int | None) -> None:
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # those the kernel does not know are refused
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", CAPABILITIES_3, 0)
    _call("capset", header, bytes(24))
