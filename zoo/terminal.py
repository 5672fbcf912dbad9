"""The last line of a terminal: what is going on now. Nothing where stderr is no terminal.

A terminal has one such line, so there is one ``line``, as there is one ``sys.stderr``. What is printed on
stderr while it stands there comes above it.
"""

import sys
import time

_BAR = 30  # characters of a bar, at most


class Line:
    """A line that moves: what is going on, how far it is, and for how long. It fits the width."""

    quiet = False  # True keeps everything from it

    def __init__(self):
        self._live = self._console = None
        self._since, self._text, self._share, self._note = 0.0, "", None, ""

    def show(self, text: str, share: float | None = None, note: str = "") -> None:
        """Puts ``text`` there. ``share``: of it that is done, as a bar; ``note`` stands behind it."""
        if self.quiet or (self._live is None and not sys.stderr.isatty()):
            return
        if text != self._text:
            self._since = time.monotonic()
        self._text, self._share, self._note = text, share, note
        if self._live is not None:
            self._live.refresh()
            return
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            transient=True,
            redirect_stdout=False,  # results do not go to stderr
        )
        self._live.start(refresh=True)

    def clear(self) -> None:
        """Takes the line away; what is shown next stands there again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """Prints a line on stderr for good, above this one."""
        if self._live is not None:
            self._console.print(text, markup=False, highlight=False)
        elif not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @property
    def width(self) -> int | None:
        """Characters that a line of the terminal has; None where it does not stand there."""
        return self._console.width if self._live is not None else None

    def _render(self):
        from rich.text import Text

        console = self._console
        gone = int(time.monotonic() - self._since)
        if self._share is None:
            shown = f"{self._text}…" + (f"  {gone} s" if gone else "")
        else:
            room = console.width - len(self._text) - len(self._note) - 5
            size = min(_BAR, room)
            full = round(size * min(1.0, self._share))
            mark, rest = ("━", "╌") if console.encoding.startswith("utf") else ("=", "-")
            bar = mark * full + rest * (size - full)
            shown = "  ".join(filter(None, (self._text, bar, self._note)))
        return Text(shown, no_wrap=True, overflow="ellipsis")


line = Line()
