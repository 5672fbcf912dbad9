"""Configs: files that return a ConfigDict, common keys, command-line overrides, JSON.

A config file defines ``get_config(variant)`` and ``VARIANTS``, the names it takes, default first. It
starts from ``base()``, which holds the keys that every experiment has.
"""

import importlib.util
import json
import re
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_dict, config_flags

from zoo.errors import UserError, nearest

# Two ways to say one thing: setting one on the command line clears the other.
_EITHER = [("steps", "epochs"), ("eval_every", "eval_epochs")]


def base() -> ConfigDict:
    """The keys that every config has, with their defaults."""
    return ConfigDict(
        {
            "task": "",
            "seed": 0,
            # Length of training: steps (updates) or epochs (passes over the training part).
            "steps": config_dict.placeholder(int),
            "epochs": config_dict.placeholder(float),
            "batch_size": 64,
            "log_every": 50,
            "eval_every": config_dict.placeholder(int),
            "eval_epochs": config_dict.placeholder(float),
            # Steps between checkpoints; 0 saves at every evaluation. Minutes: in addition, 0 never.
            "checkpoint_every": 0,
            "checkpoint_minutes": 5.0,
            "keep": 2,
            # The metric whose best parameters are kept; "" keeps none and reports the last.
            "best": {"metric": "", "mode": "min"},
            # Evaluations without improvement before training stops; 0 never stops early.
            "patience": 0,
            # Time to a goal: reports metrics.seconds_to_target, the first time that metric <= value.
            "target": {"metric": "", "value": 0.0},
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
            },
            # Devices along each axis; data = -1 takes as many as divide the batch.
            "mesh": {"data": -1, "model": 1},
        }
    )


def forecasting() -> ConfigDict:
    """The keys of the task ``forecasting``, with their defaults, upon those of ``base``."""
    c = base()
    c.task = "forecasting"
    c.about, c.to_beat, c.show = "", "", ("test_rmse", "test_mase")
    c.data = {
        "name": "airline",
        "path": "",
        "sha256": "",  # of the series; filled in when they are read
        "column": "",  # names, comma between; "" for all that are numbers
        "time": "",
        "frequency": "",
        "key": "",  # long format: the column that tells the series apart
        "known": "",  # columns that are known in advance
        "missing": "error",  # or interpolate
        "rows": 0,  # the first ones that are used; 0 for all
        "transform": "none",  # or log
        "difference": (),
        "scaler": "standard",  # or minmax, none
        "scale": "train",  # or all, which looks ahead
        "calendar": False,  # month of year, hour of day, … as features
        "valid": 0.0,  # last rows: a fraction, or a number from 1 on
        "test": 0.2,
        "skip_last": 0,
    }
    c.model = {
        "cell": "lstm",
        "hidden": 32,
        "layers": 1,
        "length": 12,
        "horizon": 1,
        "patch": 1,
        "stateful": False,
        "center": "none",
        "linear": False,
        "embed": 0,
        "dropout": 0.0,
        "dropout_out": 0.0,
    }
    c.ensemble = {
        "members": 1,
        "holdout": 0.0,
        # What members take in turn, such as ((12,), (1, 12)); () for data.difference, model.length.
        "differences": (),
        "lengths": (),
        "recent": 0,  # errors that make the intervals, the last ones of a series; 0 for all before the test
    }
    c.loss = "mse"
    # Steps ahead that are forecast, from every origin of the test part, and by default by zoo.predict.
    c.horizon = 12
    c.baselines = "naive"  # or classical: autoregression, Holt-Winters and SARIMA too
    return c


def language_detection() -> ConfigDict:
    """The keys of the task ``language_detection``, with their defaults, upon those of ``base``."""
    c = base()
    c.task = "language_detection"
    c.about, c.to_beat, c.show = "", "", ("test_auc_5",)
    c.data = {
        "name": "udhr",  # or genesis
        "path": "",  # a folder with one file a language, or en=one.txt,fr=other.txt
        "sha256": "",  # of the texts; filled in when they are read
        "languages": (),  # codes; () for all that are there
        "encodings": "",  # of files that are not UTF-8: fr=iso-8859-1
        "lowercase": True,
        "min_count": 2,  # rarer characters stand for the unknown symbol of their script
        "window": 8,
        "ends": "none",  # or spaces, between which whole strings are read
        "valid": 0.0,  # the last part of the training words
        "test": 0.2,  # the last words
        "test_on": "",  # in addition the last 20 % of these texts: udhr
        "test_path": "",  # folders of lines: FOLDER/KIND/CODE.txt
        "test_lines": 0,  # of each file; 0 for all
    }
    c.model = {
        "cell": "lstm",
        "embed": 32,
        "hidden": 64,
        "layers": 1,
        "dropout": 0.0,
        "dropout_in": 0.0,
        "dropout_out": 0.0,
        "weight_drop": 0.0,
        "shared": False,  # one model for all languages, told which by class_embed numbers
        "class_embed": 8,
    }
    # With backward every second member reads strings from their end.
    c.ensemble = {"members": 1, "backward": False}
    c.discriminative = 0.0
    c.contenders = 2
    c.contamination = 0.0  # a character that a language does not expect costs its log at most
    c.priors = {}
    c.margin = 0.1  # how much more probable than the second the first must be; else "unknown"
    c.baselines = "none"  # or ngrams: models on the same text, lingua, py3langid
    return c


def load(name: str) -> ConfigDict:
    """The config of ``FILE.py`` or ``FILE.py:VARIANT``.

    Raises UserError for a file that is not there or does not load, and for an unknown variant.
    """
    path, _, variant = name.partition(":")
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
        variants, get_config = module.VARIANTS, module.get_config
    except Exception as error:
        line = str(error).splitlines()[0] if str(error) else ""
        raise UserError(f"--config={path}: {type(error).__name__}: {line}") from error
    if variant and variant not in variants:
        hint = f"did you mean {near!r}? " if (near := nearest(variant, variants)) else ""
        raise UserError(
            f"--config={name}: no variant {variant!r}; {hint}It has {', '.join(variants)}"
        )
    return get_config(variant or variants[0])


def override(config: ConfigDict, argv: list[str], values: flags.FlagValues) -> None:
    """Defines --config.key flags in ``values`` for the overrides that stand in ``argv``.

    Raises UserError for a key that the config does not have. The values take effect when ``values``
    parses ``argv``; call ``settle`` then.
    """
    known = _flatten(config)
    for arg in argv:
        if not (match := re.match(r"--?config\.([^=]*)", arg)):
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
    """Clears the other one of each pair of keys of which ``argv`` sets one."""
    given = {arg.lstrip("-").partition("=")[0].removeprefix("config.") for arg in argv}
    for one, other in _EITHER:
        if one in given and other in given:
            raise UserError(
                f"--config.{one} and --config.{other} say the same thing: set one of them"
            )
        if one in given:
            config[other] = None
        elif other in given:
            config[one] = None


def require(config: ConfigDict, key: str, low: float, high: float | None = None) -> None:
    """Raises UserError unless low <= config.key (<= high, where given). None passes."""
    value = _flatten(config)[key]
    if value is None:
        return
    if not (low <= value and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise UserError(f"--config.{key}={value}: must be {bounds}")


def choose(config: ConfigDict, key: str, choices) -> str:
    """config.key, one of ``choices``. Raises UserError with the nearest right name."""
    value = _flatten(config)[key]
    if value not in choices:
        near = nearest(str(value), choices)
        hint = f"did you mean {near!r}? " if near else ""
        known = ", ".join(c or repr(c) for c in choices)
        raise UserError(f"--config.{key}={value}: {hint}It can be {known}")
    return value


def to_json(config: ConfigDict) -> str:
    """The whole config as JSON, keys sorted."""
    return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> ConfigDict:
    """The inverse of ``to_json``."""
    return ConfigDict(json.loads(text))


def differences(one: ConfigDict, other: ConfigDict) -> list[str]:
    """The keys whose values differ."""
    a, b = _flatten(one), _flatten(other)
    return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))


def _flatten(config, prefix=""):
    flat = {}
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
