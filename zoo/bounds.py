"""What numbers may be, of flags and of config keys, and the sentence for one that is out of its bounds."""

from collections.abc import Mapping

from absl import flags

from zoo.errors import UserError

COUNT = 2**31 - 1  # the largest whole number that is counted with on a device, int32
SEED = 2**32 - 1  # the largest seed: JAX takes 32 bits of it
# Of models: beyond these no machine has the memory, and no compiler the time.
WIDEST, DEEPEST, MEMBERS = 65_536, 100, 10_000
PRECISIONS = ("float32", "bfloat16")  # of products
WEIGHT = 1e6  # of a part of a loss: with more nothing else counts
_WIDE = (
    100  # an upper bound from here on is there for the machine, and not told who is below the lower
)


# What a value of a type must be.
MUST = {int: "a whole number, such as 100", float: "a number, such as 0.5", bool: "True or False"}


def within(name: str, value: float, low: float, high: float = COUNT) -> None:
    """Raises UserError, which names the flag ``name``, unless low <= value <= high."""
    if not low <= value <= high:
        if high < _WIDE:
            bounds = f"from {low} to {high}"
        else:
            bounds = f"at most {high}" if value > high else f"at least {low}"
        raise UserError(f"--{name}={value}: must be {bounds}")


def flag(values: flags.FlagValues, name: str, low: float, high: float = COUNT) -> None:
    """The same of a flag of a command; one that was not given passes."""
    if (value := values[name].value) is not None:
        within(name, value, low, high)


_WRITING = {
    "length": (1, 10_000_000),
    "num": (1, 10_000),
    "top_k": (0, COUNT),
    "temperature": (0, 1000),
    "seed": (0, SEED),
}


def writing(settings: Mapping[str, float]) -> None:
    """Raises UserError for a setting of how text is written, such as top_k, that is out of range."""
    for name, limits in _WRITING.items():
        if name in settings:
            within(name, settings[name], *limits)
    if 0 < (temperature := settings.get("temperature", 1)) < 0.001:
        raise UserError(f"--temperature={temperature}: must be 0, or at least 0.001")
    if not 0 < (top_p := settings.get("top_p", 1)) <= 1:
        raise UserError(f"--top_p={top_p}: must be more than 0 and at most 1")
