"""A finished run goes on: longer than was asked for at first. Its folder keeps what it was before."""

import json
from pathlib import Path

from ml_collections import ConfigDict

from zoo import config as configs
from zoo.errors import UserError
from zoo.runs import folder
from zoo.train import plan
from zoo.train.job import Job

_FILE = "history.json"
_LENGTH = {"steps", "epochs", "patience"}


def history(run: Path) -> list[dict]:
    """Of every time that the run was finished and went on: its steps then, the keys that changed, with
    their old and new values, its metrics and the fingerprint of its parameters; oldest first. Raises
    UserError for a file that is damaged."""
    if not (file := run / _FILE).is_file():
        return []
    try:
        return [
            {**entry, "changed": dict(entry["changed"])} for entry in json.loads(file.read_bytes())
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{file} is damaged; delete it: it only says how the run went on"
        ) from error


def reopen(run: Path, job: Job) -> str:
    """Lets a finished run go on where the job is longer and nothing else differs; a sentence that says so.
    "" for any other run, with which nothing is done.

    Raises UserError for a job that is not longer, where patience would end it at once, and for a run whose
    parameters came from another library.
    """
    result, config = folder.read_result(run), job.config
    if not result or not (run / "config.json").is_file():
        return ""
    before, past, done = folder.read_config(run), history(run), result["steps"]
    changed = folder.changed(before, config)
    if not changed and past and past[-1]["steps"] == done and _has(config, past[-1]["changed"]):
        (run / "result.json").unlink()  # it was about to go on, and was killed
    if not changed or set(changed) - _LENGTH:
        return ""
    if job.plan.steps <= done:
        raise UserError(
            f"--run={run}: is finished, with {done:,} steps; to go on ask for more than that, not "
            f"{job.plan.steps:,}, or give another --run"
        )
    if "converted" in result:
        raise UserError(
            f"--run={run}: its parameters come from {result['converted']['from']}; to train them further, "
            f"give another --run and --config.start={run}"
        )
    ended_early = done < plan.make(before, job.plan.per_epoch).steps and not before.minutes
    if ended_early and 0 < config.patience <= before.patience:
        raise UserError(
            f"--run={run}: ended after {done:,} steps by --config.patience={before.patience}; to go on "
            "give a larger one, too"
        )
    entry = {"steps": done, "changed": changed}
    entry |= {key: result[key] for key in ("metrics", "params_sha256", "best_sha256")}
    held = folder.open_folder(run)
    try:
        past = [e for e in past if e["steps"] < done]
        folder.write(run / _FILE, json.dumps([*past, entry], indent=2) + "\n")
        folder.write(run / "config.json", configs.to_json(config))
        (run / "result.json").unlink()
    finally:
        held.close()
    rate = config.optimizer.schedule
    follows = (
        "" if rate == "constant" else f"; the learning rate follows the {rate} of the longer one"
    )
    return f"{run} was finished with {done:,} steps, and goes on to {job.plan.steps:,}{follows}"


def _has(config: ConfigDict, changed):
    have = configs.flatten(config)
    return all(have.get(key) == new for key, (_, new) in changed.items())
