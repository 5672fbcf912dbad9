"""Ctrl-C ends a command with one line and exit code 130, from the command's first line of Python on.

Python's own way, a KeyboardInterrupt, is for code that may be left anywhere. Imports of JAX, its compiler
and the threads beside them may not: that ends in tracebacks, in crashes, or in nothing at all. What a
command writes is written whole or not at all, so that its process may simply end.
"""

import os
import signal


def prepare() -> None:
    """From now on Ctrl-C ends the process. A process that ignores it, as in the background, goes on to."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)


def stop(number: int, frame: object, words: str = "stopped") -> None:
    """Ends the process with one line on stderr, and the exit code of a signal: 128 and its number."""
    try:
        # Takes away what a progress bar has drawn, and shows the cursor again.
        clear = "\r\033[2K\033[?25h" if os.isatty(2) else ""
        os.write(2, f"{clear}{words}\n".encode())
    except OSError:  # nobody reads it
        pass
    os._exit(128 + number)
