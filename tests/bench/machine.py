"""What the machine does, and what processes take of it. From /proc; without it figures are None."""

import os
import platform
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def _text(path):
    try:
        return (PROC / path).read_text()
    except OSError:
        return None


def _kib(path, key):
    """Bytes that a line `key: n kB` speaks of."""
    for line in (_text(path) or "").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def busy():
    """Seconds that all processors together have worked, and that a hypervisor took from them."""
    text = _text("stat")
    if text is None:
        return None
    ticks = [int(count) for count in text.split("\n", 1)[0].split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / TICKS


def used(pid):
    """Seconds that the threads of a process have worked."""
    text = _text(f"{pid}/stat")
    if text is None:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid):
    """Bytes of memory that a process holds."""
    return _kib(f"{pid}/status", "VmRSS")


def resident_peak(pid):
    """The most that it held at once since `forget_peak`."""
    return _kib(f"{pid}/status", "VmHWM")


def forget_peak(pid):
    """What is held now is the most."""
    try:
        (PROC / str(pid) / "clear_refs").write_text("5")
    except OSError:
        pass  # the peak is then that since the process began


def available():
    """Bytes of memory that are to be had."""
    return _kib("meminfo", "MemAvailable")


def name():
    """The processor, and how many of it there are."""
    models = [line for line in (_text("cpuinfo") or "").splitlines() if line.startswith("model name")]
    model = models[0].split(":", 1)[1].strip() if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} x {model}"
