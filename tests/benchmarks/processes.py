"""Processor time of groups of processes, from outside: what each part of a system spent, its children with it."""

from collections.abc import Mapping, Sequence

import psutil

Groups = Mapping[str, Sequence[int]]
"""Process ids by the name under which they are shown; children belong to them."""


def spent(groups: Groups) -> dict[str, float]:
    """Seconds of processor time that each group has used since its processes began."""
    return {name: sum(map(_tree, pids)) for name, pids in groups.items()}


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each group used in between, in seconds."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def resident(groups: Groups) -> dict[str, float]:
    """MiB of memory that each group holds; pages that processes share are counted in each."""
    return {name: sum(map(_memory, pids)) / 2**20 for name, pids in groups.items()}


def _tree(pid: int) -> float:
    """Seconds of a process, its children, and those of its children that have ended."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_seconds, family))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _memory(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0
