"""The workers' system-call filter: a BPF program for seccomp, built and installed with ctypes.

What is denied fails with EPERM, so that a library that only asks goes on. `clone` passes for
threads alone; `clone3` hides its flags from a filter, so it answers ENOSYS and glibc takes `clone`.
Calls newer than this table answer ENOSYS too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

# linux/bpf_common.h and linux/filter.h
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_HAS_BITS: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000
_CLONE_THREAD: Final = 0x0001_0000

# struct seccomp_data: nr, arch, instruction pointer, six arguments.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_FIRST_ARGUMENT: Final = 16

_DENIED: Final = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53,
        "accept4": 288, "sendmmsg": 307, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424, "process_madvise": 440,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
        "mount_setattr": 442, "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298,
        "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "keyctl": 250, "add_key": 248, "request_key": 249, "init_module": 175,
        "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
        "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "personality": 135, "syslog": 103,
        "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "settimeofday": 164,
        "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "setuid": 105, "setgid": 106,
        "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117, "setresgid": 119,
        "capset": 126, "mknod": 133, "mknodat": 259, "chown": 92, "fchown": 93, "lchown": 94,
        "fchownat": 260, "tkill": 200, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
        "shmget": 29, "shmat": 30, "shmctl": 31, "msgget": 68, "semget": 64, "mq_open": 240,
        "inotify_init1": 294, "fanotify_init": 300, "lookup_dcookie": 212, "vhangup": 153,
        "seccomp": 317,
    },
    "aarch64": {
        "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202,
        "connect": 203, "accept4": 242, "sendmmsg": 269, "execve": 221, "execveat": 281,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424, "process_madvise": 440,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
        "mount_setattr": 442, "unshare": 97, "setns": 268, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "keyctl": 219, "add_key": 217, "request_key": 218, "init_module": 105,
        "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294,
        "reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60,
        "name_to_handle_at": 264, "open_by_handle_at": 265, "personality": 92, "syslog": 116,
        "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "clock_settime": 112,
        "adjtimex": 171, "clock_adjtime": 266, "setuid": 146, "setgid": 144, "setreuid": 145,
        "setregid": 143, "setgroups": 159, "setresuid": 147, "setresgid": 149, "capset": 91,
        "mknodat": 33, "fchown": 55, "fchownat": 54, "tkill": 130, "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240, "shmget": 194, "shmat": 196, "shmctl": 195, "msgget": 186,
        "semget": 190, "mq_open": 180, "inotify_init1": 26, "fanotify_init": 262,
        "lookup_dcookie": 18, "vhangup": 58, "seccomp": 277,
    },
}  # fmt: skip
_CONDITIONAL: Final = {
    "x86_64": {"clone": 56, "clone3": 435, "kill": 62, "tgkill": 234, "prlimit64": 302},
    "aarch64": {"clone": 220, "clone3": 435, "kill": 129, "tgkill": 131, "prlimit64": 261},
}
_AUDIT_ARCHITECTURE: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_NEWEST_KNOWN: Final = 462  # mseal

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install() -> str:
    """Put the filter on this process for good; raises OSError where the kernel has none."""
    machine = platform.machine()
    if machine not in _DENIED:
        raise OSError(errno.ENOSYS, f"no system-call table for {machine}")
    code = _assemble(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return f"{len(_DENIED[machine])} calls denied"


def _assemble(machine: str, pid: int) -> bytes:
    conditional = _CONDITIONAL[machine]
    eperm, enosys = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _AUDIT_ARCHITECTURE[machine], when_true=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        # Also the x32 calls, which carry bit 30.
        _step(_AT_LEAST, _NEWEST_KNOWN + 1, when_false=1),
        _step(_RETURN, enosys),
    ]
    for number in sorted(_DENIED[machine].values()):
        code += [_step(_EQUAL, number, when_false=1), _step(_RETURN, eperm)]
    code += [_step(_EQUAL, conditional["clone3"], when_false=1), _step(_RETURN, enosys)]
    code += [
        _step(_EQUAL, conditional["clone"], when_false=4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_HAS_BITS, _CLONE_THREAD, when_false=1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, eperm),
    ]
    for name, allowed in (("kill", (pid,)), ("tgkill", (pid,)), ("prlimit64", (0, pid))):
        code += _only_first_argument(conditional[name], allowed, eperm)
    code.append(_step(_RETURN, _ALLOW))
    return b"".join(code)


def _only_first_argument(number: int, allowed: tuple[int, ...], denied: int) -> list[bytes]:
    tests = [
        _step(_EQUAL, value, when_true=len(allowed) - index) for index, value in enumerate(allowed)
    ]
    body = [_step(_LOAD, _FIRST_ARGUMENT), *tests, _step(_RETURN, denied), _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, when_false=len(body)), *body]


def _step(operation: int, value: int, *, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, when_true, when_false, value)
