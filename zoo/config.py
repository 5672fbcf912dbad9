"""Configs: files that return a ConfigDict, common keys, command-line overrides, JSON.

A config file defines ``get_config(variant)`` and ``VARIANTS``, the names it takes, default first. It
starts from the defaults of its task (``zoo/tasks/NAME/config.py``), which stand upon ``base()``, the
keys that every experiment has.
"""

import importlib.util
import json
import os
import re
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_dict, config_flags

from zoo.errors import UserError, nearest

# Two ways to say one thing: setting one on the command line clears the other.
_EITHER = [("steps", "epochs"), ("eval_every", "eval_epochs")]
MOST_LAYERS = 100  # more take minutes to make a program of, for nothing
_PATHS = ("path", "start")  # how the names of keys end that are paths
_KEY = re.compile(r"--?config\.([^=]*)")


def base() -> ConfigDict:
    """The keys that every config has, with their defaults."""
    return ConfigDict(
        {
            "name": "",  # of the experiment; that of the config's file when left out
            "variant": "",
            "task": "",  # a folder of zoo/tasks
            # For the results in the README: what it is, and rows of (metric, the best other figure or
            # the metric that holds it, whose that is).
            "about": "",
            "results": (),
            "seed": 0,
            # The folder of a finished run whose parameters training begins with; "" for fresh ones.
            "start": "",
            # Length of training: steps (updates) or epochs (passes over the training part).
            "steps": config_dict.placeholder(int),
            "epochs": config_dict.placeholder(float),
            # The time that training may take: the number of steps follows from the speed of the first
            # ones, and is at most that above. 0: that above alone.
            "minutes": 0.0,
            "batch_size": 64,
            "log_every": 50,
            "eval_every": config_dict.placeholder(int),
            "eval_epochs": config_dict.placeholder(float),
            # Steps between checkpoints; 0 saves at every evaluation. Minutes: in addition, 0 never.
            "checkpoint_every": 0,
            "checkpoint_minutes": 5.0,
            "keep": 2,
            # The metric whose best parameters are kept; "" keeps none and reports the last.
            # With slack, a later evaluation that is worse by at most that share is kept too.
            "best": {"metric": "", "mode": "min", "slack": 0.0},
            # Evaluations without improvement before training stops; 0 never stops early.
            "patience": 0,
            # Time to a goal: reports metrics.seconds_to_target, the first time that metric is at most
            # value, or, with the mode max, at least.
            "target": {"metric": "", "value": 0.0, "mode": "min"},
            "optimizer": {
                "name": "adamw",
                "learning_rate": 1e-3,
                "b1": 0.9,
                "b2": 0.999,
                "weight_decay": 0.0,
                "momentum": 0.0,
                "clip_norm": 1.0,
                # constant, cosine (to final_fraction of the rate), plateau (of the best metric).
                "schedule": "constant",
                "warmup_steps": 0,
                "final_fraction": 0.0,
                "plateau_factor": 0.5,
                "plateau_patience": 2,
                # The average of the parameters that is evaluated, kept and used: "" for none, ema, or
                # asgd: from when the best metric is worse than before the last so many evaluations.
                "average": "",
                "ema_decay": 0.999,
                "average_patience": 5,
            },
            # Devices along each axis; data = -1 takes as many as divide the batch.
            "mesh": {"data": -1, "model": 1},
        }
    )


def load(name: str) -> ConfigDict:
    """The config of ``FILE.py`` or ``FILE.py:VARIANT``.

    Raises UserError for a file that is not there or does not load, and for an unknown variant.
    """
    path, _, variant = name.partition(":")
    file, module = Path(path), _module(path)
    try:
        variants, get_config = module.VARIANTS, module.get_config
        if not variant or variant in variants:
            return _complete(get_config(variant or variants[0]), file, variant or variants[0])
    except UserError:
        raise
    except Exception as error:
        raise _faulty(path, error) from error
    hint = f"did you mean {near!r}? " if (near := nearest(variant, variants)) else ""
    raise UserError(f"--config={name}: no variant {variant!r}; {hint}It has {', '.join(variants)}")


def variants(path: str) -> tuple[str, ...]:
    """The variants of ``FILE.py``, default first. Raises UserError as ``load`` does."""
    module = _module(path)
    if not hasattr(module, "VARIANTS"):
        raise UserError(f"--config={path}: a config defines VARIANTS, the names it takes")
    return tuple(module.VARIANTS)


def _module(path):
    file = Path(path)
    if not file.is_file():
        near = nearest(file.name, [p.name for p in sorted(Path("configs").glob("*.py"))])
        hint = f"; did you mean configs/{near}?" if near else ""
        raise UserError(f"--config={path}: no such file{hint}")
    spec = importlib.util.spec_from_file_location(f"zoo_config_{file.stem}", file)
    if spec is None:
        raise UserError(
            f"--config={path}: a config is a Python file that defines get_config(variant)"
        )
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise _faulty(path, error) from error
    return module


def _faulty(path, error):
    line = str(error).splitlines()[0] if str(error) else ""
    return UserError(f"--config={path}: {type(error).__name__}: {line}")


def _complete(config, file, variant):
    """The config with its name and variant, once it has the keys that every config has."""
    start = f"--config={file}: start from zoo.tasks.NAME.config.defaults()"
    if not isinstance(config, ConfigDict):
        raise UserError(f"{start}: get_config returned {type(config).__name__}, not a ConfigDict")
    own = {"name": file.stem, "variant": variant}
    if lacking := [key for key in base() if key not in config and key not in own]:
        raise UserError(f"{start}: the config lacks {', '.join(lacking)}")
    with config.unlocked():
        for key, value in own.items():
            config[key] = config.get(key) or value
    return config


def override(config: ConfigDict, argv: list[str], values: flags.FlagValues) -> None:
    """Defines --config.key flags in ``values`` for the overrides that stand in ``argv``.

    Raises UserError for a key that the config does not have. The values take effect when ``values``
    parses ``argv``; call ``settle`` then.
    """
    known = flatten(config)
    for arg in argv:
        if not (match := _KEY.match(arg)):
            continue
        key = match[1]
        if group := [k for k in known if k.startswith(key + ".")]:
            raise UserError(f"--config.{key}: a group of keys; set one of {', '.join(group)}")
        if key not in known:
            near = nearest(key, known) or nearest(key.split(".")[-1], known)
            hint = f"did you mean --config.{near}?" if near else f"keys: {', '.join(known)}"
            raise UserError(f"--config.{key}: this config has no key {key!r}; {hint}")
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)


def settle(config: ConfigDict, argv: list[str]) -> None:
    """Clears the other one of each pair of keys of which ``argv`` sets one; ``~/`` in the keys that are
    paths is the home directory."""
    keys = given(argv)
    for one, other in _EITHER:
        if one in keys and other in keys:
            raise UserError(
                f"--config.{one} and --config.{other} say the same thing: set one of them"
            )
        if one in keys:
            config[other] = None
        elif other in keys:
            config[one] = None
    home = os.path.expanduser("~")
    for key, value in flatten(config).items():
        if key.endswith(_PATHS) and isinstance(value, str):  # also a,b and en=a,fr=b
            put(config, {key: re.sub(r"(?<![^,=])~(?=/)", lambda _: home, value)}, set())


def given(argv: list[str]) -> set[str]:
    """The keys that ``argv`` sets."""
    return {match[1] for arg in argv if (match := _KEY.match(arg))}


def put(config: ConfigDict, values: dict, given: set[str]) -> None:
    """Sets keys, such as ``model.hidden``, but not those that were ``given``."""
    for key, value in values.items():
        if key not in given:
            *groups, name = key.split(".")
            group = config
            for part in groups:
                group = group[part]
            group[name] = value


def require(config: ConfigDict, key: str, low: float, high: float | None = None) -> None:
    """Raises UserError unless low <= config.key (<= high, where given). None passes."""
    value = flatten(config)[key]
    if value is None:
        return
    if not (low <= value and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise UserError(f"--config.{key}={value}: must be {bounds}")


def choose(config: ConfigDict, key: str, choices) -> str:
    """config.key, one of ``choices``. Raises UserError with the nearest right name."""
    value = flatten(config)[key]
    if value not in choices:
        near = nearest(str(value), choices)
        hint = f"did you mean {near!r}? " if near else ""
        known = ", ".join(c or repr(c) for c in choices)
        raise UserError(f"--config.{key}={value}: {hint}It can be {known}")
    return value


def to_json(config: ConfigDict) -> str:
    """The whole config as JSON, keys sorted."""
    return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> dict:
    """What ``to_json`` wrote, as a dictionary. Raises ValueError for what is no JSON object."""
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    return record


def overlay(defaults: ConfigDict, record: dict) -> ConfigDict:
    """The values of ``record`` laid over ``defaults``; lists are tuples where the defaults have such.

    Raises ValueError that names the first key whose value is of another type than its default.
    """

    def laid(below, above, prefix=""):
        values = below.to_dict()
        for name, value in above.items():
            if name not in below:
                values[name] = value
            elif isinstance(below[name], ConfigDict) and isinstance(value, dict):
                values[name] = laid(below[name], value, f"{prefix}{name}.")
            else:
                values[name] = _typed(below, name, value, prefix)
        return values

    return ConfigDict(laid(defaults, record))


def _typed(below, name, value, prefix):
    """A value as the default of its key has it. Raises ValueError where it is of another type."""
    kind, default = below.get_type(name), below[name]
    if isinstance(default, tuple):
        value = _tuples(value)
    if isinstance(default, ConfigDict) or not (value is None and default is None):
        numbers = (int, float) if kind is float else kind
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, numbers):
            words = {ConfigDict: "a group of keys", int: "a whole number", float: "a number"}
            words |= {str: "a text", bool: "true or false", tuple: "a list"}
            raise ValueError(
                f"{prefix}{name} is {value!r}, and ought to be {words.get(kind, kind)}"
            )
    return value


def differences(one: ConfigDict, other: ConfigDict) -> list[str]:
    """The keys whose values differ."""
    a, b = flatten(one), flatten(other)
    return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))


def flatten(config: ConfigDict, prefix: str = "") -> dict:
    """key -> value, of all groups, by keys such as ``model.hidden``."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
