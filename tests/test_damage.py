"""Run folders that are damaged, edited or foreign: one line that names the file, or the right bits; nothing
lost."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

import train
from zoo import cli, predict, report, sample, score
from zoo.data.text import tokenizers

ROOT = Path(__file__).parent.parent
GIVEN = [
    "--config=configs/char_lm.py",
    "--config.adapt=False",
    "--config.kneser_ney=0",
    "--config.mesh.data=1",
    "--config.model.hidden=8",
    "--config.model.embed=4",
    "--config.batch_size=4",
    "--config.data.window=8",
    "--config.steps=6",
    "--config.eval_every=2",
    "--config.log_every=1",
    "--config.keep=9",
]


pytestmark = pytest.mark.usefixtures("at_the_root")


@pytest.fixture(scope="module")
def whole(text, tmp_path_factory):
    """A finished tiny run, with checkpoints of the steps 2, 4 and 6."""
    os.chdir(ROOT)
    run = tmp_path_factory.mktemp("damage") / "run"
    assert (
        cli.run(train.main, ["train.py", *GIVEN, f"--config.data.path={text}", f"--run={run}"]) == 0
    )
    return run


def call(command, run, text):
    """The exit code of a command that reads a run."""
    asked = ["train.py", *GIVEN, f"--config.data.path={text}", f"--run={run}"]
    if command in ("train", "eval"):
        return cli.run(train.main, [*asked, f"--mode={command}"])
    if command == "sample":
        return cli.run(sample.main, ["sample", f"--run={run}", "--length=3"])
    if command == "score":
        return cli.run(score.main, ["score", f"--run={run}", f"--input={text}", "--whole"])
    return cli.run(report.main, ["report", str(run)])


def write(name, content):
    def damage(run):
        (run / name).write_bytes(content)

    return damage


def cut(name):
    def damage(run):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[: len(content) // 2])

    return damage


def put(name, **values):
    """Other values of keys, such as ``model__hidden``; those of None are deleted."""

    def damage(run):
        record = json.loads((run / name).read_text())
        for key, value in values.items():
            *groups, last = key.split("__")
            inner = record
            for group in groups:
                inner = inner[group]
            inner[last] = value
            if value is None:
                del inner[last]
        (run / name).write_text(json.dumps(record))

    return damage


def gone(name):
    def damage(run):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def is_folder(name):
    def damage(run):
        gone(name)(run)
        (run / name).mkdir()

    return damage


def new_folder(name):
    return lambda run: (run / name).mkdir()


def is_pipe(name):
    def damage(run):
        gone(name)(run)
        os.mkfifo(run / name)

    return damage


def unfinished(damage):
    """Damage to a run that was killed after step 4."""

    def killed(run):
        gone("result.json")(run)
        gone("checkpoints/6")(run)
        damage(run)

    return killed


def line(number, content):
    """Another line of metrics.jsonl, from 0."""

    def damage(run):
        file = run / "metrics.jsonl"
        lines = file.read_bytes().splitlines()
        lines[number] = content
        file.write_bytes(b"\n".join(lines) + b"\n")

    return damage


def flipped(pattern):
    """A bit in the middle of each file of checkpoint 4."""

    def damage(run):
        for file in [p for p in (run / "checkpoints/4").glob(pattern) if p.is_file()]:
            content = bytearray(file.read_bytes())
            for tenth in range(1, 10):
                content[len(content) * tenth // 10] ^= 0x80
            file.write_bytes(content)

    return damage


def copied(step, other):
    def damage(run):
        shutil.rmtree(run / f"checkpoints/{other}", ignore_errors=True)
        shutil.copytree(run / f"checkpoints/{step}", run / f"checkpoints/{other}")

    return damage


def before(name, content):
    def damage(run):
        (run / name).write_bytes(content + (run / name).read_bytes())

    return damage


def draft(run):
    shutil.copytree(run / "checkpoints/4", run / "checkpoints/6.orbax-checkpoint-tmp")


def another_vocabulary(run):
    tokenizers.make("characters", "abcdefghijklmnopq").save(run / "vocabulary.json")


def vocabulary_in_another_order(run):
    """As many symbols, and the same ones."""
    file = run / "vocabulary.json"
    record = json.loads(file.read_text())
    record["symbols"][1:] = record["symbols"][:0:-1]
    file.write_text(json.dumps(record))


def is_file(name):
    def damage(run):
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).write_text("")

    return damage


class Case(NamedTuple):
    """Damage, and what each command says of it in one line, with exit code 2; "" where it does its work."""

    damage: object
    train: str = ""
    eval: str = ""
    sample: str = ""
    report: str = ""


def all_say(damage, words):
    return Case(damage, words, words, words, words)


def result(damage, words="result.json is damaged"):
    return all_say(damage, words)


def config(damage, words="config.json is damaged"):
    return all_say(damage, words)


CASES = {
    "result empty": result(write("result.json", b"")),
    "result cut": result(cut("result.json")),
    "result a number": result(write("result.json", b"3")),
    "result a list": result(write("result.json", b"[]")),
    "result an empty object": result(write("result.json", b"{}")),
    "result no UTF-8": result(write("result.json", b'{"metrics": "\xff"}')),
    "result nested deeply": result(write("result.json", b"[" * 99_999)),
    "result without its digest": result(put("result.json", params_sha256=None), "params_sha256"),
    "result with words for steps": result(put("result.json", steps="many"), "steps"),
    "result with metrics as a list": result(put("result.json", metrics=["a"]), "metrics"),
    "result with a metric in words": result(put("result.json", metrics__x="a"), "metrics.x"),
    "result of another run": Case(
        put("result.json", best_sha256="0" * 64),
        "",
        "those of result.json",
        "those of result.json",
        "",
    ),
    "result a folder": Case(is_folder("result.json"), "Is a directory", "", "not finished yet", ""),
    "config empty": config(write("config.json", b"")),
    "config cut": config(cut("config.json")),
    "config a list": config(write("config.json", b"[]")),
    "config an empty object": config(write("config.json", b"{}")),
    "config a number": config(write("config.json", b"7")),
    "config null": config(write("config.json", b"null")),
    "config no UTF-8": config(write("config.json", b"\xff\xfe{}")),
    "config nested deeply": config(write("config.json", b"[" * 99_999)),
    "config of no task": config(put("config.json", task="nonsense")),
    "config whose task is a number": config(put("config.json", task=4)),
    "config with a number for a group": config(put("config.json", model=3), "model is 3"),
    "config with a text for a number": config(
        put("config.json", model__hidden="8"), "model.hidden"
    ),
    "config with half a unit": config(put("config.json", model__hidden=8.5), "model.hidden"),
    "config with true for a number": config(put("config.json", batch_size=True), "batch_size"),
    "config with a list for a text": config(put("config.json", data__path=["a"]), "data.path"),
    "config with 100,000 layers": Case(
        put("config.json", model__layers=100_000), "model.layers", "layers", "layers", ""
    ),
    "config with fewer than no units": Case(
        put("config.json", model__hidden=-3), "model.hidden", "model.hidden", "model.hidden", ""
    ),
    "config with an unknown cell": Case(
        put("config.json", model__cell="lstn"), "model.cell", "model.cell", "model.cell", ""
    ),
    "config of a wider model": Case(
        put("config.json", model__hidden=9), "model.hidden=9", "model.hidden", "another model", ""
    ),
    "config gone": Case(
        gone("config.json"), "", "no config.json", "no config.json", "no config.json"
    ),
    "log with a broken line": Case(
        unfinished(line(1, b"nonsense")), "", "", "not finished yet", "line 2 is damaged"
    ),
    "log with a line of another kind": Case(
        unfinished(line(1, b'{"step": "2", "seconds": 1}')), "", "", "not finished", "line 2"
    ),
    "log with a line that is no UTF-8": Case(
        unfinished(line(1, b"\xff\xfe")), "", "", "not finished", "line 2"
    ),
    "log cut off": Case(unfinished(cut("metrics.jsonl")), "", "", "not finished", ""),
    "log gone": Case(unfinished(gone("metrics.jsonl")), "", "", "not finished", ""),
    "log a pipe": Case(unfinished(is_pipe("metrics.jsonl")), "", "", "not finished", ""),
    "log a folder": Case(
        unfinished(is_folder("metrics.jsonl")), "metrics.jsonl", "", "not finished", ""
    ),
    "samples with notes": Case(
        unfinished(before("samples.txt", b"my notes \xff\n")), "", "", "not finished", ""
    ),
    "samples of a step beyond all": Case(
        unfinished(before("samples.txt", b"\xe2\x95\x90" * 4 + b" step " + b"9" * 5000 + b", x\n")),
        "",
        "",
        "not finished",
        "",
    ),
    "samples a pipe": Case(unfinished(is_pipe("samples.txt")), "", "", "not finished", ""),
    "checkpoints a file": Case(
        unfinished(is_file("checkpoints")), "move it away", "move it away", "move it away", ""
    ),
    "checkpoints gone": Case(gone("checkpoints"), "", "holds no checkpoint", "delete", ""),
    "a step copied under a later number": Case(
        unfinished(copied(2, 99)), "", "", "not finished", ""
    ),
    "a step copied over the newest": Case(
        copied(2, 6), "", ".step does not match", ".step does not match", ""
    ),
    "a step without its state": Case(
        unfinished(gone("checkpoints/4/state")), "", "", "not finished", ""
    ),
    "a step without its manifest": Case(
        unfinished(gone("checkpoints/4/manifest")), "", "", "not finished", ""
    ),
    "a manifest that is a list": Case(
        unfinished(write("checkpoints/4/manifest/metadata", b"[]")), "", "", "not finished", ""
    ),
    "a manifest that is empty": Case(
        unfinished(write("checkpoints/4/manifest/metadata", b"")), "", "", "not finished", ""
    ),
    "flipped bits in arrays": Case(unfinished(flipped("state/**/d/*")), "", "", "not finished", ""),
    "flipped bits in array_metadatas": Case(
        unfinished(flipped("state/array_metadatas/*")), "", "", "not finished", ""
    ),
    "flipped bits in all of a step": Case(unfinished(flipped("**/*")), "", "", "not finished", ""),
    "an empty step": Case(
        unfinished(lambda run: (run / "checkpoints/5").mkdir()), "", "", "not finished", ""
    ),
    "a file where a step ought to be": Case(
        unfinished(write("checkpoints/5", b"")), "", "", "not finished", ""
    ),
    "a folder that is no step": Case(
        unfinished(new_folder("checkpoints/mine")), "", "", "not finished", ""
    ),
    "a save that was cut off": Case(unfinished(draft), "", "", "not finished", ""),
    "vocabulary of another text": Case(
        another_vocabulary, "", "of another text", "of another text", ""
    ),
    "vocabulary in another order": Case(
        vocabulary_in_another_order, "", "of another text", "of another text", ""
    ),
    "vocabulary empty": Case(
        write("vocabulary.json", b""), "", "vocabulary.json", "vocabulary.json", ""
    ),
    "vocabulary a number": Case(
        write("vocabulary.json", b"3"), "", "vocabulary.json", "vocabulary.json", ""
    ),
    "data.json a list": Case(write("data.json", b"[]"), "data.json", "data.json", "", ""),
    "data.json of other data": Case(
        put("data.json", digest="0"), "not the data", "not the data", "", ""
    ),
    "plots a file": Case(unfinished(is_file("plots")), "plots", "", "not finished", ""),
    "the lock a folder": Case(
        unfinished(is_folder(".lock")), "cannot write", "", "not finished", ""
    ),
}


def files(run):
    """Every file that a person could miss: its content by its name."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.name not in (".lock", "report.html")
    }


# Scoring reads a run as sampling does: a case of each answer.
SCORED = {case.sample: name for name, case in reversed(CASES.items())}.values()


@pytest.mark.parametrize("name", CASES)
def test_damage_is_told_in_one_line_or_mended_and_nothing_is_lost(
    whole, text, tmp_path, capsys, name
):
    case, good = CASES[name], json.loads((whole / "result.json").read_text())
    scored = name in SCORED
    for command in ("eval", "sample", *["score"] * scored, "report", "train"):
        run = tmp_path / command / "run"
        shutil.copytree(whole, run)
        case.damage(run)
        before = files(run)
        code = call(command, run, text)
        told = [x for x in capsys.readouterr().err.splitlines() if not PROGRESS.search(x)]
        words = getattr(case, "sample" if command == "score" else command)
        if words.startswith("not finished"):  # then it is used as far as it is, and that is said
            assert code == 0, told
            (note,) = (line for line in told if line.startswith("note: "))
            assert "is not finished: " in note
        elif words:
            (line,) = told
            assert (code, line[:7]) == (2, "error: ") and words in line, line
            assert command == "train" or files(run) == before
        else:
            assert code == 0, told
            assert all(line.startswith("warning: ") for line in told), told
        after = files(run).values()
        lost = {file for file, content in before.items() if content not in after}
        assert lost <= WRITTEN_ANEW, lost
    if not case.train:
        result = json.loads((run / "result.json").read_text())
        assert result["params_sha256"] == good["params_sha256"]
        assert "checkpoints gone" in name or (run / "checkpoints/6").is_dir()
        assert not list((run / "checkpoints").glob("*tmp*"))


PROGRESS = re.compile("^step |^going on from step|^nothing left to train| is finished$")
# By training that goes on: the logs, whose damaged lines and a person's notes are kept, and what follows
# from the data.
WRITTEN_ANEW = {"metrics.jsonl", "samples.txt", "plots/loss.png", "vocabulary.json", "config.json"}


def test_notes_in_samples_stay_and_damaged_lines_are_kept(whole, text, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    unfinished(before("samples.txt", b"my notes \xff\n"))(run)
    line(1, b"nonsense")(run)
    damaged = (run / "metrics.jsonl").read_bytes()
    assert call("train", run, text) == 0
    assert (run / "samples.txt").read_bytes().startswith(b"my notes \xff\n")
    assert (run / "damaged/metrics.jsonl").read_bytes() == damaged
    steps = [json.loads(row)["step"] for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 3, 4, 5, 6]
    want, got = ((r / "samples.txt").read_bytes().split(b"\xff\n")[-1] for r in (whole, run))
    assert got == want


def test_where_no_step_is_whole_nothing_is_touched_however_often_it_is_tried(
    whole, text, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "result.json").unlink()
    for step in (2, 4, 6):
        put(f"checkpoints/{step}/manifest/metadata", seconds="none")(run)
    before = files(run)
    for _ in range(2):
        assert call("train", run, text) == 2
        line = capsys.readouterr().err
        assert (
            "no checkpoint there is whole: 6 cannot be read: its manifest is damaged (2 older"
            in line
        )
        assert "move " in line and line.count("\n") == 1
        assert {k: v for k, v in files(run).items() if k in before} == before


FORECASTS = {
    "result cut": (cut("result.json"), "result.json is damaged"),
    "result a number": (write("result.json", b"3"), "result.json is damaged"),
    "config a list": (write("config.json", b"[]"), "config.json is damaged"),
    "config with a negative width": (
        put("config.json", model__hidden=-1),
        "config.json is damaged",
    ),
    "config of a wider model": (
        put("config.json", model__hidden=9),
        "no checkpoint there is whole",
    ),
    "series gone": (gone("series.npz"), "series.npz"),
    "series empty": (write("series.npz", b""), "series.npz"),
    "series no archive": (write("series.npz", b"abc" * 99), "series.npz"),
    "residuals gone": (gone("residuals.npy"), "residuals.npy"),
    "residuals cut": (cut("residuals.npy"), "residuals.npy"),
    "checkpoints gone": (gone("checkpoints"), "holds no checkpoint"),
}


@pytest.mark.parametrize("name", FORECASTS)
def test_damage_to_a_forecast_is_told_in_one_line(tmp_path, capsys, name):
    zipfile.ZipFile(ROOT / "tests/old_runs/runs.zip").extractall(tmp_path)
    damage, words = FORECASTS[name]
    damage(tmp_path / "forecasting")
    assert cli.run(predict.main, ["predict", f"--run={tmp_path / 'forecasting'}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err, err
