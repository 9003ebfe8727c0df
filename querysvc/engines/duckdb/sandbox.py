"""The operating system's part of containment: what a worker process gives up before it works.

Each layer can be switched off alone, so that tests prove each one by itself; each reports whether
the kernel offers it and whether it holds, for `querysvc doctor`.

    environment        no variables, standard streams on /dev/null
    descriptors        only the control socket stays open
    no_new_privileges  exec can never raise privileges; the two below need it
    resource_limits    no core dumps, few descriptors, bounded file size
    landlock           no path but the scratch directory (read, write) and the libraries (read)
    seccomp            no sockets, no exec, no fork, no ptrace, no mount, no signals to others
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from querysvc.engines.duckdb import _seccomp

LAYERS: Final = (
    "environment",
    "descriptors",
    "no_new_privileges",
    "resource_limits",
    "landlock",
    "seccomp",
)

OPEN_FILES_MAX: Final = 512

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446
_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

# Rights by the ABI that brought them (linux/landlock.h).
_READ_FILE: Final = 1 << 2
_READ_DIRECTORY: Final = 1 << 3
_READ: Final = _READ_FILE | _READ_DIRECTORY
_EXECUTE: Final = 1 << 0
_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK_RIGHTS: Final = {4: 0b11}
_SCOPES: Final = {6: 0b11}
_DEVICE_IOCTL: Final = 1 << 15
_DEVICES: Final = 0b0000_1000_0100_0000  # MAKE_CHAR, MAKE_BLOCK

# DuckDB looks its cgroup's limits up when an instance opens, and aborts where it may not read them
# (1.5.5: FileExists, then a null handle is dereferenced).
_ENGINE_PATHS: Final = ("/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup")

_CONTROLLERS: Final = Path("/sys/fs/cgroup/cgroup.controllers")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of containment: does the kernel offer it, and does it hold in the workers."""

    name: str
    is_available: bool
    is_applied: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """What a worker keeps: its scratch directory, one descriptor; and the layers to apply."""

    scratch: str
    kept_descriptor: int
    layers: frozenset[str] = frozenset(LAYERS)
    file_bytes_max: int = 64 << 30


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


def enter(settings: SandboxSettings) -> tuple[Layer, ...]:
    """Apply the chosen layers to this single-threaded process, for good; report each."""
    os.chdir(settings.scratch)
    return tuple(_apply(name, settings) for name in LAYERS)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    abi = int(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))
    return max(abi, 0)


def memory_layer() -> Layer:
    """How workers' memory is held: it asks nothing of the kernel that could lack."""
    try:
        has_cgroup = "memory" in _CONTROLLERS.read_text().split()
    except OSError:
        has_cgroup = False
    lack = "" if has_cgroup else "; the kernel offers no cgroup v2 memory controller here"
    return Layer("memory", True, True, f"address space (RLIMIT_DATA) and samples{lack}")


def _apply(name: str, settings: SandboxSettings) -> Layer:
    if name not in settings.layers:
        return Layer(name, is_available=True, is_applied=False, detail="switched off")
    try:
        detail = _APPLIERS[name](settings)
    except OSError as error:
        return Layer(name, is_available=False, is_applied=False, detail=str(error))
    return Layer(name, is_available=True, is_applied=True, detail=detail)


def _clear_environment(_settings: SandboxSettings) -> str:
    os.environ.clear()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
    return "empty"


def _close_descriptors(settings: SandboxSettings) -> str:
    kept = settings.kept_descriptor
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return "control socket only"


def _refuse_privileges(_settings: SandboxSettings) -> str:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    return "set, not dumpable"


def _limit_resources(settings: SandboxSettings) -> str:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES_MAX,
        resource.RLIMIT_FSIZE: settings.file_bytes_max,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
    return f"core 0, files {OPEN_FILES_MAX}, file size {settings.file_bytes_max >> 20} MiB"


def _restrict_paths(settings: SandboxSettings) -> str:
    abi = landlock_abi()
    if abi < 1:
        raise OSError("the kernel offers no Landlock")
    rights = _union(_FILE_RIGHTS, abi)
    ruleset = _Ruleset(rights, _union(_NETWORK_RIGHTS, abi), _union(_SCOPES, abi))
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    fd = _syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    try:
        _allow(fd, settings.scratch, rights & ~(_EXECUTE | _DEVICES | _DEVICE_IOCTL))
        for library in _library_paths():
            _allow(fd, library, _READ)
        for path in filter(os.path.exists, _ENGINE_PATHS):
            _allow(fd, path, _READ_FILE)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _syscall(_LANDLOCK_RESTRICT_SELF, fd, 0)
    finally:
        os.close(fd)
    return f"ABI {abi}"


def _restrict_calls(_settings: SandboxSettings) -> str:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return _seccomp.install()


_APPLIERS: Final[dict[str, Callable[[SandboxSettings], str]]] = {
    "environment": _clear_environment,
    "descriptors": _close_descriptors,
    "no_new_privileges": _refuse_privileges,
    "resource_limits": _limit_resources,
    "landlock": _restrict_paths,
    "seccomp": _restrict_calls,
}


def _library_paths() -> tuple[str, ...]:
    """Where Python may import lazily from: libraries only, never a directory with data in it."""
    own = Path(__file__).resolve().parents[2]
    candidates = {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(own),
        str(own.parent / "catalog" / "querysvc_catalog"),
        "/usr/share/zoneinfo",
        *(path for path in sys.path if path.endswith("lib-dynload")),
    }
    return tuple(sorted(path for path in candidates if path and os.path.isdir(path)))


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights, fd)
        _syscall(_LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(fd)


def _union(by_abi: dict[int, int], abi: int) -> int:
    result = 0
    for since, rights in by_abi.items():
        if abi >= since:
            result |= rights
    return result


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
