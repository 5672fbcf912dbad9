"""Named corpora: where each comes from, its checksum and licence, and how it gets here."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

from zoo.data.errors import DataError, unknown_name
from zoo.data.files import read_bytes, write_bytes
from zoo.terminal import line


class Source(NamedTuple):
    """One public file.

    url:       at a fixed commit, so that it never changes
    sha256:    of the file's bytes, in hex
    size:      bytes
    licence:   as its source states it
    local:     path of the file under the folder $ZOO_DATA, and in the download cache
    note:      what it is
    gutenberg: it carries Project Gutenberg's header and licence around the text
    starts:    the text begins with the last line that is this, and ends before the last line that is
    ends:      that; "" for where the file does
    kind:      "text", a corpus; "part", of a corpus that comes in several files; "series", a table of
               numbers; "languages", texts to tell apart; "labelled", texts with labels
    member:    of a zip archive at ``url``, the file that is meant; sha256 and size are the member's
    """

    url: str
    sha256: str
    size: int
    licence: str
    local: str
    note: str
    gutenberg: bool = False
    starts: str = ""
    ends: str = ""
    kind: str = "text"
    member: str = ""


_RAW = "https://raw.githubusercontent.com"
_NLTK = f"{_RAW}/nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora"
_BANKING = f"{_RAW}/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data"
_PYTORCH = f"{_RAW}/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8"
_WIKITEXT = f"{_PYTORCH}/word_language_model/data/wikitext-2"
_CC_BY_SA = "CC BY-SA 3.0 (Wikipedia): share with credit and under the same licence"
_TUNES_AT = "jukedeck/nottingham-dataset/0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f/ABC_cleaned"
# name -> (bytes, sha256) of the collections of folk tunes
_TUNES = {
    "ashover": (19_647, "6586eea8dca53866b42721050d11fc1408bdb2cf31a902b41c5c13504139b164"),
    "hpps": (25_222, "6d035c6972ac0c204ba79d8128e2d71978ece2214a29ffceeb3e053e27f17db5"),
    "jigs": (129_665, "5bb6f621e443bde552540810e3ea53e53531fd22258736e338d795e7a5bdcaf5"),
    "morris": (12_002, "cbf60b212c87748dea226c76b72a15db5b4f606bb35a580763e9cd8f7294e7da"),
    "playford": (5_101, "070877bc37176e0dedbcd038268d6669399201cd7b58d88b4ab36127528f9c76"),
    "reelsa-c": (37_613, "f92ed0e66024e0a5bb7d21fe3172cd50c3fb4cb7f642b4ec7cd5aa8ad0396da8"),
    "reelsd-g": (42_433, "33f535569116ec8cfb530c112f4cdc3bfb7fc042c271e0317cf6458bad30dfae"),
    "reelsh-l": (43_044, "cb701d4ffe6839cb7a5655bc21785ecb71a72ab63d8560f7be3856f6aedaf7e5"),
    "reelsm-q": (38_405, "a99f2967cf47460bba70bae40cd355a220b537a87180131c6d9433750bc446a1"),
    "reelsr-t": (46_838, "f80a2c0f37a49b9b0c748e922924d59c40d82758abc5b0f7fc9245d7fd563be0"),
    "reelsu-z": (17_203, "d104d7d1bb83eb1ca18f6b944dc22cf9f7bfe5f955d07cd573615985f69c2c1f"),
    "slip": (3_838, "da686b3a0de20aab38e64f8c8ec57edace980bab6450a6c388d79a2866e5b16a"),
    "waltzes": (21_490, "ffa773d012756be17784ab4a84e0e4618f316be5c6f244f9d60c06b23cd812c6"),
    "xmas": (3_519, "05ebc4b856c8c5186bb828641e8f88f723c109d47ba7e3f1e5048b536e091249"),
}
_GUTENBERG = (
    "public domain in the USA; the file carries the Project Gutenberg header and licence, which "
    "are stripped from the text with every mention of Project Gutenberg"
)

_ALICE = Source(
    url=f"{_RAW}/GITenberg/Alice-s-Adventures-in-Wonderland_11/7f18748e114b994d5d9454d5793581bc0b9cf9d7/11.txt",
    sha256="0f9ea0b148d553177962a25edd2f56d36342c22576a3253a127b4fbeffa5687d",
    size=167546,
    licence=_GUTENBERG,
    local="corpora/alice_pg11.txt",
    note="Alice's Adventures in Wonderland, Lewis Carroll (Project Gutenberg 11)",
    gutenberg=True,
)

REGISTRY = {
    "alice": _ALICE,
    "alice_chapters": _ALICE._replace(
        note=f"{_ALICE.note}, without title and end",
        starts="CHAPTER I. Down the Rabbit-Hole",
        ends="              THE END",
    ),
    "christmas_carol": Source(
        url=f"{_RAW}/GITenberg/A-Christmas-Carol_46/b173bd3787848ecbded8d036ed9f5326c738da19/46.txt",
        sha256="356d81f90b75ced2cd8ce711b3e8e844b3950b4770ce344ec87da0672bc38558",
        size=182021,
        licence=_GUTENBERG,
        local="corpora/christmas_carol_pg46.txt",
        note="A Christmas Carol, Charles Dickens (Project Gutenberg 46)",
        gutenberg=True,
    ),
    "shakespeare": Source(
        url=f"{_RAW}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        size=1115394,
        licence="public domain (Shakespeare); the repository states MIT",
        local="corpora/tiny_shakespeare.txt",
        note="40,000 lines of Shakespeare's plays, the reference corpus of character models",
    ),
    "sherlock": Source(
        url=f"{_RAW}/GITenberg/The-Adventures-of-Sherlock-Holmes_1661/7e5dd2703fbf503c004063e96ab7c61262375e5f/1661.txt",
        sha256="2a0ce5568625a304f54fbb6bfdeeadf527a1437254b5f0e06b5a9e233d4784a2",
        size=594941,
        licence=_GUTENBERG,
        local="corpora/sherlock_holmes_pg1661.txt",
        note="The Adventures of Sherlock Holmes, Arthur Conan Doyle (Project Gutenberg 1661)",
        gutenberg=True,
    ),
    "maxims": Source(
        url=f"{_RAW}/GITenberg/Reflections--or-Sentences-and-Moral-Maxims_9105/9f6fce74e1eb2ec503821f957029dcaaadd9d68f/9105.txt",
        sha256="9f267df5d67d438c02d4fac7d5d13495a99511cb7a792e45874bbf85ab0f1244",
        size=232032,
        licence=_GUTENBERG,
        local="quotes/larochefoucauld_maxims_pg9105.txt",
        note="Sentences and Moral Maxims, La Rochefoucauld, with notes (Project Gutenberg 9105)",
        gutenberg=True,
        starts="1.--What we term virtue is often but a mass of various actions and",
        ends="INDEX",
    ),
    "nursery_rhymes": Source(
        url=f"{_RAW}/GITenberg/The-Real-Mother-Goose_10607/3048fd152d0c07a1f2979c6aa6e076dcb56a68e3/10607.txt",
        sha256="333fc343b8d2cc658456e6186065aa4318647ebe18c8ae65a92e38ce45de213e",
        size=112010,
        licence=_GUTENBERG,
        local="corpora/mother_goose_pg10607.txt",
        note="The Real Mother Goose, 1916: 300 nursery rhymes (Project Gutenberg 10607)",
        gutenberg=True,
        starts="LITTLE BO-PEEP",
    ),
    "wikitext2": Source(
        url=f"{_WIKITEXT}/train.txt",
        sha256="9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        size=10797148,
        licence=_CC_BY_SA,
        local="corpora/wikitext2/train.txt",
        note="good articles of Wikipedia, 2.1 million words (Merity et al. 2017); the training part",
    ),
    "wikitext2_valid": Source(
        url=f"{_WIKITEXT}/valid.txt",
        sha256="f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        size=1121681,
        licence=_CC_BY_SA,
        local="corpora/wikitext2/valid.txt",
        note="the same, the validation part",
        kind="part",
    ),
    "wikitext2_test": Source(
        url=f"{_WIKITEXT}/test.txt",
        sha256="d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        size=1256449,
        licence=_CC_BY_SA,
        local="corpora/wikitext2/test.txt",
        note="the same, the test part",
        kind="part",
    ),
    "etth1": Source(
        url=f"{_RAW}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/ETTh1.csv",
        sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        size=2589657,
        licence="CC BY-ND 4.0: share unmodified with credit; publish no modified copy",
        local="timeseries/ETTh1.csv",
        note="oil temperature and loads of a transformer, hourly, 2016-07 to 2018-06 (Zhou et al. 2021)",
        kind="series",
    ),
    "udhr": Source(
        url=f"{_NLTK}/udhr2.zip",
        sha256="0796c314b09a930c989c6f9d93d226af9af13feccd88496e196c743dd266c7f3",
        size=1653975,
        licence="public domain",
        local="langid/udhr/udhr2.zip",
        note="the Universal Declaration of Human Rights in 387 languages",
        kind="languages",
    ),
    "genesis_en": Source(
        url=f"{_NLTK}/genesis.zip",
        sha256="06b1c2bf303e656ed594c79293da1b7509ff39f640f7b7ebcc09fdeb2903800f",
        size=195515,
        licence="public domain",
        local="corpora/genesis_kjv_en.txt",
        note="the book of Genesis in English, King James version",
        kind="languages",
        member="genesis/english-kjv.txt",
    ),
    "genesis_fr": Source(
        url=f"{_NLTK}/genesis.zip",
        sha256="4c602e92fba9658611d7513fb36bbbcc47568519a15b3856b1c06c6550c88c3c",
        size=191426,
        licence="public domain",
        local="corpora/genesis_segond1910_fr.txt",
        note="the book of Genesis in French, Louis Segond 1910, ISO-8859-1",
        kind="languages",
        member="genesis/french.txt",
    ),
    "banking77_train": Source(
        url=f"{_BANKING}/train.csv",
        sha256="b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
        size=839073,
        licence="CC BY 4.0",
        local="classification/banking77/train.csv",
        note="10,003 questions to a bank, 77 intents (Casanueva et al. 2020)",
        kind="labelled",
    ),
    "banking77_test": Source(
        url=f"{_BANKING}/test.csv",
        sha256="d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
        size=239961,
        licence="CC BY 4.0",
        local="classification/banking77/test.csv",
        note="3,080 further questions to a bank, 40 an intent (Casanueva et al. 2020)",
        kind="labelled",
    ),
    "polarity_positive": Source(
        url=f"{_NLTK}/sentence_polarity.zip",
        sha256="c2dc6b2f55bcf725725372916287cc3f8f9b19402edaa9167de5287cb3ade421",
        size=626334,
        licence="CC BY 4.0",
        local="classification/sentence_polarity/rt-polarity.pos",
        note="5,331 sentences of film reviews that praise (Pang & Lee 2005)",
        kind="labelled",
        member="sentence_polarity/rt-polarity.pos",
    ),
    "polarity_negative": Source(
        url=f"{_NLTK}/sentence_polarity.zip",
        sha256="614274f81185a850e5a88d533d4679f916d6f62e9af6f0b4ec71fb94bf466ea5",
        size=612441,
        licence="CC BY 4.0",
        local="classification/sentence_polarity/rt-polarity.neg",
        note="5,331 sentences of film reviews that blame (Pang & Lee 2005)",
        kind="labelled",
        member="sentence_polarity/rt-polarity.neg",
    ),
    "bbc": Source(
        url=f"{_RAW}/MarehanRefaat/Text-Classification-BBC-Data-Set/29cd3b5db2d8618586e5741c1b2fa70a0c17d88f/bbc-text.csv",
        sha256="fdaee0f7451cd8db2709d00e992886fe1c387ee332b8c7b7c1554ed3d3e3382e",
        size=5057493,
        licence="not open: for non-commercial and research purposes only; the articles are the BBC's",
        local="restricted/bbc/bbc-text.csv",
        note="2,225 news texts of the BBC, 2004 to 2005, five topics (Greene & Cunningham 2006)",
        kind="labelled",
    ),
}

REGISTRY |= {
    f"nottingham_{name}": Source(
        url=f"{_RAW}/{_TUNES_AT}/{name}.abc",
        sha256=sha256,
        size=size,
        licence="GPL-3.0, as the repository states; some tunes name a composer in their line S:",
        local=f"music/nottingham_abc/{name}.abc",
        note="folk tunes in ABC notation, of the Nottingham Music Database (Eric Foxley)",
        kind="part",
    )
    for name, (size, sha256) in _TUNES.items()
}

DOCS_LICENCE = "Python Software Foundation License 2.0; the text ships with Python"


def names() -> list[str]:
    """Every name that ``zoo.data.text.corpus`` reads; ``docs`` comes with Python and needs no file, and
    ``nottingham`` is several files."""
    several = ["nottingham"] if parts("nottingham") else []
    return sorted(["docs", *several, *(n for n, row in REGISTRY.items() if row.kind == "text")])


def parts(name: str) -> list[str]:
    """The names of the files of a corpus of several, in their order; [] for any other."""
    return [row for row in REGISTRY if name == "nottingham" and row.startswith("nottingham_")]


def licence(name: str) -> str:
    """The licence of a corpus, as its source states it. Raises DataError for unknown names."""
    if name == "docs":
        return DOCS_LICENCE
    return source((parts(name) or [name])[0]).licence


def source(name: str) -> Source:
    """A row of the table. Raises DataError for unknown names, with the nearest known one."""
    if name == "docs":
        raise DataError(
            "corpus 'docs' is part of Python, not a file: zoo.data.text.corpus reads it"
        )
    if name not in REGISTRY:
        raise unknown_name("corpus", name, names())
    return REGISTRY[name]


def locate(name: str) -> Path:
    """Path of a named corpus on this machine, checked against its sha256.

    Looks in the folder $ZOO_DATA, then in the user's cache folder, and else downloads it there; a
    file is in the cache under its name only once it is complete and right.

    Raises DataError for an unknown name, for a file under $ZOO_DATA with other content than the
    table's, and where the download fails.
    """
    row = source(name)
    folder = os.environ.get("ZOO_DATA")
    if folder:
        if not os.path.isdir(folder):
            raise DataError(f"ZOO_DATA={folder!r} is no folder: set it to the one with {row.local}")
        path = Path(folder, row.local)
        if os.path.exists(path):
            _check(path, row)
            return path
    return _fetch(name, row)


def _check(path: Path, row: Source) -> None:
    content = read_bytes(path)
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != row.sha256:
        size = f"{len(content):,} bytes instead of {row.size:,}"
        how = "as long, but not the same" if len(content) == row.size else size
        raise DataError(
            f"{str(path)!r} was changed ({how}): replace it by {row.url}, unchanged, or remove it"
        )


def _fetch(name: str, row: Source) -> Path:
    import pooch
    import requests

    remedy = f"put the file at FOLDER/{row.local} and set ZOO_DATA=FOLDER, or use "
    if row.kind == "languages":
        remedy += "texts of your own (--config.data.path=FOLDER, one file a language)"
    else:
        offline = {"series": "airline"}.get(row.kind, "docs")
        remedy += f"{offline!r} (--config.data.name={offline}), which needs no network"
    cache = pooch.os_cache("lstm-zoo")
    if row.member and (kept := Path(cache, row.local)).exists():
        _check(kept, row)
        return kept
    log = pooch.get_logger()
    level = log.level
    log.setLevel("WARNING")
    try:
        path = pooch.retrieve(
            row.url,
            known_hash=None if row.member else f"sha256:{row.sha256}",
            fname=row.url.rpartition("/")[2] if row.member else row.local,
            path=cache,
            downloader=pooch.HTTPDownloader(progressbar=_Bar(name, row.size), timeout=20),
        )
        return _unpack(Path(path), row, cache) if row.member else Path(path)
    except requests.HTTPError as error:
        fault = f"status {error.response.status_code}"
    except requests.Timeout:
        fault = "no answer in time"
    except requests.RequestException as error:
        fault = f"no connection: {type(error).__name__}"
    except ValueError:
        fault = "another file came than the one that is known there"
    except OSError as error:
        fault = f"no file in {str(cache)!r}: {error.strerror or type(error).__name__}"
    finally:
        line.clear()
        log.setLevel(level)
    raise DataError(f"{name!r}: download of {row.url} failed ({fault}): {remedy}")


def _unpack(archive: Path, row: Source, cache: Path) -> Path:
    """The member of a downloaded archive, checked. Raises ValueError where it is not the right one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            content = opened.read(row.member)
    except (zipfile.BadZipFile, KeyError):
        content = b""
    finally:
        archive.unlink()
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise ValueError(row.member)
    path = cache / row.local
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
    return path


class _Bar:
    """A progress bar in the shape that pooch calls; it moves where stderr is a terminal.

    ``total`` is pooch's to set and not used: a compressed transfer states another length.
    """

    total = 0

    def __init__(self, name, size):
        self._text, self._size, self._done = f"downloading {name}", size, 0

    def update(self, size: int) -> None:
        self._done += size
        sizes = f"{self._done / 1e6:.1f} of {self._size / 1e6:.1f} MB"
        line.show(self._text, self._done / self._size, sizes)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        line.clear()
