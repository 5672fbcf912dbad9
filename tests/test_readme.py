"""The README says what is true: its code runs, its table is the committed results, its links lead."""

import ast
import importlib
import json
import re
from pathlib import Path
from statistics import fmean, median

import pytest

from zoo import config as configs
from zoo import tasks
from zoo.report import main as report
from zoo.report import tables
from zoo.runs import reference

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHOICES = (ROOT / "docs/choices.md").read_text(encoding="utf-8")
REFERENCE = reference.read(ROOT / "runs/reference.json")
RUNS = {name: entry for name, entry in REFERENCE.items() if "runs" in entry}


def test_the_cell_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["ys"].shape == (20, 4, 16)
    assert names["y"].shape == (4, 16)


def test_the_results_tables_are_those_of_the_committed_results(monkeypatch):
    monkeypatch.chdir(ROOT)
    between = re.search(r"<!-- results:.*?-->\n(.*?)\n<!-- /results -->", README, re.DOTALL)
    assert between and between[1] == tables(REFERENCE)


def test_the_committed_results_are_of_configs_that_are_there():
    for name, entry in RUNS.items():
        config, variant = name.split(":")
        settings = configs.load(str(ROOT / f"configs/{config}.py:{variant}"))
        metrics = tasks.module(settings.task, "config").METRICS
        for key, other, _ in settings.results:
            assert key in metrics
            for run in entry["runs"]:
                assert key in run["metrics"] and (
                    not isinstance(other, str) or other in run["metrics"]
                )


def table_cells(head):
    """The first cells of the rows of every table whose head begins with ``head``."""
    for table in re.findall(r"(?:^\|.*\n)+", README, re.MULTILINE):
        first, _, *rows = table.splitlines()
        if first.startswith(f"| {head} |"):
            yield from (row.split("|")[1] for row in rows)


def has(settings, key):
    group, _, rest = key.partition(".")
    return group in settings and (not rest or has(settings[group], rest))


DEFAULTS = [tasks.module(name, "config").defaults() for name in tasks.names()]
KEYS = set(re.findall(r"--config\.([\w.]+)=", README + CHOICES)) - {"key"}
KEYS |= {key for cell in table_cells("key") for key in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_config_key_that_is_named_exists_in_full(key):
    assert any(has(settings, key) for settings in DEFAULTS)


def test_the_key_tables_are_read():
    assert {"optimizer.learning_rate", "data.window", "ensemble.recent", "priors"} <= KEYS


@pytest.mark.parametrize("command", ["sample", "predict"])
def test_every_flag_in_a_table_exists(command, capsys):
    main = importlib.import_module(f"zoo.{command}").main
    assert main([command, "--help"]) == 0
    known = re.findall(r"^  --(\w+)", capsys.readouterr().out, re.MULTILINE)
    named = re.findall(r"`--(\w+)`", " ".join(table_cells(f"flag of `zoo.{command}`")))
    assert named and set(named) <= set(known)


def test_files_that_are_named_are_there():
    names = set(re.findall(r"`((?:tests|zoo|configs|docs)/[\w./]+)`", README + CHOICES))
    names |= set(re.findall(r"--config=(configs/\w+\.py)", README + CHOICES))
    for name in names:
        assert (ROOT / name).exists(), name


def test_variants_that_are_named_are_there():
    names = re.findall(r"configs/\w+\.py:\w+", README + CHOICES)
    names += [f"configs/{c}.py:{v}" for c, v in re.findall(r"`(\w+):(\w+)`", README + CHOICES)]
    for name in names:
        configs.load(str(ROOT / name))


LINKS = re.findall(r"\]\(([^)]+)\)", README)
LINKS += [f"docs/{link}" for link in re.findall(r"\]\(([^)]+)\)", CHOICES)]


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link):
    file, _, heading = link.partition("#")
    text = (ROOT / file).read_text(encoding="utf-8") if heading and file else README
    assert (ROOT / file).exists()
    heads = [re.sub(r"[^\w -]", "", h.lower()) for h in re.findall(r"^#+ (.*)", text, re.MULTILINE)]
    assert not heading or heading in [head.replace(" ", "-") for head in heads]


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_config_states_the_time_and_the_score_to_expect(name):
    config, variant = name.split(":")
    about = ast.get_docstring(ast.parse((ROOT / f"configs/{config}.py").read_text("utf-8")))
    variants = configs.load(str(ROOT / f"configs/{config}.py"))
    command = f"configs/{config}.py" + (f":{variant}" if variant != variants.variant else "")
    row = re.search(rf"{re.escape(command)} +([\d.]+) (s|min) +([\d.]+)", about)
    settings, runs = configs.load(str(ROOT / f"configs/{config}.py:{variant}")), RUNS[name]["runs"]
    seconds = float(row[1]) * {"s": 1, "min": 60}[row[2]]
    assert seconds == pytest.approx(median(r["train_seconds"] for r in runs), rel=0.5)
    measured = fmean(r["metrics"][settings.results[0][0]] for r in runs)
    assert round(measured, len(row[3].partition(".")[2])) == float(row[3])


def test_verify_holds_a_run_against_the_committed_results(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    name, entry = next(iter(RUNS.items()))
    config, variant = name.split(":")
    result = entry["runs"][0] | {"config": config, "variant": variant, "finished": True}
    (tmp_path / "config.json").write_text(json.dumps({"task": "forecasting"}))
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert report(["report", f"--verify={tmp_path}"]) == 0
    assert "params_sha256: the same" in capsys.readouterr().out
    result["params_sha256"] = "0"
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert report(["report", f"--verify={tmp_path}"]) == 1
    with pytest.raises(ValueError, match="give one of"):
        report(["report"])
