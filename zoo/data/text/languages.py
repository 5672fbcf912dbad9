"""Texts in several languages: of the UDHR archive, of named pairs, of one's own files."""

import io
import os
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.data import registry
from zoo.data.errors import DataError, unknown_name
from zoo.data.files import read_bytes

_MEMBERS = """
    ab=abk af=afr am=amh ar=arb ay=ayr az=azj_latn be=bel bg=bul bm=bam bn=ben bo=bod br=bre bs=bos_latn
    ca=cat ch=cha co=cos cs=ces cy=cym da=dan de=deu dv=div ee=ewe el=ell_monotonic en=eng eo=epo
    es=spa et=est eu=eus fa=pes_1 fi=fin fj=fij fo=fao fr=fra fy=fri ga=gle gd=gla gl=glg gn=gug gu=guj
    ha=hau_NG he=heb hi=hin hr=hrv hu=hun hy=hye ia=ina id=ind ig=ibo ii=iii io=ido is=isl it=ita iu=ike
    ja=jpn jv=jav ka=kat kg=kng kk=kaz kl=kal km=khm kn=kan ko=kor kr=knc ky=kir la=lat lb=ltz lg=lug
    ln=lin lo=lao lt=lit lv=lav mg=plt mh=mah mi=mri mk=mkd ml=mal mn=khk mr=mar ms=mly_latn mt=mlt
    my=mya nb=nob ne=nep ng=ndo nl=nld nn=nno nr=nbl nv=nav os=oss pa=pan pl=pol pt=por_PT rm=roh
    rn=run ro=ron ru=rus rw=kin sa=san sc=src se=sme sg=sag sk=slk sl=slv sm=smo sn=sna so=som sq=als
    sr=srp_cyrl ss=ssw st=sot su=sun sv=swe sw=swh ta=tam tg=tgk th=tha ti=tir tk=tuk_latn tl=tgl tn=tsn
    to=ton tr=tur ts=tso_MZ tt=tat ty=tah ug=uig_arab uk=ukr ur=urd uz=uzn_latn ve=ven vi=vie wa=wln
    wo=wol xh=xho yi=ydd yo=yor zh=cmn_hans zu=zul
"""
_WORLD = "ar cs da de el en es fi fr he hi hu id it ja ko nb nl pl pt ro ru sv tr uk vi zh"

# ISO 639-1 code -> member of the UDHR archive, in the language's usual script; other members go by their
# own names.
UDHR = dict(pair.split("=") for pair in _MEMBERS.split())

# The languages of the config "world".
WORLD = tuple(_WORLD.split())

# The book of Genesis: King James (English), Segond 1910 (French).
GENESIS = {"en": "genesis_en", "fr": "genesis_fr"}


class Text(NamedTuple):
    """A language and what is known of it: its code (ISO 639-1 where it has one) and a text."""

    code: str
    text: str


def read_languages(
    name: str,
    path: str = "",
    languages: Sequence[str] = (),
    encodings: str = "",
    lowercase: bool = True,
    shortest: int = 1,
) -> list[Text]:
    """Texts by language, in the order of their codes; spaces and line breaks become one space each.

    name:      "udhr" or "genesis"; not used where ``path`` is given
    path:      a folder with one file a language (``en.txt``), or files: ``en=one.txt,fr=other.txt``
    languages: the codes that are wanted; () for all
    encodings: of files that are not UTF-8: ``fr=iso-8859-1``
    shortest:  characters that a text must have

    Raises DataError for what cannot be read, a text that is too short, a language given twice or
    unknown, and two languages with the same text.
    """
    if len(languages) != len(set(languages)):
        twice = next(c for c in languages if list(languages).count(c) > 1)
        raise DataError(f"language {twice!r} is given twice")
    read = _own(path, encodings) if path else _named(name)
    codes = list(languages) or sorted(read)
    texts: dict[str, str] = {}
    for code in sorted(codes):
        if code not in read:
            raise DataError(f"--config.data.languages: {unknown_name('language', code, read)}")
        text = clean(read[code](), lowercase)
        label = f"the text of {code!r}"
        if len(text) < shortest:
            raise DataError(
                f"{label} has {len(text)} characters; {shortest} are needed: use a longer text, or "
                "--config.data.window smaller"
            )
        if same := [c for c, t in texts.items() if t == text]:
            raise DataError(f"{label} is that of {same[0]!r}: give each language its own")
        texts[code] = text
    if len(texts) < 2:
        raise DataError(
            f"--config.data.languages={codes[0]}: one language; two are needed to tell apart"
        )
    return [Text(code, text) for code, text in texts.items()]


def clean(text: str, lowercase: bool) -> str:
    """One space for every run of white space, none at the ends; lower case where asked; a letter with
    its marks as one code point where there is one (NFC), however the file writes it."""
    text = unicodedata.normalize("NFC", text)
    return " ".join((text.lower() if lowercase else text).split())


def _named(name):
    if name == "genesis":
        return {c: lambda n=n: _decode_named(n) for c, n in GENESIS.items()}
    if name != "udhr":
        raise unknown_name("languages", name, ("udhr", "genesis"))
    archive = zipfile.ZipFile(io.BytesIO(read_bytes(registry.locate("udhr"))))
    # Eight members have one article, or nothing.
    whole = [i.filename for i in archive.infolist() if i.file_size > 2000]
    members = UDHR | {Path(n).stem: Path(n).stem for n in whole if n.endswith(".txt")}
    for used in UDHR.values():
        members.pop(used)
    return {
        c: lambda m=m: archive.read(f"udhr2/{m}.txt").decode("utf-8") for c, m in members.items()
    }


def _decode_named(name):
    encoding = "iso-8859-1" if name == "genesis_fr" else "utf-8"
    return decode(registry.locate(name), encoding)


def _own(path, encodings):
    declared = _pairs(encodings, "data.encodings", "fr=iso-8859-1")
    if "=" in path:
        files = _pairs(path, "data.path", "en=one.txt,fr=other.txt")
    elif Path(path).is_dir():
        files = {p.stem: p for p in sorted(Path(path).glob("*.txt"))}
        if not files:
            raise DataError(f"{path!r} holds no file such as en.txt: one text file a language")
    else:
        raise DataError(f"{path!r}: no such folder; or give files, as in en=one.txt,fr=other.txt")
    if unknown := [c for c in declared if c not in files]:
        raise unknown_name("language", unknown[0], files)
    return {c: lambda c=c, f=f: decode(f, declared.get(c, "utf-8")) for c, f in files.items()}


def _pairs(text, key, example):
    pairs: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        code, equals, value = part.partition("=")
        if not equals or not code or not value:
            raise DataError(f"--config.{key}={text}: pairs, as in {example}")
        if code in pairs:
            raise DataError(f"--config.{key}: language {code!r} is given twice")
        pairs[code] = value
    return pairs


def decode(path, encoding):
    content = read_bytes(path)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise DataError(f"--config.data.encodings: {encoding!r} is no encoding") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{os.fspath(path)!r} is not {encoding} (0x{content[error.start]:02x} at byte "
            f"{error.start}): convert it, or declare it, as in --config.data.encodings="
            f"{Path(path).stem}=iso-8859-1"
        ) from None
