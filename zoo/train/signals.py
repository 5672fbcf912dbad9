"""SIGTERM, SIGHUP and Ctrl-C: training stops after the dispatch at hand, and is saved."""

import signal
import threading

from zoo import interrupt


class Stopped(Exception):
    """Training was interrupted by a signal, after saving; ``code`` is the exit code."""

    def __init__(self, step: int, signum: int):
        super().__init__(f"stopped at step {step}, saved; the same command goes on from there")
        self.code = 128 + signum


class Signals:
    """SIGTERM, SIGHUP and Ctrl-C end training after the dispatch; a second Ctrl-C ends it at once."""

    def __init__(self):
        self.caught = 0
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                # nohup tells a process to ignore the end of its terminal.
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._catch)
        return self

    def _catch(self, number, frame):
        if number != signal.SIGINT or not self.caught:
            self.caught = number
        elif self._before[number] is interrupt.stop:
            words = "stopped at once; the same command goes on from the last checkpoint"
            interrupt.stop(number, frame, words)
        else:
            raise KeyboardInterrupt

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
