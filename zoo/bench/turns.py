"""What is compared in one process: turns of each, one after the other."""

import sys
import time

import jax
from absl import flags

from zoo.errors import UserError


def define_rounds(values: flags.FlagValues) -> None:
    flags.DEFINE_integer(
        "rounds", 3, "turns of each, after one that is not timed", flag_values=values
    )


def at_least(values: flags.FlagValues, least: dict[str, int]) -> None:
    """Raises UserError for a flag below its least value."""
    for name, low in least.items():
        if values[name].value < low:
            raise UserError(f"--{name}={values[name].value}: must be at least {low}")


def entry(turns: dict, rounds: int, amount: int, unit: str) -> dict:
    """What is measured of contestants that each do an amount of work in a turn."""
    seconds = in_turns(turns, rounds)
    return {
        "platform": jax.default_backend(),
        "amount": amount,
        "unit": unit,
        "seconds": [[name, [round(s, 4) for s in each]] for name, each in seconds.items()],
    }


def in_turns(contestants: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of each contestant, one after the other, after a round that compiles."""
    seconds = {name: [] for name in contestants}
    for round_ in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if round_:
                seconds[name].append(time.perf_counter() - began)
            print(f"{name}: round {round_} of {rounds}", file=sys.stderr)
    return seconds
