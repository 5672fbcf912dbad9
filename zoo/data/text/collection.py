"""Several texts side by side, each with a name: corpora of distinct styles."""

from collections.abc import Sequence
from pathlib import Path

from zoo.data.errors import DataError
from zoo.data.text import corpus


def names(path: str, corpora: Sequence[str]) -> tuple[str, ...]:
    """The names of a collection: those given, or those of the ``.txt`` files of a folder, without their
    ends, sorted; () where ``path`` is no folder and nothing is given: then it is one text.

    Raises DataError for a folder without such a file, and for names that are there twice.
    """
    if len(set(corpora)) < len(corpora):
        twice = next(name for name in corpora if list(corpora).count(name) > 1)
        raise DataError(f"--config.data.corpora: {twice!r} is there more than once")
    if not path or not Path(path).is_dir():
        return tuple(corpora)
    found = sorted(file.stem for file in Path(path).glob("*.txt"))
    if not found:
        raise DataError(
            f"--config.data.path={path}: no .txt file in this folder; give one a corpus"
        )
    if lacking := [name for name in corpora if name not in found]:
        raise DataError(f"--config.data.corpora: no {lacking[0]}.txt in {path}")
    return tuple(corpora) or tuple(found)


def texts(path: str, corpora: Sequence[str], valid: float, test: float, **reading) -> dict:
    """name -> the parts of each text, as ``corpus.parts`` gives them with ``reading``.

    Raises DataError for a text that cannot be had or read, with its name.
    """
    parts = {}
    for name in corpora:
        file = Path(path, f"{name}.txt") if path else None
        parts[name] = corpus.parts(name, file, valid, test, **reading)
    return parts


def remarks(parts: dict[str, dict[str, str]]) -> list[str]:
    """What people should know: corpora whose texts are the same."""
    seen, out = {}, []
    for name, text in parts.items():
        whole = "".join(text.values())
        if whole in seen:
            out.append(f"{seen[whole]} and {name} are the same text")
        seen.setdefault(whole, name)
    return out
