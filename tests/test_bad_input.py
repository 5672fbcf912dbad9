"""Bad input to train.py: one line that says what is wrong and where, exit code 2, nothing written."""

from pathlib import Path

import pytest
from bad_input import ids, keys, told

import train
from zoo import config as configs
from zoo import tasks
from zoo.errors import UserError
from zoo.train import averaging, mesh, optimizers, plan

ROOT = Path(__file__).parent.parent
BIG = 10**30


pytestmark = pytest.mark.usefixtures("at_the_root")


KEYS = [
    # What every config has.
    ("char_lm", f"seed={BIG}", "--config.seed=1000000000000000000000000000000: must be at most 4294967295"),
    ("char_lm", "seed=-1", "--config.seed=-1: must be at least 0"),
    ("char_lm", "seed=1.5", "--config.seed=1.5: must be a whole number, such as 100"),
    ("char_lm", "seed=one", "must be a whole number"),
    ("char_lm", f"steps={BIG}", "must be at most 2147483647"),
    ("char_lm", "steps=2147483648", "must be at most 2147483647"),
    ("char_lm", "steps=0", "--config.steps=0: must be at least 1"),
    ("char_lm", "steps=-5", "must be at least 1"),
    ("char_lm", "steps=1e5", "must be a whole number"),
    ("char_lm", "steps=", "--config.steps=: must be a whole number"),
    ("char_lm", "steps=None", "must be a whole number"),
    ("char_lm", "epochs=0", "--config.epochs=0.0: must be more than 0"),
    ("char_lm", "epochs=-1", "must be more than 0"),
    ("char_lm", "epochs=nan", "--config.epochs=nan: must be a finite number"),
    ("char_lm", "epochs=inf", "--config.epochs=inf: must be a finite number"),
    ("char_lm", "epochs=2000000000", "--config.epochs=2000000000.0: must be at most"),
    ("char_lm", "epochs=ten", "--config.epochs=ten: must be a number, such as 0.5"),
    ("char_lm", "minutes=-1", "--config.minutes=-1.0: must be at least 0"),
    ("char_lm", "minutes=inf", "must be a finite number"),
    ("char_lm", "batch_size=0", "--config.batch_size=0: must be at least 1"),
    ("char_lm", f"batch_size={BIG}", "must be at most 2147483647"),
    ("char_lm", "batch_size=1000000", "use a longer text, or --config.batch_size"),
    ("char_lm", "log_every=0", "--config.log_every=0: must be at least 1"),
    ("char_lm", "log_every=-3", "must be at least 1"),
    ("char_lm", "eval_every=0", "--config.eval_every=0: must be at least 1"),
    ("char_lm", "eval_epochs=0", "--config.eval_epochs=0.0: must be more than 0"),
    ("char_lm", "eval_epochs=1e9", "--config.eval_epochs=1000000000.0: must be at most"),
    ("char_lm", "checkpoint_every=-1", "--config.checkpoint_every=-1: must be at least 0"),
    ("char_lm", "checkpoint_minutes=-0.5", "must be at least 0"),
    ("char_lm", "checkpoint_minutes=nan", "must be a finite number"),
    ("char_lm", "keep=0", "--config.keep=0: must be at least 1"),
    ("char_lm", "patience=-1", "--config.patience=-1: must be at least 0"),
    ("char_lm", "patience=3 best.metric=", "needs --config.best.metric"),
    ("char_lm", "best.metric=loss", "--config.best.metric=loss: It can be train_loss, valid_loss"),
    ("char_lm", "best.mode=lowest", "It can be min, max"),
    ("char_lm", "best.slack=-0.1", "--config.best.slack=-0.1: must be at least 0"),
    ("char_lm", "target.mode=low", "It can be min, max"),
    ("char_lm", "target.value=inf", "must be a finite number"),
    ("char_lm", "target.metric=accuracy", "--config.target.metric=accuracy"),
    # The optimizer.
    ("char_lm", "optimizer.name=adamax", "did you mean 'adam'?"),
    ("char_lm", "optimizer.learning_rate=-1", "--config.optimizer.learning_rate=-1.0: must be at least 0"),
    ("char_lm", "optimizer.learning_rate=nan", "must be a finite number"),
    ("char_lm", "optimizer.learning_rate=1e9", "must be at most 1000"),
    ("char_lm", "optimizer.learning_rate=fast", "must be a number, such as 0.5"),
    ("char_lm", "optimizer.clip_norm=-1", "must be at least 0"),
    ("char_lm", "optimizer.weight_decay=-1", "must be at least 0"),
    ("char_lm", "optimizer.b1=1", "--config.optimizer.b1=1.0: must be from 0 to 0.999999"),
    ("char_lm", "optimizer.b2=-0.1", "must be from 0 to 0.999999"),
    ("char_lm", "optimizer.momentum=2", "must be from 0 to 1"),
    ("char_lm", "optimizer.warmup_steps=-1", "must be at least 0"),
    ("char_lm", "optimizer.final_fraction=2", "must be from 0 to 1"),
    ("char_lm", "optimizer.schedule=linear", "It can be constant, cosine, plateau"),
    ("char_lm", "optimizer.schedule=plateau minutes=1", "--config.minutes=1.0: not with"),
    ("char_lm", "optimizer.schedule=plateau optimizer.plateau_factor=7", "must be from 0 to 1"),
    ("char_lm", "optimizer.plateau_patience=0", "must be at least 1"),
    ("char_lm", "optimizer.average=mean", "--config.optimizer.average=mean"),
    ("char_lm", "optimizer.ema_decay=1.1", "must be from 0 to 1"),
    ("char_lm", "optimizer.average_patience=0", "must be at least 1"),
    ("char_lm", "optimizer.average_patience=2000000000", "must be at most 10000"),
    # Devices.
    ("char_lm", "mesh.data=0", "--config.mesh.data=0: must be at least 1, or -1 for as many devices"),
    ("char_lm", "mesh.data=-2", "must be at least 1, or -1"),
    ("char_lm", "mesh.data=64", "needs 64 devices; there are 4"),
    ("char_lm", "mesh.data=3", "--config.batch_size=4: must be a multiple of --config.mesh.data=3"),
    ("char_lm", "mesh.model=0", "--config.mesh.model=0: must be at least 1"),
    ("char_lm", "mesh.model=100", "--config.mesh.model=100: must be at most 4, the devices there are"),
    # A language model.
    ("char_lm", "data.window=0", "--config.data.window=0: must be at least 1"),
    ("char_lm", "data.window=2000000000", "window 2000000000 needs at least"),
    ("char_lm", "data.valid=1", "--config.data.valid=1.0: must be from 0 to 0.99"),
    ("char_lm", "data.valid=-0.1", "must be from 0 to 0.99"),
    ("char_lm", "data.valid=0.6 data.test=0.5", "leave no text to train on; together they must be below 1"),
    ("char_lm", "data.valid=0", "--config.data.valid=0: no validation part to choose by"),
    ("char_lm", "data.test=nan", "must be a finite number"),
    ("char_lm", "data.min_count=0", "--config.data.min_count=0: must be at least 1"),
    ("char_lm", "data.min_count=100000", "nothing in the training text occurs so often; set it lower"),
    ("char_lm", "data.most=1 data.symbols=words", "--config.data.most=1: must be at least 2"),
    ("char_lm", "data.vary=-1", "--config.data.vary=-1.0: must be at least 0"),
    ("char_lm", "data.in_memory=-1", "must be at least 0"),
    ("char_lm", "data.symbols=letters", "--config.data.symbols=letters"),
    ("char_lm", "data.batches=rows", "It can be lanes, chunks, prefixes, windows"),
    ("char_lm", "data.targets=all", "only with --config.data.batches=windows"),
    ("char_lm", "data.encoding=utf-9", "utf-9"),
    ("char_lm", "data.lowercase=maybe", "--config.data.lowercase=maybe: must be True or False"),
    ("char_lm", "data.files=*.py", "only with --config.data.joined=True"),
    ("char_lm", "data.corpora=a,b", "several corpora are read in chunks"),
    ("char_lm", "model.hidden=0", "--config.model.hidden=0: must be at least 1"),
    ("char_lm", "model.hidden=2000000", "must be at most 65536"),
    ("char_lm", "model.hidden=65536 model.layers=90", "parameters; to train it takes more than"),
    ("char_lm", "model.layers=100000", "--config.model.layers=100000: must be at most 100"),
    ("char_lm", "model.embed=-1", "must be at least 1"),
    ("char_lm", "model.ensemble=0", "--config.model.ensemble=0: must be at least 1"),
    ("char_lm", "model.dropout=1", "--config.model.dropout=1.0: must be from 0 to 0.99"),
    ("char_lm", "model.dropout_out=-0.1", "must be from 0 to 0.99"),
    ("char_lm", "model.activation=-1", "must be at least 0"),
    ("char_lm", "model.cutoffs=5,3", "must rise, such as 2000,10000"),
    ("char_lm", "model.cutoffs=a,b", "must rise, such as 2000,10000"),
    ("char_lm", "model.cell=ltsm", "did you mean 'lstm'?"),
    ("char_lm", "negatives=-1", "must be at least 0"),
    ("char_lm", "kneser_ney=-2", "--config.kneser_ney=-2: must be at least -1"),
    ("char_lm", "kneser_ney=5000", "--config.kneser_ney=5000: must be at most 100"),
    ("char_lm", "mix=True kneser_ney=0", "add --config.kneser_ney=-1"),
    ("char_lm", "start=nowhere", "--config.start=nowhere: no finished run is there"),
    # Forecasts.
    ("forecast", "horizon=0", "--config.horizon=0: must be at least 1"),
    ("forecast", "horizon=2000000000", "must be at most 1000000"),
    ("forecast", "model.length=0", "must be at least 1"),
    ("forecast", "model.length=5000", "use a longer series, or smaller"),
    ("forecast", "model.patch=5", "must divide --config.model.length=6"),
    ("forecast", "model.layers=0", "must be at least 1"),
    ("forecast", "model.embed=-1", "must be at least 0"),
    ("forecast", "data.rows=-1", "must be at least 0"),
    ("forecast", "data.test=-1", "must be at least 0"),
    ("forecast", "data.test=5000", "--config.data.test"),
    ("forecast", "data.valid=500", "--config.data"),
    ("forecast", "data.skip_last=-1", "must be at least 0"),
    ("forecast", "data.skip_last=5000", "--config.data.skip_last"),
    ("forecast", "data.difference=0", "lags of at least 1, such as 1,12"),
    ("forecast", "data.difference=a", "lags of at least 1, such as 1,12"),
    ("forecast", "data.difference=9999", "use a longer series"),
    ("forecast", "data.known=sales data.column=sales", "is the column of --config.data.known already"),
    ("forecast", "data.known=sales,price", "no other column of numbers is left, which could be forecast"),
    ("forecast", "data.known=saels", "did you mean 'sales'?"),
    ("forecast", "data.column=profit", "--config.data.column=profit: column 'profit' is unknown"),
    ("forecast", "data.column=shop", "is no number"),
    ("forecast", "data.time=when", "column 'when' is unknown"),
    ("forecast", "data.frequency=fortnight", "fortnight"),
    ("forecast", "data.key=shops", "did you mean 'shop'?"),
    ("forecast", "data.missing=guess", "It can be error, interpolate"),
    ("forecast", "data.transform=sqrt", "It can be none, log"),
    ("forecast", "data.scaler=max", "did you mean 'minmax'?"),
    ("forecast", "ensemble.members=0", "--config.ensemble.members=0: must be at least 1"),
    ("forecast", "ensemble.members=1000000", "must be at most 10000"),
    ("forecast", "ensemble.gamma=2", "must be from 0 to 1"),
    ("forecast", "ensemble.recent=-1", "must be at least 0"),
    ("forecast", "ensemble.holdout=1", "must be from 0 to 0.9"),
    ("forecast", "ensemble.lengths=a", "--config.ensemble.lengths"),
    ("forecast", "ensemble.differences=12", "each lags of at least 1"),
    ("forecast", "ensemble.transforms=sqrt", "each must be none or log"),
    ("forecast", "ensemble.combine=median", "did you mean 'mean'?"),
    ("forecast", "loss=rmse", "--config.loss=rmse: did you mean 'mse'?"),
    ("forecast", "baselines=all", "It can be naive, classical"),
    ("airline", "data.name=airlines", "did you mean 'airline'?"),
    # Languages.
    ("language_detector", "data.languages=en,xx", "--config.data.languages: language 'xx' is unknown"),
    ("language_detector", "data.languages=en", "--config.data.languages=en: one language"),
    ("language_detector", "data.window=0", "must be at least 1"),
    ("language_detector", "data.window=100000", "--config.data.window"),
    ("language_detector", "data.min_count=100000", "nothing in the training text occurs so often"),
    ("language_detector", "data.test=0.95", "must be from 0 to 0.9"),
    ("language_detector", "data.test_lines=-1", "must be at least 0"),
    ("language_detector", "margin=2", "--config.margin=2.0: must be from 0 to 1"),
    ("language_detector", "contenders=1", "must be at least 2"),
    ("language_detector", "priors=en", "must be CODE=WEIGHT"),
    ("language_detector", "priors=en=-1", "more than 0"),
    ("language_detector", "contamination=-1", "must be from 0 to 1"),
    ("language_detector", "model.class_embed=-1", "must be at least 0"),
    ("language_detector", "ensemble.members=99999999", "must be at most 10000"),
    ("language_detector", "data.ends=words", "It can be none, spaces"),
    ("language_detector", "data.starts=words", "It can be anywhere, spaces"),
    ("language_detector", "data.encodings=fr", "fr"),
    # Classes of texts.
    ("text_classifier", "data.text=body", "body"),
    ("text_classifier", "data.label=kind", "kind"),
    ("text_classifier", "data.limit=0", "must be at least 1"),
    ("text_classifier", "data.buckets=0", "--config.data.buckets=0: must be at least 1"),
    ("text_classifier", "data.test_seed=-1", "must be at least 0"),
    ("text_classifier", f"data.test_seed={BIG}", "must be at most"),
    ("text_classifier", "data.crop=-1", "must be at least 0"),
    ("text_classifier", "data.min_count=5000", "nothing in the training text occurs so often"),
    ("text_classifier", "data.valid=1", "must be from 0 to 0.99"),
    ("text_classifier", "data.split=random", "It can be stratified, position"),
    ("text_classifier", "smoothing=1", "must be from 0 to 0.99"),
    ("text_classifier", "curve=21", "must be from 0 to 20"),
    ("text_classifier", "objective=generativ", "did you mean 'generative'?"),
    ("text_classifier", "model.pool=sum", "--config.model.pool=sum"),
    ("text_classifier", "model.class_embed=0", "must be at least 1"),
    ("text_classifier", "pretrain.epochs=-1", "must be at least 0"),
    ("text_classifier", "pretrain.discriminate=0", "must be from 0.01 to 1"),
    ("text_classifier", "adversarial.size=-1", "must be at least 0"),
    # Several corpora.
    ("corpora", "steps=5", "each stage has its own"),
    ("corpora", "data.length=0", "must be at least 1"),
    ("corpora", "check.sequences=0", "must be at least 1"),
    ("corpora", "check.temperature=-1", "must be at least 0"),
    ("corpora", "check.ngram=999", "must be at most --config.data.length"),
    ("corpora", "data.valid=0", "must be from 0.001 to 0.99"),
    ("corpora", "data.length=100000", "has fewer than 100000 words"),
]  # fmt: skip


@pytest.mark.parametrize("case", KEYS, ids=ids)
def test_a_key_out_of_range_is_told_and_nothing_is_written(case, capsys, tmp_path, paths):
    config, words, message = case
    path = [f"--config.data.path={paths[config]}"] if config in paths else []
    argv = ["train.py", f"--config=configs/{config}.py", f"--run={tmp_path}/run", *path]
    assert message in told(capsys, train.main, [*argv, *keys(config, words)], tmp_path)


@pytest.mark.parametrize("task", [name for name in tasks.names() if tasks.module(name, "task")])
def test_every_number_of_every_task_has_bounds(task):
    def check(config):
        configs.settle(config, [])
        tasks.make(config)
        for part in (plan, optimizers, averaging, mesh):
            part.check(config)

    def refused(key, value):
        config = tasks.defaults_of(task)
        config.steps = 5
        config.update_from_flattened_dict({key: value})
        with pytest.raises(UserError) as error:
            check(config)
        assert f"--config.{key}={value}" in str(error.value), error.value

    own = tasks.defaults_of(task)
    numbers = [k for k, v in configs.flatten(own).items() if type(v) in (int, float)]
    assert len(numbers) > 25
    for key in [*numbers, "steps", "epochs", "eval_every", "eval_epochs"]:
        kind = own.get_ref(key).get_type() if "." not in key else type(configs.flatten(own)[key])
        refused(key, kind(10**10))
        if key != "target.value":
            refused(key, kind(-7))
        if kind is float:
            refused(key, float("nan"))
            refused(key, float("inf"))
