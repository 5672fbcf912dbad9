"""Bad input to the commands: one line that says what is wrong, exit code 2, nothing written."""

import shutil
from pathlib import Path

import pytest
from bad_input import ids, keys, told

import train
from zoo import cli, compare, predict, report, reproduce, sample, score
from zoo.bench import command as bench

ROOT = Path(__file__).parent.parent
BIG = 10**30
MAIN = {
    "sample": sample.main,
    "score": score.main,
    "predict": predict.main,
    "report": report.main,
    "reproduce": reproduce.main,
    "compare": compare.main,
    "bench": bench.main,
}


@pytest.fixture(scope="module")
def runs(paths, tmp_path_factory):
    """config -> a finished tiny run of it; the folder of all is their parent."""
    folder = tmp_path_factory.mktemp("runs")
    for config in ("char_lm", "forecast", "language_detector", "text_classifier"):
        given = [f"--config.data.path={paths[config]}", *keys(config), f"--run={folder / config}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            assert cli.run(train.main, ["train.py", f"--config=configs/{config}.py", *given]) == 0
    return folder


pytestmark = pytest.mark.usefixtures("at_the_root")


TRAIN = [
    ("", "--config is missing"),
    ("--config=", "--config is missing"),
    ("--config=configs/charlm.py", "did you mean configs/char_lm.py?"),
    ("--config=README.md", "a config is a Python file that defines get_config(variant)"),
    ("--config=configs", "no such file"),
    ("--config=configs/char_lm.py:alise", "did you mean 'alice'?"),
    ("--config=configs/char_lm.py --steps=5", "did you mean --config.steps=5?"),
    ("--config=configs/char_lm.py --hidden=5", "did you mean --config.model.hidden=5?"),
    ("--config=configs/char_lm.py --data.path=x", "did you mean --config.data.path=x?"),
    ("--config=configs/char_lm.py --batch_size 5", "did you mean --config.batch_size?"),
    ("--config=configs/char_lm.py --config.hidden=5", "did you mean --config.model.hidden?"),
    ("--config=configs/char_lm.py --config.schedule=linear", "--config.optimizer.schedule?"),
    ("--config=configs/char_lm.py --config.model=5", "a group of keys; set one of"),
    ("--config=configs/char_lm.py --config.zzz=5", "add --help for a list of its keys"),
    ("--config=configs/char_lm.py --config.task=forecasting", "is the config file's own"),
    ("--config=configs/char_lm.py --noconfig.steps", "write --config.steps=VALUE"),
    ("--config=configs/char_lm.py --config.steps=3 --config.epochs=1", "set one of them"),
    ("--config=configs/char_lm.py --config.steps", "must be a whole number"),
    ("--config=configs/char_lm.py alice", "stray argument 'alice'"),
    ("--config=configs/char_lm.py --mode=trian", "must be one of train, eval, check"),
    ("--config=configs/char_lm.py --rnu=x", "rnu"),
    ("--config=configs/char_lm.py --run=", "--run is empty"),
    ("--config=configs/char_lm.py --seeds=0", "--seeds=0: must be at least 1"),
    ("--config=configs/char_lm.py --seeds=-2", "must be at least 1"),
    (f"--config=configs/char_lm.py --seeds={BIG}", "must be at most 1000"),
    ("--config=configs/char_lm.py --seeds=two", "seeds"),
    ("--config=configs/char_lm.py --seeds=1 --config.seed=7", "trains the seeds from 0 on"),
    ("--config=configs/char_lm.py --overwrite --mode=eval", "not with --mode=eval"),
    ("--config=configs/char_lm.py --overwrite --mode=check", "not with --mode=check"),
    ("--config=configs/char_lm.py --mode=eval --run={runs}/none", "no such folder"),
    ("--config=configs/char_lm.py --mode=eval --run={runs}/char_lm --config.model.hidden=9", "trained"),
    ("--config=configs/char_lm.py --overwrite --config.data.path={text} --run={text}", "is no folder"),
    ("--config=configs/char_lm.py --overwrite --config.data.path={text} --run={data}", "nothing was"),
]  # fmt: skip

COMMANDS = [
    ("sample", "", "--run is missing"),
    ("sample", "--run={runs}/none", "no such folder"),
    ("sample", "--run={runs}", "has no config.json"),
    ("sample", "--run={runs}/forecast", "writes no text"),
    ("sample", "--run={runs}/char_lm --length=0", "--length=0: must be at least 1"),
    ("sample", "--run={runs}/char_lm --length=-5", "must be at least 1"),
    ("sample", f"--run={{runs}}/char_lm --length={BIG}", "must be at most 10000000"),
    ("sample", "--run={runs}/char_lm --length=long", "length"),
    ("sample", "--run={runs}/char_lm --num=0", "--num=0: must be at least 1"),
    ("sample", f"--run={{runs}}/char_lm --num={BIG}", "must be at most 10000"),
    ("sample", "--run={runs}/char_lm --top_k=-1", "--top_k=-1: must be at least 0"),
    ("sample", "--run={runs}/char_lm --top_k=2147483648", "must be at most 2147483647"),
    ("sample", f"--run={{runs}}/char_lm --top_k={BIG}", "must be at most 2147483647"),
    ("sample", "--run={runs}/char_lm --seed=-1", "--seed=-1: must be at least 0"),
    ("sample", "--run={runs}/char_lm --seed=4294967296", "must be at most 4294967295"),
    ("sample", f"--run={{runs}}/char_lm --seed={BIG}", "must be at most 4294967295"),
    ("sample", "--run={runs}/char_lm --temperature=inf", "--temperature=inf: must be at most 1000"),
    ("sample", "--run={runs}/char_lm --temperature=nan", "must be at least 0"),
    ("sample", "--run={runs}/char_lm --temperature=-1", "must be at least 0"),
    ("sample", "--run={runs}/char_lm --temperature=1e-300", "must be 0, or at least 0.001"),
    ("sample", "--run={runs}/char_lm --temperature=hot", "temperature"),
    ("sample", "--run={runs}/char_lm --top_p=0", "must be more than 0 and at most 1"),
    ("sample", "--run={runs}/char_lm --top_p=nan", "must be more than 0 and at most 1"),
    ("sample", "--run={runs}/char_lm --prompt=", "--prompt is empty"),
    ("sample", "--run={runs}/char_lm --prompt=☃", "has not seen: '☃'"),
    ("sample", "--run={runs}/char_lm --prompt=a --prompt_file=b", "give one of them"),
    ("sample", "--run={runs}/char_lm --prompt_file={data}/none", "does not exist"),
    ("sample", "--run={runs}/char_lm --unseen=skip", "must be one of error, replace"),
    ("sample", "--run={runs}/char_lm --member=alice", "one model alone; leave it out"),
    ("sample", "--run={runs}/char_lm the", "stray argument 'the'"),
    ("score", "", "--run is missing"),
    ("score", "--run={runs}/forecast", "gives text no probability"),
    ("score", "--run={runs}/char_lm --input={data}/none", "No such file"),
    ("score", "--run={runs}/char_lm --dynamic_rate=1", "goes with --dynamic; add it"),
    ("score", "--run={runs}/char_lm --dynamic --dynamic_rate=-1", "must be at least 0"),
    ("score", "--run={runs}/char_lm --dynamic --dynamic_rate=inf", "must be at most 1000"),
    ("score", "--run={runs}/char_lm --dynamic --dynamic_decay=nan", "must be at least 0"),
    ("score", f"--run={{runs}}/char_lm --dynamic --dynamic_segment={BIG}", "must be at most 1000000"),
    ("score", "--run={runs}/char_lm --mixed --input={text}", "train with --config.mix=True"),
    ("predict", "", "--run is missing"),
    ("predict", "--run={runs}/char_lm", "is a run of the task 'language_model'"),
    ("predict", "--run={runs}/forecast --horizon=0", "--horizon=0: must be at least 1"),
    ("predict", f"--run={{runs}}/forecast --horizon={BIG}", "must be at most 100000"),
    ("predict", "--run={runs}/forecast --level=1", "must be between 0 and 1"),
    ("predict", "--run={runs}/forecast --level=nan", "must be between 0 and 1"),
    ("predict", "--run={runs}/forecast --languages=en", "is for runs of language_detection"),
    ("predict", "--run={runs}/forecast --input={data}/none.csv", "does not exist"),
    ("predict", "--run={runs}/forecast --input={data}/mails.csv", "mails.csv"),
    ("predict", "--run={runs}/language_detector --languages=en,xx", "'xx' is unknown"),
    ("predict", "--run={runs}/language_detector --languages=en", "give two or more, such as en,fr"),
    ("predict", "--run={runs}/language_detector --languages=", "--languages=: give two or more"),
    ("predict", "--run={runs}/language_detector --priors=en=0", "more than 0"),
    ("predict", "--run={runs}/language_detector --priors=en=inf", "more than 0"),
    ("predict", "--run={runs}/language_detector --margin=2", "must be from 0 to 1"),
    ("predict", "--run={runs}/language_detector --margin=nan", "must be from 0 to 1"),
    ("predict", "--run={runs}/language_detector --input={data}/none", "No such file"),
    ("predict", "--run={runs}/text_classifier --top=-1", "--top=-1: must be at least 0"),
    ("predict", f"--run={{runs}}/text_classifier --top={BIG}", "must be at most"),
    ("predict", "--run={runs}/text_classifier --input={data}", "give one file"),
    ("predict", "--run={runs}/text_classifier --input={data}/sales.csv", "'text'"),
    ("report", "", "give one of DIR"),
    ("report", "{runs}/none", "no such folder"),
    ("report", "{data}", "it has no config.json"),
    ("report", "--table --verify=x", "give one of DIR"),
    ("report", "--verify={runs}/none", "no such folder"),
    ("report", "--verify={runs}/char_lm", "for which there is no reference"),
    ("report", "--picture={data}/x.png", "plots go with --picture"),
    ("report", "--picture={data}/x.png {text}", "no PNG file"),
    ("report", "{runs}/char_lm --out={data}", "a folder; give the name of a file"),
    ("reproduce", "", "no config given"),
    ("reproduce", "configs/char_lm.py --seeds=0", "must be at least 1"),
    ("reproduce", f"configs/char_lm.py --seeds={BIG}", "must be at most 1000"),
    ("reproduce", "configs/none.py", "no such file"),
    ("reproduce", "--config.seed=1", "no config given"),
    ("compare", "", "no config given"),
    ("compare", "none", "no such file"),
    ("bench", "", "give one of core"),
    ("bench", "fast", "give one of core"),
    ("bench", "core --rounds=0", "must be at least 1"),
    ("bench", f"core --rounds={BIG}", "must be at most"),
    ("bench", f"bank --members={BIG}", "must be at most"),
    ("bench", "core --out={data}/none/x.json", "there is no such folder"),
]  # fmt: skip


def argv(words, runs, paths):
    places = {"runs": runs, "data": paths["char_lm"].parent, "text": paths["char_lm"]}
    return [word.format(**places) for word in words.split()]


@pytest.mark.parametrize("case", TRAIN, ids=ids)
def test_a_wrong_training_is_told_and_nothing_is_written(case, capsys, runs, paths):
    words, message = case
    command = ["train.py", *argv(words, runs, paths)]
    assert message in told(capsys, train.main, command, runs.parent)


@pytest.mark.parametrize("case", COMMANDS, ids=ids)
def test_a_wrong_command_is_told_and_nothing_is_written(case, capsys, runs, paths):
    name, words, message = case
    command = [name, *argv(words, runs, paths)]
    assert message in told(capsys, MAIN[name], command, runs.parent)


START = "from zoo.tasks.language_model.config import defaults\nVARIANTS = ('one',)\n"
FILES = {
    "raises": (
        START + "def get_config(v):\n    return 1 / 0\n",
        "bad.py, line 4: ZeroDivisionError",
    ),
    "five": (
        START + "def get_config(v):\n    return 5\n",
        "get_config returned int, not a ConfigDict",
    ),
    "no variants": ("def get_config(v): pass\n", "defines no VARIANTS"),
    "empty variants": ("VARIANTS = ()\n", "defines no VARIANTS"),
    "a word for variants": ("VARIANTS = 'one'\n", "defines no VARIANTS"),
    "no get_config": ("VARIANTS = ('one',)\n", "has no function get_config(variant)"),
    "no argument": (
        "VARIANTS = ('one',)\ndef get_config(): pass\n",
        "takes 0 positional arguments",
    ),
    "syntax": ("VARIANTS = ('one',)\ndef get_config(:\n", "bad.py, line 2: SyntaxError"),
    "exits": ("import sys\nsys.exit(3)\n", "bad.py, line 2: SystemExit: 3"),
    "no module": ("import nowhere\n", "bad.py, line 1: ModuleNotFoundError"),
    "wrong type": (
        START + "def get_config(v):\n    c = defaults()\n    c.batch_size = 'x'\n    return c\n",
        "bad.py, line 5: TypeError",
    ),
    "misspelt key": (
        START + "def get_config(v):\n    c = defaults()\n    c.batchsize = 5\n    return c\n",
        "sets batchsize, which is no key of the task language_model; did you mean batch_size?",
    ),
    "wrong task": (
        START + "def get_config(v):\n    c = defaults()\n    c.task = 'forecast'\n    return c\n",
        "did you mean 'forecasting'?",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_config_that_does_not_load_is_told_with_its_line(name, capsys, tmp_path):
    content, message = FILES[name]
    (tmp_path / "bad.py").write_text(content)
    command = ["train.py", f"--config={tmp_path}/bad.py", f"--run={tmp_path}/run"]
    assert message in told(capsys, train.main, command, tmp_path)


DAMAGED = [
    ("config.json", "{"),
    ("config.json", "[]"),
    ("result.json", "{"),
    ("vocabulary.json", "{"),
]


@pytest.mark.parametrize("case", DAMAGED, ids=ids)
def test_a_damaged_run_is_told_with_its_file(case, capsys, runs, tmp_path):
    name, content = case
    run = tmp_path / "run"
    shutil.copytree(runs / "char_lm", run)
    (run / name).write_text(content)
    assert name in told(capsys, sample.main, ["sample", f"--run={run}"], tmp_path)
