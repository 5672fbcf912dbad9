"""Configs: files that return a ConfigDict, common keys, command-line overrides, JSON.

A config file defines ``get_config(variant)`` and ``VARIANTS``, the names it takes, default first. It
starts from the defaults of its task (``zoo/tasks/NAME/config.py``), which stand upon ``base()``, the
keys that every experiment has.
"""

import ast
import importlib.util
import json
import math
import os
import re
import site
import sysconfig
import traceback
from contextlib import contextmanager
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_dict, config_flags

from zoo import bounds
from zoo.errors import UserError, nearest

# Two ways to say one thing: setting one on the command line clears the other.
_EITHER = [("steps", "epochs"), ("eval_every", "eval_epochs")]
# What a command line cannot change: the other keys depend on it.
_OF_THE_FILE = ("task", "results")
_PATHS = ("path", "start")  # how the names of keys end that are paths
_KEY = re.compile(r"--?(no)?config\.([^=]*)")
_PARSERS = {int: flags.IntegerParser(), float: flags.FloatParser(), bool: flags.BooleanParser()}


def base() -> ConfigDict:
    """The keys that every config has, with their defaults. The comment of a key is its line in --help."""
    return ConfigDict(
        {
            "name": "",  # of the experiment; that of the config's file when left out
            "variant": "",
            "task": "",  # a folder of zoo/tasks
            # For the results in the README: what it is, and rows of (metric, the best other figure or
            # the metric that holds it, whose that is).
            "about": "",
            "results": (),
            "seed": 0,  # of everything that is random
            "start": "",  # folder of a finished run to begin with; '' for fresh parameters
            "steps": config_dict.placeholder(int),  # length of training in updates, or
            "epochs": config_dict.placeholder(float),  # in passes over the training part
            # time that training may take: the steps follow from the speed of the first ones, and are at
            # most those above; 0 for those alone
            "minutes": 0.0,
            "batch_size": 64,  # examples of one update
            "log_every": 50,  # steps between lines of metrics.jsonl
            "eval_every": config_dict.placeholder(int),  # steps between evaluations, or
            "eval_epochs": config_dict.placeholder(float),  # passes between them
            "checkpoint_every": 0,  # steps between checkpoints; 0: one at every evaluation
            "checkpoint_minutes": 5.0,  # and one after so many minutes; 0: never
            "keep": 2,  # checkpoints that are kept, the newest ones
            "best": {
                "metric": "",  # whose best parameters are kept; '' keeps none and reports the last
                "mode": "min",  # min or max: what is better
                "slack": 0.0,  # a later evaluation that is worse by at most this share is kept too
            },
            "patience": 0,  # evaluations without improvement before training stops; 0 never stops early
            "target": {
                "metric": "",  # whose first time at the goal is reported, as seconds_to_target
                "value": 0.0,  # the goal
                "mode": "min",  # min: at most that value; max: at least
            },
            "optimizer": {
                "name": "adamw",  # adam, adamw, rmsprop, sgd
                "learning_rate": 1e-3,  # size of a step
                "b1": 0.9,  # decay of the mean of gradients (adam, adamw)
                "b2": 0.999,  # decay of the mean of squares (adam, adamw)
                "weight_decay": 0.0,  # of matrices (adamw)
                "momentum": 0.0,  # of rmsprop and sgd
                "clip_norm": 1.0,  # the norm that a gradient may have; 0 for any
                "schedule": "constant",  # constant, cosine (to final_fraction of the rate), plateau
                "warmup_steps": 0,  # in which the rate rises from 0
                "final_fraction": 0.0,  # of the rate, where a cosine ends
                "plateau_factor": 0.5,  # times the rate, after evaluations without gain
                "plateau_patience": 2,  # how many evaluations that are
                # of the parameters, which is evaluated, kept and used: '' for none, ema, or asgd: from when
                # the best metric is worse than before the last average_patience evaluations
                "average": "",
                "ema_decay": 0.999,  # how much of the average stays at a step
                "average_patience": 5,  # of asgd, as above
            },
            "mesh": {
                "data": -1,  # devices that share a batch; -1 for as many as divide it
                "model": 1,  # devices that share the weights
            },
        }
    )


def load(name: str) -> ConfigDict:
    """The config of ``FILE.py`` or ``FILE.py:VARIANT``.

    Raises UserError for a file that is not there or does not load, and for an unknown variant.
    """
    path, _, variant = name.partition(":")
    module = _module(path)
    known = _variants(path, module)
    if variant and variant not in known:
        hint = f"did you mean {near!r}? " if (near := nearest(variant, known)) else ""
        raise UserError(f"--config={name}: no variant {variant!r}; {hint}It has {', '.join(known)}")
    if not callable(getattr(module, "get_config", None)):
        raise UserError(
            f"--config={path}: has no function get_config(variant), which returns the config"
        )
    variant = variant or known[0]
    with _told(path, module.__file__):
        config = module.get_config(variant)
    return _complete(config, Path(path), variant)


def variants(path: str) -> tuple[str, ...]:
    """The variants of ``FILE.py``, default first. Raises UserError as ``load`` does."""
    return _variants(path, _module(path))


def _variants(path, module):
    names = getattr(module, "VARIANTS", None)
    if not isinstance(names, tuple | list) or not names:
        raise UserError(
            f"--config={path}: defines no VARIANTS, the names of its variants, default first, such as "
            'VARIANTS = ("small", "large")'
        )
    return tuple(map(str, names))


def _module(path):
    file = _file(path)
    spec = importlib.util.spec_from_file_location(f"zoo_config_{file.stem}", file)
    if spec is None:
        raise UserError(
            f"--config={path}: a config is a Python file that defines get_config(variant)"
        )
    module = importlib.util.module_from_spec(spec)
    with _told(path, file):
        spec.loader.exec_module(module)
    return module


def _file(path):
    """The file of a config: where ``path`` says, or of those that come with the zoo. char_lm is
    configs/char_lm.py."""
    file = Path(path)
    if file.is_file():
        return file
    if not file.suffix and len(file.parts) == 1:
        file = Path("configs", f"{path}.py")
    roots = [Path(), Path(__file__).parent.parent]
    roots += [
        Path(base, "share/lstm-zoo") for base in (sysconfig.get_path("data"), site.getuserbase())
    ]
    for root in roots:
        if (root / file).is_file():
            return root / file
    names = {p.stem for root in roots for p in root.glob("configs/*.py")}
    near = nearest(file.stem, sorted(names))
    hint = f"; did you mean configs/{near}.py?" if near else ""
    raise UserError(f"--config={path}: no such file{hint}")


@contextmanager
def _told(path, file):
    """Turns an exception in the config ``path``, which is ``file``, into a UserError with its line."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        steps = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in steps if f.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        where = f", line {line}" if line else ""
        words = str(error.msg if isinstance(error, SyntaxError) else error).splitlines()
        why = ": ".join([type(error).__name__, *words[:1]])
        raise UserError(f"--config={path}{where}: {why}") from error


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


def override(config: ConfigDict, argv: list[str], values: flags.FlagValues) -> list[str]:
    """Defines --config.key flags in ``values`` for the overrides that stand in ``argv``, and returns the
    arguments as ``values`` is to parse them: with each value in the word of its key, and tuples as Python
    writes them.

    Raises UserError for a key that the config does not have, and for a value that is not of its kind. The
    values take effect when ``values`` parses the arguments; call ``settle`` then.
    """
    known, rest, words = flatten(config), [], iter(argv)
    for word in words:
        if not (match := _KEY.match(word)):
            rest.append(word)
            continue
        no, key = match.groups()
        if group := [k for k in known if k.startswith(key + ".")]:
            raise UserError(f"--config.{key}: a group of keys; set one of {', '.join(group)}")
        if key not in known:
            near = nearest(key, known) or nearest(key.split(".")[-1], known)
            hint = f"did you mean --config.{near}?" if near else "add --help for a list of its keys"
            raise UserError(f"--config.{key}: this config has no key {key!r}; {hint}")
        if key in _OF_THE_FILE:
            raise UserError(
                f"--config.{key}: is the config file's own; give another file as --config"
            )
        kind = _kind(config, key)
        if no and (kind is not bool or "=" in word):
            raise UserError(f"--noconfig.{key}: no such flag; write --config.{key}=VALUE")
        if kind is not bool and "=" not in word:
            word += f"={next(words, '')}"
        name, given, text = word.partition("=")
        rest.append(f"{name}={_written(kind, key, text)}" if given else name)
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=rest)
    return rest


def _kind(config, key):
    """The type of a key's value."""
    *groups, name = key.split(".")
    for group in groups:
        config = config[group]
    return config.get_type(name)


def _written(kind, key, text):
    """The value of an override, as the flags of ml_collections read it."""
    if kind is tuple:
        return _tuple(text)
    try:
        if kind in _PARSERS:
            _PARSERS[kind].parse(text)
    except (ValueError, TypeError, OverflowError):
        raise UserError(f"--config.{key}={text}: must be {bounds.MUST[kind]}") from None
    return text


def _tuple(text):
    """A tuple in Python's words, of such or of words between commas, as in en,fr or 1,12."""
    try:
        value = ast.literal_eval(text) if text.strip() else ()
    except (ValueError, SyntaxError):
        value = tuple(word.strip() for word in text.split(",") if word.strip())
    return repr(tuple(value) if isinstance(value, tuple | list) else (value,))


def settle(config: ConfigDict, argv: list[str]) -> None:
    """Clears the other one of each pair of keys of which ``argv`` sets one; ``~/`` in the keys that are
    paths is the home directory.

    Raises UserError where it sets both, and for numbers that no training can count with.
    """
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
        for number in _numbers(value):
            if not math.isfinite(number):
                raise UserError(f"--config.{key}={value}: must be a finite number")
            if key.rpartition(".")[2] != "seed":
                bounds.within(f"config.{key}", number, -bounds.COUNT)
            else:
                bounds.within(f"config.{key}", number, 0, bounds.SEED)


def shown(value: object) -> str:
    """A value as one would write it on a command line."""
    if isinstance(value, list | tuple):
        nested = any(isinstance(part, list | tuple) for part in value)
        return f"'{value}'" if nested else ",".join(map(str, value)) or "()"
    return "''" if value == "" else str(value)


def _numbers(value):
    """The numbers in a value of a config."""
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, int | float) else []


def given(argv: list[str]) -> set[str]:
    """The keys that ``argv`` sets."""
    return {match[2] for arg in argv if (match := _KEY.match(arg))}


def put(config: ConfigDict, values: dict, given: set[str]) -> None:
    """Sets keys, such as ``model.hidden``, but not those that were ``given``, nor the other one of a pair
    of which one was."""
    cleared = {other for pair in _EITHER for one, other in (pair, pair[::-1]) if one in given}
    for key, value in values.items():
        if key not in given | cleared:
            *groups, name = key.split(".")
            group = config
            for part in groups:
                group = group[part]
            group[name] = value


def require(config: ConfigDict, key: str, low: float, high: float = bounds.COUNT) -> None:
    """Raises UserError unless low <= config.key <= high. None passes."""
    value = flatten(config)[key]
    if value is not None:
        bounds.within(f"config.{key}", value, low, high)


def choose(config: ConfigDict, key: str, choices) -> str:
    """config.key, one of ``choices``. Raises UserError with the nearest right name."""
    value = flatten(config)[key]
    if value not in choices:
        near = nearest(str(value), choices, least=0.6)  # the few that there are follow anyway
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
