"""What every command shares: its own flags, one-line errors, exit codes.

Exit codes: 0 done, 2 a mistake in what was asked or given, or a disk that is full; 130, 143 and 129 stopped
by Ctrl-C, SIGTERM and SIGHUP; 1 a fault of ours (with a traceback).
"""

import errno
import re
import sys
from collections.abc import Callable, Sequence

from absl import flags

from zoo import bounds, interrupt, xla
from zoo.errors import UserError, nearest

# What is wrong with the disk, not with the program.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def fail(message: object) -> int:
    """Prints one line on stderr and returns exit code 2."""
    print("error: " + " ".join(str(message).split()), file=sys.stderr)
    return 2


def note(message: str) -> None:
    """Prints a line that people should know of, on stderr."""
    print(f"note: {message}", file=sys.stderr)


def run(main: Callable[[list[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Runs ``main(argv)``, with the flags that XLA needs, and turns a UserError into one line and exit
    code 2."""
    if argv is None:
        interrupt.prepare()
    try:
        xla.prepare()
        return main(list(sys.argv if argv is None else argv)) or 0
    except (UserError, flags.Error) as error:
        return fail(error)
    except BrokenPipeError:  # the reader of stdout went away: not our fault, nor worth a traceback
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in _DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{error.strerror}; nothing that was saved is lost")


# What a value must be, by absl's names of types.
_MUST = {kind.__name__: words for kind, words in bounds.MUST.items()}


def _wrong(values, message):
    """absl's message on a wrong value, such as "flag --num=x: invalid literal for int()", in our words."""
    if not (match := re.match(r"flag --(\w+)=(.*?): (.*)", message, re.DOTALL)):
        return message
    name, given, why = match.groups()
    kind = values[name].flag_type() if name in values else ""
    if choices := re.search("<(.*)>", why):
        must = "one of " + ", ".join(choices[1].split("|"))
    elif (must := _MUST.get(kind)) is None:
        return message
    return f"--{name}={given}: must be {must}"


def parse(
    values: flags.FlagValues, argv: list[str], about: str, *, positional: bool = False
) -> list[str] | None:
    """Parses ``argv`` (program name first) and returns the positional arguments.

    None when it asked for help, which is then printed. Raises UserError for stray arguments and
    flags.Error for wrong flags.
    """
    if any(arg in ("-h", "-help", "--help") for arg in argv):
        print(about.strip() + "\n\nflags:")
        for name in sorted(values):
            flag = values[name]
            if name == flag.name and not name.startswith("config."):
                default = "" if flag.default in (None, "") else f" (default: {flag.default})"
                print(f"  --{name:<14} {flag.help}{default}")
        return None
    try:
        rest = values(argv)[1:]
    except flags.IllegalFlagValueError as error:
        raise UserError(_wrong(values, str(error))) from None
    except flags.UnrecognizedFlagError as error:
        near = nearest(error.flagname, [name for name in values if not name.startswith("config.")])
        hint = f"did you mean --{near}?" if near else "--help lists them"
        raise UserError(f"--{error.flagname}: no such flag; {hint}") from None
    if rest and not positional:
        raise UserError(f"stray argument {rest[0]!r}: every setting is a flag, --name=value")
    return rest
