"""Imports point one way, and rooms stay small."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"bounds", "cache", "errors", "interrupt", "random", "terminal", "xla"},
    {"canary", "config", "data", "cells"},
    {"unroll"},
    {"models"},
    {"generate"},
    {"tasks"},
    {"runs"},
    {"pages", "train"},
    {
        "bench",
        "cli",
        "compare",
        "convert",
        "key_table",
        "predict",
        "report",
        "reproduce",
        "sample",
        "score",
    }
    | {"__main__", "trained", "trainer"},
]
ONLY = {
    "flax": {
        f"models/{name}.py"
        for name in (
            "stack",
            "language_model",
            "forecaster",
            "classifier",
            "window_model",
            "ensemble",
        )
    },
    "orbax": {"runs/checkpoint.py"},
    "optax": {"train/optimizers.py", "train/step.py", "train/job.py"},
}
TASKS = sorted(file.parent.name for file in (ROOT / "zoo/tasks").glob("*/config.py"))
CONTESTANTS = "bench"  # may import what it times


def imports(file):
    """The modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def rank(part):
    return next((i for i, names in enumerate(LAYERS) if part in names), None)


def test_imports_point_from_commands_to_cells_and_never_back():
    for file in (ROOT / "zoo").rglob("*.py"):
        part = file.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        assert rank(part) is not None, f"{file}: give it a place in LAYERS"
        for name in imports(file):
            top, _, rest = name.partition(".")
            if top == "zoo" and (other := rest.split(".")[0]) != part:
                below = rank(other)
                assert below is not None and below <= rank(part), f"{file} imports {name}"


def test_flax_orbax_and_optax_are_each_imported_in_one_room():
    for file in (ROOT / "zoo").rglob("*.py"):
        if file.relative_to(ROOT / "zoo").parts[0] == CONTESTANTS:
            continue
        for name in imports(file):
            allowed = ONLY.get(name.split(".")[0])
            here = str(file.relative_to(ROOT / "zoo"))
            assert allowed is None or here in allowed, f"{here} imports {name}"


def test_no_task_imports_another_and_no_generic_room_imports_a_task():
    assert {"forecasting", "language_detection", "language_model"} <= set(TASKS)
    for file in (ROOT / "zoo").rglob("*.py"):
        inside = file.relative_to(ROOT / "zoo").parts
        if inside[0] == CONTESTANTS:
            continue
        own = inside[1] if inside[0] == "tasks" and len(inside) > 2 else None
        for name in imports(file):
            task = name.split(".")[2] if name.startswith("zoo.tasks.") else None
            assert task not in TASKS or task == own, f"{file} imports {name}"


def test_no_file_is_longer_than_500_lines():
    for folder in ("zoo", "tests", "configs"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 500, file


def test_no_private_member_of_another_package_is_read():
    public = {"_replace", "_asdict", "_fields", "_make"}  # of a NamedTuple
    public |= {"_exit"}  # of os, which documents it
    for file in (ROOT / "zoo").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                dunder = node.attr.startswith("__")
                assert own or dunder or node.attr in public, f"{file}:{node.lineno} {node.attr}"


def test_using_a_run_imports_neither_the_loop_nor_an_optimizer():
    code = "import sys, zoo.sample, zoo.predict, zoo.runs.load, zoo.tasks.language_model.task\n"
    code += (
        "import zoo.tasks.forecasting.task, zoo.tasks.language_detection.task, orbax.checkpoint\n"
    )
    code += "print(*[m for m in sys.modules if m == 'optax' or m.startswith('zoo.train')])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == ""
