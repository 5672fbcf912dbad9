"""zoo.report DIR ...: a page that holds everything, lets nothing in, and tells what is damaged."""

import json
import math
import os
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, report, tasks
from zoo import config as configs
from zoo.pages import chart, figures, style
from zoo.pages.markup import tag
from zoo.runs import log, reference

ROOT = Path(__file__).parent.parent
TINY = {
    "model.hidden": 8, "model.embed": 4, "batch_size": 4, "data.window": 8, "steps": 8,
    "eval_every": 4, "log_every": 2, "optimizer.average": "ema",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("at_the_root")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A folder of two seeds of a tiny run."""
    text, path = (tmp_path_factory.mktemp("pages") / name for name in ("text.txt", "tiny"))
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "a ", "mat.\n"], 400)
    text.write_text("".join(words), encoding="utf-8")
    os.chdir(ROOT)
    given = [f"--config.{key}={value}" for key, value in (TINY | {"data.path": text}).items()]
    argv = ["train.py", "--config=configs/char_lm.py:alice", f"--run={path}", "--seeds=2", *given]
    assert cli.run(train.main, argv) == 0
    return path


@pytest.fixture
def run(seeds, tmp_path):
    """A copy of one of them, to be changed."""
    shutil.copytree(
        seeds / "seed-0", tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints")
    )
    return tmp_path / "run"


class Read(HTMLParser):
    """A page taken apart: raises where an element is not closed, or closed in another."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.headings = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, name, attrs):
        self.tags.append((name, dict(attrs)))
        if name not in ("meta", "link", "img"):
            self.open.append(name)
        if re.fullmatch(r"h\d", name):
            self.headings.append([int(name[1]), ""])

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            return
        self.text += data
        if self.headings and re.fullmatch(r"h\d", self.open[-1] if self.open else ""):
            self.headings[-1][1] += data

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def page(tmp_path, *paths):
    """The page that the command writes about run folders, taken apart."""
    out = tmp_path / "out" / "page.html"
    assert cli.run(report.main, ["report", *map(str, paths), f"--out={out}"]) == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    return Read(text)


def fails(capsys, *argv):
    assert cli.run(report.main, ["report", *map(str, argv)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    return err


def test_a_page_needs_nothing_from_outside(seeds, tmp_path):
    read = page(tmp_path, seeds)
    for name, attrs in read.tags:
        assert name not in ("script", "iframe", "object", "embed", "base")
        assert not [key for key in attrs if key.startswith("on")]
        for key in ("src", "href", "srcset", "data"):
            assert attrs.get(key, "#").startswith(("#", "data:"))
    assert "url(" not in style.CSS and "@import" not in style.CSS
    policy = {m.get("http-equiv"): m.get("content") for m in read.all("meta")}
    assert policy["Content-Security-Policy"].startswith("default-src 'none'; img-src data:")


def test_a_page_is_accessible(seeds, tmp_path):
    read = page(tmp_path, seeds)
    assert read.all("html")[0]["lang"] == "en" and "tiny, 2 seeds" in read.text
    levels = [level for level, _ in read.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for name, attrs in read.tags if name in ("a", "use")]
    assert links and {link.removeprefix("#") for link in links} <= set(ids)
    assert read.all("img") and all(i["alt"] and int(i["width"]) > 0 for i in read.all("img"))
    plots = [svg for svg in read.all("svg") if svg.get("class") == "plot"]
    assert plots and all("lowest" in svg["aria-label"] and svg["role"] == "img" for svg in plots)


def test_seeds_stand_side_by_side_with_their_mean(seeds, tmp_path):
    read = page(tmp_path, seeds)
    heads = [text for _, text in read.headings]
    assert heads[:3] == ["tiny, 2 seeds", "Side by side", "seed-0"] and "seed-1" in heads
    assert "mean ± deviation" in read.text and "Validation loss over time" in read.text
    values = [json.loads((seeds / f"seed-{i}/result.json").read_text()) for i in (0, 1)]
    assert figures.of_runs(values, "valid_loss")[1] in read.text
    for value in values:
        assert figures.exact(value["metrics"]["valid_loss"]) in read.text


def test_one_run_is_written_into_its_folder_and_shows_all_that_is_there(run, capsys):
    (run / "summary.txt").write_text("this model   1.25\n")
    assert cli.run(report.main, ["report", str(run)]) == 0
    assert capsys.readouterr().out.startswith(f"{run}/report.html: 1 run, ")
    read = Read((run / "report.html").read_text(encoding="utf-8"))
    heads = [text for _, text in read.headings]
    parts = ["Results", "Curves", "Summary", "Samples over time", "Settings", "How it was made"]
    assert heads == ["run", *parts]
    result = json.loads((run / "result.json").read_text())
    for words in ("this model   1.25", "step 4", "step 8", "4 × cpu", "Kneser-Ney 10-gram"):
        assert words in read.text
    for value in (result["params_sha256"], result["average_sha256"], f"{result['params']:,}"):
        assert value in read.text
    assert all(v in read.text for v in result["versions"].values())
    assert "Set otherwise than in configs/char_lm.py:alice" in read.text
    assert read.text.index("optimizer.average") < read.text.index('"about"')


def test_several_runs_are_written_where_the_command_runs(seeds, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(report.main, ["report", str(run), str(seeds), str(run)]) == 0
    read = Read((tmp_path / "report.html").read_text(encoding="utf-8"))
    names = [text for level, text in read.headings if level == 2]
    assert names == ["Side by side", "run", "tiny/seed-0", "tiny/seed-1"]
    assert "No runs/reference.json is here" in read.text


def test_what_a_run_says_stays_text(run, tmp_path):
    attack = "<script>alert(1)</script></pre></main>\x00\ud800"
    config = json.loads((run / "config.json").read_text())
    config["about"] = attack
    (run / "config.json").write_text(json.dumps(config))
    log.add_sample(run, 9, "<b>", attack.replace("\ud800", ""))
    (run / "summary.txt").write_bytes(b"</pre><img src=x onerror=alert(1)> \xff" + b" a" * 200)
    (run / 'plots/x"><i>.png').write_bytes(b"no picture")
    result = json.loads((run / "result.json").read_text())
    result["metrics"]["<i>"], result["versions"]["<u>"] = math.nan, "<u>"
    (run / "result.json").write_text(json.dumps(result))
    read = page(tmp_path, run)
    assert "<script>alert(1)</script></pre></main>��" in read.text
    assert "no PNG file" in read.text and "not a number" in read.text
    assert not {"script", "i", "b", "u"} & {name for name, _ in read.tags}
    assert all(i["src"].startswith("data:image/png;base64,") for i in read.all("img"))


def test_unfinished_runs_are_shown_and_said(run, tmp_path):
    (run / "result.json").unlink()
    with open(run / "metrics.jsonl", "a") as out:
        out.write('{"step": 10, "sec')  # cut off by a kill
    read = page(tmp_path, run)
    assert "not finished: step 8 of 8" in read.text and "Curves" in read.text
    assert "nothing to hold against the reference yet" in read.text
    for name in ("metrics.jsonl", "samples.txt", "data.json", "plots/loss.png"):
        (run / name).unlink()
    read = page(tmp_path, run)
    assert "not finished: nothing logged yet" in read.text and "Curves" not in read.text


def test_stages_are_inside_of_their_run_and_may_not_have_begun(run, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "config.json").write_text(configs.to_json(tasks.defaults_of("corpora")))
    (whole / "samples.txt").write_text("════ kitchen ════\n\nboil the water\n")
    run.rename(whole / "common")
    read = page(tmp_path, whole)
    assert [1, "whole"] in read.headings and [2, "whole/common"] in read.headings
    assert "not finished: 1 of 3 stages" in read.text and "boil the water" in read.text
    assert "Not begun." in read.text


def test_a_run_is_held_against_the_reference_and_the_figures_of_others(run, tmp_path, monkeypatch):
    result = json.loads((run / "result.json").read_text())
    monkeypatch.setattr(reference, "FILE", tmp_path / "reference.json")

    def told(**changes):
        entry = {"char_lm:alice": {"runs": [result | changes]}}
        reference.FILE.write_text(json.dumps(entry))
        return page(tmp_path, run).text

    text = told()
    assert "The same bits as the reference" in text and "1.365 by Kneser-Ney 10-gram" in text
    assert "reference, seed 0" in text and "not beaten" in text
    assert "Not the same bits" in told(params_sha256="0")
    assert "Not the same bits" in told(average_sha256="0")
    other = told(params_sha256="0", versions=result["versions"] | {"jax": "0.1"})
    assert "made with other settings; jax 0.1, here" in other
    assert "no char_lm:alice with seed 0" in told(seed=5)


def test_verify_compares_the_average_where_there_is_one(run, tmp_path, monkeypatch, capsys):
    result = json.loads((run / "result.json").read_text())
    monkeypatch.setattr(reference, "FILE", tmp_path / "reference.json")

    config = json.loads((run / "config.json").read_text())

    def verified(entry, keys=""):
        command = f"python train.py --config=configs/char_lm.py:alice {keys}"
        entries = {"char_lm:alice": {"runs": [entry], "command": command}}
        reference.FILE.write_text(json.dumps(entries))
        code = cli.run(report.main, ["report", f"--verify={run}"])
        return code, "".join(capsys.readouterr())

    code, out = verified(result)
    assert code == 2 and "for which there is no reference" in out
    config["data"]["path"] = ""
    (run / "config.json").write_text(json.dumps(config))
    code, out = verified(result)
    assert code == 0 and "average_sha256: the same" in out
    code, out = verified(result | {"average_sha256": "0"})
    assert code == 1 and "average_sha256: different" in out
    assert "trained with" not in out
    code, out = verified({k: v for k, v in result.items() if k != "average_sha256"}, "--config.a=1")
    assert "the reference was trained with --config.a=1\n" in out
    assert code == 0 and "average_sha256: not in the reference" in out


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", "config.json"),
        ("config.json", b"[]", "config.json"),
        ("config.json", b'{"task": "nonsense"}', "config.json"),
        ("config.json", b'{"task": "language_model", "model": 3}', "config.json"),
        ("config.json", b'{"task": "language_model", "about": 3}', "about"),
        ("config.json", b'{"task": "language_model", "results": [3]}', "config.json"),
        ("config.json", b"\xff\xfe", "config.json"),
        ("result.json", b"{", "result.json"),
        ("result.json", b"[]", "result.json"),
        ("result.json", b'{"metrics": {}}', "params"),
        ("metrics.jsonl", b'{"step": 1, "seconds": 1}\nnonsense\n{}\n', "metrics.jsonl, line 2"),
        ("metrics.jsonl", b'{"step": 1}\n{"step": 2, "seconds": 1}\n', "metrics.jsonl, line 1"),
        ("metrics.jsonl", b"\xff\n\n", "metrics.jsonl"),
    ],
)
def test_damaged_files_are_told_in_one_line(run, capsys, file, content, message):
    (run / file).write_bytes(content)
    error = fails(capsys, run)
    assert str(run) in error and message in error
    assert not (run / "report.html").exists()


def test_what_is_no_run_and_what_cannot_be_written_is_told(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert "gone: no such folder" in fails(capsys, run, "gone")
    assert "file: no such folder" in fails(capsys, tmp_path / "file")
    assert "empty: not a run of train.py" in fails(capsys, tmp_path / "empty")
    assert "a folder; give the name of a file" in fails(capsys, run, f"--out={tmp_path}")
    assert "a folder; give the name of a file" in fails(capsys, run, "--out=")
    assert "cannot be written" in fails(capsys, run, f"--out={tmp_path}/file/page.html")
    assert "--out goes with run folders" in fails(capsys, "--table", "--out=x.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "run"]


def test_a_damaged_reference_is_told(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reference, "FILE", tmp_path / "reference.json")
    reference.FILE.write_text("{")
    assert "reference.json is damaged" in fails(capsys, run)


def drawn(*points, **more):
    return str(chart.draw([chart.Line("a", points, 0, **more)], title="t", x="step", y="loss"))


def test_a_curve_has_a_gap_where_there_is_no_number():
    path = re.search(r'<path d="(M[^"]*)" class="s0"', drawn((0, 1), (1, 2), (2, math.nan), (3, 1)))
    assert path[1].count("M") == 2 and path[1].count("L") == 1
    assert chart.draw([], title="t", x="x", y="y") is None
    nothing = [chart.Line("a", [(0, math.inf), (1, None)], 0)]
    assert chart.draw(nothing, title="t", x="x", y="y") is None


def test_a_single_point_has_a_mark():
    assert drawn((5, 1.0)).count("<use") == 1
    assert drawn((0, 1.0), (5, 1.0)).count("<use") == 0
    assert drawn(*((i, 1.0 + i) for i in range(100)), marks=9).count("<use") == 1 + 9


def test_a_wide_range_is_logarithmic_and_zero_or_less_is_not():
    assert "loss, logarithmic" in drawn((0, 100.0), (1, 1.0))
    assert "logarithmic" not in drawn((0, 2.0), (1, 1.0))
    assert "logarithmic" not in drawn((0, 100.0), (1, -1.0))


@pytest.mark.parametrize("high", [1e-9, 0.003, 0.7, 1.3, 42, 999, 123456, 4e9])
@pytest.mark.parametrize("low", [0.0, 0.5, 0.9999])
def test_ticks_are_few_and_all_differ(low, high):
    labels = re.findall(r'text-anchor="end">([^<]+)<', drawn((0, low * high), (1, high)))
    assert 2 <= len(labels) <= 8 and len(set(labels)) == len(labels)
    assert all(len(label) <= 11 for label in labels)


def test_a_long_curve_keeps_its_spikes():
    points = [(i, 1.0) for i in range(50_000)]
    points[12_345] = (12_345, 9.0)
    path = re.search(r'<path d="(M[^"]*)" class="s0"', drawn(*points))[1]
    heights = [float(pair.split()[1]) for pair in re.split("[ML]", path)[1:]]
    assert len(heights) < 1000 and sorted(heights)[0] < 100 and sorted(heights)[1] > 900


def contrast(one, other):
    """The ratio of WCAG 2."""

    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    low, high = sorted([luminance(one), luminance(other)])
    return high / low


@pytest.mark.parametrize("colors", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_text_and_curves_stand_out_from_the_paper(colors):
    for name in ("ink", "quiet", "link", "done", "open"):
        assert contrast(colors[name], colors["paper"]) >= 4.5
    assert contrast(colors["ink"], colors["box"]) >= 4.5
    for i in range(chart.COLORS):
        assert contrast(colors[f"s{i}"], colors["paper"]) >= 3


def test_markup_is_escaped_where_it_is_made():
    made = tag("p", "<", tag("b", "&"), ["x", None], title='"', hidden=True, class_="c", lang=None)
    assert made == '<p title="&quot;" hidden class="c">&lt;<b>&amp;</b>x</p>'
