"""Corpora larger than memory, folders of files as one corpus: the bits of a text in memory."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli
from zoo.data.errors import DataError
from zoo.data.text import corpus, encoded, joined, stream
from zoo.data.text.stream import Source
from zoo.data.text.vocabulary import KINDS, Vocabulary

ROOT = Path(__file__).parent.parent
TINY = [
    "--config.model.hidden=8",
    "--config.model.embed=4",
    "--config.batch_size=4",
    "--config.data.window=8",
    "--config.steps=24",
    "--config.eval_every=12",
]
HARD = "\ufeffL'été, à l'ΟΔΟΣ: 10 000 €\r\nnaïve 日本語\rtext…\r\n\r\n" * 9 + "end 😀 "


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(ROOT)
    return tmp_path / "cache/lstm-zoo/ids"


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "é ", "mat.\n"], 900)
    file.write_text("".join(words), encoding="utf-8")
    return file


def trained(capsys, path, run, *more):
    """(result, stderr) of the real command, which reads nothing into memory."""
    flags = [f"--config.data.path={path}", f"--run={run}", *TINY, "--config.data.in_memory=0"]
    assert cli.run(train.main, ["train.py", "--config=configs/char_lm.py", *flags, *more]) == 0
    return json.loads((run / "result.json").read_text()), capsys.readouterr().err


def refused(capsys, path, run, *more, file="configs/char_lm.py"):
    flags = [f"--config.data.path={path}", f"--run={run}", *TINY, *more]
    code = cli.run(train.main, ["train.py", f"--config={file}", *flags])
    _, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2 and err.splitlines()[-1:] == lines, err
    return lines[0]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_pieces_are_the_text_wherever_they_are_cut(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(stream, "_PIECE", piece)
    file = tmp_path / "hard.txt"
    file.write_bytes(HARD.encode())
    source = Source((file,), str(file), lowercase=True)
    pieces = list(stream.pieces(source))
    assert "".join(pieces) == corpus.corpus("", file, lowercase=True)
    assert all(p.endswith((" ", "\n")) for p in pieces)
    assert "".join(stream.within(pieces, 5, 60)) == "".join(pieces)[5:60]
    file.write_bytes(HARD.encode("utf-16"))
    wide = Source((file,), str(file), encoding="utf-16")
    assert "".join(stream.pieces(wide)) == corpus.corpus("", file, encoding="utf-16")


@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_vocabulary_are_those_of_the_text_in_memory(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(stream, "_PIECE", 5)
    file = tmp_path / "hard.txt"
    file.write_bytes(HARD.encode())
    parts = corpus.parts("", file, 0.2, 0.1)
    found = encoded.measured(Source((file,), str(file)), kind, 2, 9, 0.2, 0.1)
    want = Vocabulary.from_text(parts["train"], kind, 2, 9)
    assert found.vocabulary == want
    assert found.characters == {part: len(text) for part, text in parts.items()}
    for part, ids in encoded.ids(found, want).items():
        assert isinstance(ids, np.memmap) and ids.dtype == np.uint8
        np.testing.assert_array_equal(ids, want.encode(parts[part]))


def test_ids_have_the_smallest_type():
    sizes = {256: 1, 257: 2, 65_536: 2, 65_537: 4}
    assert {size: encoded.dtype(size).itemsize for size in sizes} == sizes


@pytest.mark.optimised
def test_a_run_from_the_cache_is_the_run_in_memory_bit_for_bit(text, tmp_path, capsys):
    whole, err = trained(capsys, text, tmp_path / "whole", "--config.data.in_memory=64")
    assert "encoding" not in err
    fed, err = trained(capsys, text, tmp_path / "fed")
    assert "encoding" in err
    assert fed["metrics"].items() <= whole["metrics"].items()  # of the n-grams, in memory alone
    for key in ("params_sha256", "best_sha256"):
        assert fed[key] == whole[key]
    for name in ("data.json", "vocabulary.json", "samples.txt"):
        assert (tmp_path / "fed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    flags = [f"--run={tmp_path / 'fed'}", "--mode=eval"]
    assert cli.run(train.main, ["train.py", "--config=configs/char_lm.py", *flags]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["valid_loss"] == whole["metrics"]["valid_loss"]
    assert "encoding" not in err and "reading" not in err  # out of the cache
    with text.open("a", encoding="utf-8") as file:
        file.write("the mat\n")
    assert "not the data that" in refused(
        capsys, text, tmp_path / "fed", "--config.data.in_memory=0"
    )


@pytest.fixture
def cached(text):
    """(the measured text, its ids, their file)."""
    found = encoded.measured(Source((text,), str(text)), "characters")
    ids = encoded.ids(found, found.vocabulary)
    return found, ids["train"].copy(), Path(ids["train"].filename)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-2])


def changed(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_short, changed])
@pytest.mark.parametrize("kind", ["*.ids", "*.json"])
def test_a_damaged_cache_is_made_again_and_that_is_said(cached, capsys, damage, kind):
    found, ids, file = cached
    capsys.readouterr()
    for damaged in file.parent.glob(kind):
        damage(damaged)
    again = encoded.measured(found.source, "characters")
    assert again == found
    np.testing.assert_array_equal(encoded.ids(again, again.vocabulary)["train"], ids)
    assert "was cut short or changed: it is made again" in capsys.readouterr().err
    encoded.ids(encoded.measured(found.source, "characters"), found.vocabulary)
    assert capsys.readouterr().err == ""


def test_what_a_killed_process_left_is_deleted(cached):
    found, _, file = cached
    old, new = (file.with_name(f".{name}.ids.1.part") for name in ("old", "new"))
    for draft in (old, new):
        draft.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    encoded.measured(found.source, "characters")
    assert new.exists() and not old.exists()


def test_a_disk_that_fills_while_encoding_leaves_nothing(
    text, tmp_path, capsys, a_cache_of_its_own
):
    text.write_text("cat " * 20_000, encoding="utf-8")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        error = refused(capsys, text, tmp_path / "run", "--config.data.in_memory=0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written: File too large: make room" in error
    assert "--config.data.in_memory=1" in error  # 0.08 MB: what is named is enough
    assert [file.suffix for file in a_cache_of_its_own.iterdir()] == [".json"]
    assert not (tmp_path / "run").exists()


def test_two_processes_may_encode_the_same_text_at_once(text, a_cache_of_its_own):
    code = f"""
from pathlib import Path
from zoo.data.text import encoded, stream
found = encoded.measured(stream.Source((Path({str(text)!r}),), "it"), "characters")
print(encoded.ids(found, found.vocabulary)["train"].tobytes().hex())
"""
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (process.communicate()[0] for process in both)
    assert one == other and len(one) > 1000
    assert len(list(a_cache_of_its_own.iterdir())) == 3
    assert not list(a_cache_of_its_own.glob(".*"))


def test_a_text_that_changes_while_it_is_read_is_named(cached):
    found, _, _ = cached
    found.source.files[0].write_text("another text\n" * 99, encoding="utf-8")
    with pytest.raises(DataError, match="changed while it was read"):
        encoded.ids(found._replace(content="new"), found.vocabulary)


def test_what_is_no_text_is_named_with_its_place(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stream, "_PIECE", 4)
    file = tmp_path / "text"

    def error(content, *more):
        file.write_bytes(content)
        return refused(capsys, file, tmp_path / "run", "--config.data.in_memory=0", *more)

    assert "is not UTF-8 (0xe9 at byte 6)" in error(b"the t\n\xe9 more")
    assert "is not UTF-8 (0xe2 at byte 8)" in error(b"the cat\n\xe2\x82")
    assert "binary (0x00 at byte 9)" in error(b"the text \0 more")
    assert "UTF-16" in error("text".encode("utf-16"))
    assert "is not ascii (0xff at byte 5)" in error(b"the t\xff", "--config.data.encoding=ascii")
    assert "no encoding of this name" in error(b"text", "--config.data.encoding=rot13")
    assert "needs at least" in error(b"text " * 3)


@pytest.fixture
def shelf(tmp_path):
    """A folder with nested texts, an empty one, a hidden one and a picture."""
    folder = tmp_path / "shelf"
    for name, content in {
        "b.txt": "second\r\n",
        "a/z.md": "first, without a line break",
        "c/deep/c.txt": "third\n",
        "c/empty.txt": "",
        ".git/hidden.txt": "hidden",
        "c/picture.png": "\x89PNG\0\0",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode())
    return folder


def test_files_of_a_folder_are_one_text_in_the_order_of_their_paths(shelf):
    def names(patterns):
        return [p.relative_to(shelf).as_posix() for p in joined.listing(shelf, patterns).files]

    found = joined.listing(shelf)
    assert names("*") == ["a/z.md", "b.txt", "c/deep/c.txt"]
    assert names("*.txt, *.png") == ["b.txt", "c/deep/c.txt"]
    assert joined.remark(shelf, found.binary).endswith("are left out: c/picture.png")
    pieces = stream.pieces(Source(found.files, "shelf", joined=True))
    assert "".join(pieces) == "first, without a line break\nsecond\nthird\n"


def test_wrong_folders_are_told_in_one_line(shelf, tmp_path, capsys):
    def error(*more, path=shelf):
        return refused(capsys, path, tmp_path / "run", "--config.data.joined=True", *more)

    assert "for one text, --config.data.joined=True" in refused(capsys, shelf, tmp_path / "run")
    assert "no file by the names '*.py'" in error("--config.data.files=*.py")
    assert "only empty or binary files" in error("--config.data.files=*.png")
    assert "no folder" in error(path=shelf / "b.txt")
    assert "add --config.data.path=FOLDER" in error(path="")
    assert "it is one text" in error("--config.data.together=True", "--config.data.batches=chunks")
    assert "only with --config.data.joined" in refused(
        capsys, shelf, tmp_path / "run", "--config.data.files=*.py", "--config.data.joined=False"
    )
    (shelf / "bad.txt").write_bytes(b"caf\xe9")
    assert "bad.txt' is not UTF-8 (0xe9 at byte 3" in error()
    if os.geteuid():
        (shelf / "bad.txt").chmod(0)
        assert "bad.txt' may not be read" in error()


def test_source_code_is_a_corpus_like_any_other(tmp_path, capsys):
    folder = os.path.dirname(json.__file__)
    more = ["--config.data.joined=True", "--config.data.files=*.py"]
    fed, err = trained(capsys, folder, tmp_path / "fed", *more)
    assert "binary" not in err  # nobody asked for *.pyc
    whole, _ = trained(capsys, folder, tmp_path / "whole", *more, "--config.data.in_memory=64")
    assert fed["params_sha256"] == whole["params_sha256"]
    assert fed["metrics"].items() <= whole["metrics"].items()  # of the n-grams, in memory alone
    words, _ = trained(capsys, folder, tmp_path / "words", *more, "--config.data.symbols=words")
    assert words["metrics"]["valid_ppl"] > 1
