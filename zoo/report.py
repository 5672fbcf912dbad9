"""The committed results: the README's table, and a run held against them.

python -m zoo.report --table              the table of runs/reference.json, as Markdown
python -m zoo.report --verify=FOLDER      a finished run against its entry there, bit for bit
"""

import json
import statistics
import sys
from pathlib import Path

from absl import flags

from zoo import cli
from zoo.errors import UserError

REFERENCE = Path("runs/reference.json")


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_boolean("table", False, "print the results table", **define)
    flags.DEFINE_string("verify", None, "folder of a finished run to compare", **define)
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.table == (values.verify is not None):
        raise UserError("give one of --table and --verify=FOLDER")
    if values.table:
        print(table(read_reference()))
        return 0
    return verify(Path(values.verify), read_reference())


def read_reference() -> dict:
    """runs/reference.json, entries by CONFIG:VARIANT."""
    if not REFERENCE.is_file():
        raise UserError(f"{REFERENCE}: not here; run this from the repository's root")
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


def table(reference: dict) -> str:
    """The results as a Markdown table: means over seeds, with the standard deviation of several; and
    the speeds that ``zoo.bench --save`` has put there."""
    benches = {name: entry for name, entry in reference.items() if "seconds" in entry}
    reference = {name: entry for name, entry in reference.items() if name not in benches}
    lines = [
        "| experiment | result | to beat | parameters | training |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, entry in sorted(reference.items()):
        runs = entry["runs"]
        result = "; ".join(_metric(runs, key) for key in entry["show"])
        seconds = statistics.median(r["train_seconds"] for r in runs)
        n = f", {len(runs)} seeds" if len(runs) > 1 else ""
        lines.append(
            f"| `{name}` {entry['about']} | {result}{n} | {entry['to_beat']} | "
            f"{runs[0]['params']:,} | {_clock(seconds)} |"
        )
    return "\n".join(lines) + ("\n\n" + speeds(benches) if benches else "")


def speeds(entries: dict) -> str:
    """Entries of ``zoo.bench`` as a Markdown table: medians of the rounds, ratios of each round's."""
    lines = ["| side by side | | a second | times the first |", "| --- | --- | --- | --- |"]
    for name, entry in sorted(entries.items()):
        first = entry["seconds"][0][1]
        for who, seconds in entry["seconds"]:
            pace = entry["amount"] / statistics.median(seconds)
            ratio = statistics.median(a / b for a, b in zip(first, seconds, strict=True))
            lines.append(f"| `{name}` | {who} | {pace:,.0f} {entry['unit']} | {ratio:.3g} |")
    return "\n".join(lines)


def verify(run: Path, reference: dict) -> int:
    """Prints what agrees; exit code 0 when the parameters are the same bits, 1 when not."""
    from zoo.train import folder

    folder.read_config(run)
    result = folder.read_result(run)
    if result is None:
        raise UserError(f"--verify={run}: not finished yet")
    name = f"{result['config']}:{result['variant']}"
    runs = [r for r in reference.get(name, {"runs": []})["runs"] if r["seed"] == result["seed"]]
    if not runs:
        raise UserError(f"--verify={run}: {REFERENCE} has no {name} with seed {result['seed']}")
    want = runs[0]
    for key in ("params_sha256", "best_sha256"):
        print(f"{key}: {'the same' if want[key] == result[key] else 'different'}")
    for key, value in want["metrics"].items():
        print(f"{key}: {result['metrics'].get(key)} (reference {value})")
    for key, value in want["versions"].items():
        if value != result["versions"].get(key):
            print(f"version of {key}: {result['versions'].get(key)} (reference {value})")
    return 0 if want["params_sha256"] == result["params_sha256"] else 1


def _metric(runs, key):
    label = {"valid_loss": "{} nats per character", "valid_bpc": "{} bits per character"}
    values = [r["metrics"][key] for r in runs]
    text = f"{statistics.fmean(values):.4g}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.2g}"
    return label.get(key, key.replace("_", " ") + " {}").format(text)


def _clock(seconds):
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(cli.run(main))
