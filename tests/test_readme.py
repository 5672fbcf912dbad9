"""The README says what is true: its code runs, its table is the committed results, its links lead."""

import json
import re
from pathlib import Path

import pytest

from zoo import config as configs
from zoo import tasks
from zoo.report import main as report
from zoo.report import tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = json.loads((ROOT / "runs/reference.json").read_text(encoding="utf-8"))
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


CONFIGS = ("char_lm", "forecast", "language_detector")


def test_every_config_key_that_the_readme_names_exists():
    known = [configs.load(str(ROOT / f"configs/{c}.py")) for c in CONFIGS]

    def has(settings, key):
        group, _, rest = key.partition(".")
        return group in settings and (not rest or has(settings[group], rest))

    for key in re.findall(r"--config\.([a-z_.]+)=", README):
        assert key == "key" or any(has(settings, key) for settings in known), key


def test_files_that_the_readme_names_are_there():
    for name in set(re.findall(r"`((?:tests|zoo|configs)/[\w./]+)`", README)):
        assert (ROOT / name).exists(), name


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
