"""A program that is kept alive, and works only when it is its turn."""

import json
import os
import subprocess
import time

import machine


# Seconds before a turn.
CALM = 0.2


class Failed(Exception):
    """A program said that something is wrong, or ended."""


class Program:
    """Answers a line by a line of JSON. `about` is what it said first."""

    def __init__(self, command, **environment):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        self.about = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{' '.join(self.command)}: ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def turn(self, *words):
        """The answer, and how many processors others used meanwhile, with `others`."""
        # Threads of the one before spin for a moment after its turn.
        time.sleep(CALM)
        pids = (self.process.pid, os.getpid())
        clocks = lambda: (time.perf_counter(), machine.busy(), *(machine.used(pid) for pid in pids))
        before = clocks()
        answer = self.ask(*words)
        wall, busy, *own = (b - a if a is not None else None for a, b in zip(before, clocks()))
        answer["others"] = None if busy is None else max(0.0, (busy - sum(own)) / wall)
        return answer

    def forget_peak(self):
        machine.forget_peak(self.process.pid)

    def resident_peak(self):
        return machine.resident_peak(self.process.pid)

    def resident(self):
        return machine.resident(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
