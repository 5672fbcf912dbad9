"""Time stamps of regular series: reading, frequencies, gaps, what comes next, calendar features."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError, unknown_name

Times = np.ndarray  # datetime64[s], or int64 row numbers where a series has no time column


class Frequency(NamedTuple):
    """name; step in ``unit`` (numpy's: m, h, D, M, Y; "B" is Monday to Friday; "row"); season, in steps:
    12 for months."""

    name: str
    unit: str
    step: int
    season: int


FREQUENCIES = {
    f.name: f
    for f in (
        Frequency("minute", "m", 1, 60),
        Frequency("hour", "h", 1, 24),
        Frequency("day", "D", 1, 7),
        Frequency("business day", "B", 1, 5),
        Frequency("week", "D", 7, 52),
        Frequency("month", "M", 1, 12),
        Frequency("quarter", "M", 3, 4),
        Frequency("year", "M", 12, 1),
        Frequency("row", "row", 1, 1),
    )
}
_SECONDS = {"m": 60, "h": 3600, "D": 86400}
_DAY = np.timedelta64(1, "D")
_EPOCH = {"s": (10**8, 5 * 10**9), "ms": (10**11, 5 * 10**12)}  # 1973 to 2128
_QUARTER = re.compile(r"(\d{4})[- ]?[Qq]([1-4])")
_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(.*)")


def frequency(name: str) -> Frequency:
    """The frequency of a name: "month", or a multiple such as "15 minutes"; "row" for none.

    Multiples of minutes and hours have the season of a day. Raises DataError for unknown names.
    """
    name = name.strip().lower()
    if (whole := name.removesuffix("s")) in FREQUENCIES:
        return FREQUENCIES[whole]
    number, _, unit = name.rpartition(" ")
    unit = unit.removesuffix("s")
    if unit not in FREQUENCIES or (number and not (number.isdecimal() and int(number))):
        raise unknown_name("frequency", name, FREQUENCIES)
    base, n = FREQUENCIES[unit], int(number or 1)
    return base if n == 1 else _of(base.unit, base.step * n)


def parse(texts: Sequence[str], address=str) -> Times:
    """Time stamps -> datetime64[s], or int64 where all are whole numbers that are no times.

    ISO dates ("1949-01", "2016-07-01 13:00:00"), years, quarters ("1949-Q1"), seconds or milliseconds
    since 1970 where all are of 1973 or later, and 31/01/2020 or 01/31/2020 where the column leaves no
    doubt which. ``address(i)`` says in errors where text i stands. Raises DataError for the first that is
    none of these.
    """
    texts = [t.strip() for t in texts]
    if all(re.fullmatch(r"-?\d+", t) for t in texts):
        numbers = np.array([int(t) for t in texts])
        for unit, (low, high) in _EPOCH.items():
            if ((low <= numbers) & (numbers < high)).all():
                return numbers.astype(f"datetime64[{unit}]").astype("datetime64[s]")
        if not all(len(t) == 4 for t in texts) or not ((numbers > 1000) & (numbers < 3000)).all():
            return numbers
    day_first = _day_first(texts, address)
    times = np.empty(len(texts), "datetime64[s]")
    for i, text in enumerate(texts):
        try:
            times[i] = _stamp(text, day_first)
        except ValueError:
            raise DataError(
                f"{address(i)}: {text!r} is no time stamp; write it as 1949-01-31 or 1949-01-31 13:00"
            ) from None
    return times


def infer(times: Times) -> Frequency:
    """The frequency of sorted stamps: the most common distance. Raises DataError for fewer than 2."""
    if times.dtype.kind != "M":
        return FREQUENCIES["row"]
    if len(times) < 2:
        raise DataError("one row has no frequency: give at least two, or --config.data.frequency")
    months = np.diff(times.astype("datetime64[M]").astype(int))
    gap = _common(months)
    if gap >= 1 and _day_of_month(times):
        return _of("M", gap)
    seconds = _common(np.diff(times.astype(np.int64)))
    if seconds == 86400 and times[-1] - times[0] >= np.timedelta64(7, "D") and _weekdays(times):
        return FREQUENCIES["business day"]
    for unit in ("D", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return _of(unit, seconds // _SECONDS[unit])
    raise DataError(
        f"the time stamps lie {seconds} seconds apart: no frequency of {', '.join(FREQUENCIES)}"
    )


def steps(times: Times, freq: Frequency) -> np.ndarray:
    """int64 (T,): on which step of the calendar each stamp lies; -1 where it lies between two.

    Weeks and multiples count from the first stamp.
    """
    if freq.unit == "row":
        return times - times[0]
    if freq.unit == "B":
        days = times.astype("datetime64[D]")
        right = np.is_busday(days) & (times - days == times[0] - days[0])
        return np.where(right, np.busday_count(days[0], days), -1)
    if freq.unit == "M":
        months = times.astype("datetime64[M]").astype(np.int64)
        off = months - months[0]
    else:
        seconds = times.astype(np.int64) - times[:1].astype(np.int64)
        off, rest = np.divmod(seconds, _SECONDS[freq.unit])
        off = np.where(rest, -1, off)
    return np.where((off >= 0) & (off % freq.step == 0), off // freq.step, -1)


def following(times: Times, n: int, freq: Frequency) -> Times:
    """The n stamps after the last one."""
    steps = np.arange(1, n + 1) * freq.step
    last = times[-1]
    if freq.unit == "row":
        return last + steps
    if freq.unit == "B":
        day = last.astype("datetime64[D]")
        return np.busday_offset(day, steps, roll="backward").astype("datetime64[s]") + (last - day)
    if freq.unit != "M":
        return last + steps * np.timedelta64(_SECONDS[freq.unit], "s")
    month = last.astype("datetime64[M]")
    day, months = last - month.astype("datetime64[s]"), month + steps.astype("timedelta64[M]")
    if _month_ends(times):
        ends = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - _DAY
        return ends.astype("datetime64[s]")
    return months.astype("datetime64[s]") + day


def holidays(times: Times) -> np.ndarray:
    """The days from Monday to Friday between the first stamp and the last that have none."""
    days = times.astype("datetime64[D]")
    every = np.arange(days[0], days[-1] + _DAY)
    return np.setdiff1d(every[np.is_busday(every)], days)


def show(time, freq: Frequency) -> str:
    """A stamp as people write it: 1949-01, 1949-Q1, 2016-07-01 13:00, 17."""
    if freq.unit == "row":
        return str(int(time))
    if freq.unit == "M":
        if not _month_ends(np.array([time])) and (
            time != time.astype("datetime64[M]").astype("datetime64[s]")
        ):
            return str(time.astype("datetime64[D]"))
        month = time.astype("datetime64[M]")
        if freq.name == "year":
            return str(month)[:4]
        if freq.name == "quarter":
            return f"{str(month)[:4]}-Q{month.astype(int) % 12 // 3 + 1}"
        return str(month)
    if freq.unit in ("D", "B"):
        return str(time.astype("datetime64[D]"))
    return str(time.astype("datetime64[m]")).replace("T", " ")


def features(times: Times, freq: Frequency) -> np.ndarray:
    """(T, C) float32, sine and cosine of each cycle that is longer than a step: hour of the day, day
    of the week, day of the year, or month of the year. C = 0 for years and rows."""
    if freq.unit == "row" or freq.name == "year":
        return np.zeros((len(times), 0), np.float32)
    if freq.unit == "M":
        months = times.astype("datetime64[M]").astype(int)
        cycles = [months % 12 / 12]
    else:
        days = times.astype(np.int64) / 86400
        year = times.astype("datetime64[Y]").astype("datetime64[s]")
        cycles = [(times - year).astype(np.int64) / (365.25 * 86400)]
        if not (freq.unit == "D" and freq.step % 7 == 0):
            cycles.append((days + 3) / 7 % 1)  # 1970-01-01 was a Thursday
        if freq.unit not in ("D", "B"):
            cycles.append(days % 1)
    angles = 2 * np.pi * np.stack(cycles, axis=1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _of(unit, step):
    for known in FREQUENCIES.values():
        if (known.unit, known.step) == (unit, step):
            return known
    if unit in ("m", "h"):
        day = 86400 // _SECONDS[unit]
        name = {"m": "minutes", "h": "hours"}[unit]
        return Frequency(f"{step} {name}", unit, step, max(1, day // step))
    if unit == "D":
        return Frequency(f"{step} days", unit, step, 1)
    return Frequency(f"{step} months", unit, step, max(1, 12 // step))


def _stamp(text, day_first):
    if match := _QUARTER.fullmatch(text):
        return np.datetime64(f"{match[1]}-{3 * int(match[2]) - 2:02d}", "s")
    if match := _DATE.fullmatch(text):
        day, month = (match[1], match[2]) if day_first else (match[2], match[1])
        text = f"{match[3]}-{int(month):02d}-{int(day):02d}{match[4]}"
    text = text.removesuffix("Z").removesuffix("UTC").strip().replace("/", "-")
    if not text or not text[0].isdecimal() or re.search(r":.*[+-]\d", text):
        raise ValueError(text)
    stamp = np.datetime64(text, "s")
    if np.isnat(stamp):
        raise ValueError(text)
    return stamp


def _day_first(texts, address):
    """Whether the first number of 01/02/2020 is the day. Raises DataError where nothing tells."""
    pairs = [(int(m[1]), int(m[2])) for t in texts if (m := _DATE.fullmatch(t))]
    if not pairs:
        return False
    first, second = max(p[0] for p in pairs), max(p[1] for p in pairs)
    if first <= 12 and second <= 12:
        raise DataError(
            f"{address(0)}: {texts[0]!r} could be a day and a month or the other way round; write "
            "1949-01-31"
        )
    return first > 12


def _common(gaps):
    gaps = gaps[gaps > 0]
    values, counts = np.unique(gaps, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else 0


def _weekdays(times):
    """Whether all stamps are on Monday to Friday, at one time of the day."""
    days = times.astype("datetime64[D]")
    return bool(np.is_busday(days).all() and (times - days == times[0] - days[0]).all())


def _day_of_month(times):
    """Whether all stamps are at one day and time of their month, or all at its end."""
    inside = times - times.astype("datetime64[M]").astype("datetime64[s]")
    return bool((inside == inside[0]).all() or _month_ends(times))


def _month_ends(times):
    days = times.astype("datetime64[D]")
    midnight = days.astype("datetime64[s]") == times
    return bool(
        (midnight & ((days + _DAY).astype("datetime64[M]") > days.astype("datetime64[M]"))).all()
    )
