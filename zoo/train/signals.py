"""SIGTERM and Ctrl-C: training stops after the dispatch at hand, and is saved."""

import signal
import threading


class Stopped(Exception):
    """Training was interrupted by a signal, after saving; ``code`` is the exit code."""

    def __init__(self, step: int, signum: int):
        super().__init__(f"stopped at step {step}, saved; the same command goes on from there")
        self.code = 128 + signum


class Signals:
    """SIGTERM and Ctrl-C end training after the dispatch; a second Ctrl-C ends it at once."""

    def __init__(self):
        self.caught = 0
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def _catch(self, number, frame):
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = number

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
