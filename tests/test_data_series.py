"""Series from files: what is read, and what is said about a file that cannot be."""

import os

import numpy as np
import pytest

from zoo.data.errors import DataError
from zoo.data.series import calendar
from zoo.data.series.read import named, read_series
from zoo.data.series.table import digest, first_rows, load_table, save_table


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        file = tmp_path / "my.csv"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_series(file, **options)

    return read


MONTHS = "time,sales,other\n2020-01,1,10\n2020-02,2,20\n2020-03,4,30\n"


def test_every_column_of_numbers_is_a_series_and_the_times_are_found(read):
    table = read(MONTHS)
    assert table.names == ("sales", "other")
    assert table.frequency.name == "month"
    np.testing.assert_array_equal(table.values[1], [10, 20, 30])
    assert [calendar.show(t, table.frequency) for t in table.times[0]] == [
        "2020-01",
        "2020-02",
        "2020-03",
    ]
    assert read(MONTHS, column="other").names == ("other",)


@pytest.mark.parametrize(
    "text",
    [
        MONTHS.replace("\n", "\r\n"),
        "\ufeff" + MONTHS,
        MONTHS.replace(",", ";"),
        MONTHS.replace(",", "\t"),
        MONTHS.replace("10", '"10"'),
        MONTHS + "\n\n",
    ],
    ids=["crlf", "bom", "semicolon", "tab", "quotes", "blank lines"],
)
def test_the_usual_dialects_are_read_alike(read, text):
    np.testing.assert_array_equal(read(text).values[1], [10, 20, 30])


def test_thousands_and_decimal_commas(read):
    got = read('t,v\n2020-01,"1,234"\n2020-02,"1,234,567.5"\n2020-03,12 000\n')
    np.testing.assert_array_equal(got.values[0], [1234, 1234567.5, 12000])
    np.testing.assert_array_equal(read("t;v\n1;1.234,5\n2;0,5\n").values[-1], [1234.5, 0.5])


def test_a_long_file_has_one_series_a_key(read):
    text = "shop,date,v\nA,2020-01-01,1\nB,2020-01-01,5\nA,2020-01-02,2\nB,2020-01-02,6\nB,2020-01-03,7\n"
    table = read(text, key="shop")
    assert table.names == ("A", "B")
    assert [len(v) for v in table.values] == [2, 3]
    np.testing.assert_array_equal(table.values[1], [5, 6, 7])


def test_known_features_reach_past_the_last_value(read):
    table = read("t,v,promo\n2020-01,1,0\n2020-02,2,1\n2020-03,,1\n2020-04,,0\n", known="promo")
    assert len(table.values[0]) == 2
    np.testing.assert_array_equal(table.known[0][:, 0], [0, 1, 1, 0])


def test_without_times_rows_are_numbered(read):
    table = read("v,w\n1,2\n3,4\n5,6\n")
    assert table.frequency.name == "row"
    np.testing.assert_array_equal(table.times[0], [0, 1, 2])


def test_holes_and_gaps_are_filled_along_a_straight_line(read):
    table = read(
        "t,v\n2020-01,1\n2020-02,NA\n2020-05,5\n", missing="interpolate", frequency="month"
    )
    np.testing.assert_allclose(table.values[0], [1, 2, 3, 4, 5])
    assert calendar.show(table.times[0][3], table.frequency) == "2020-04"


FAULTS = {
    "missing": (
        "t,v\n2020-01,1\n2020-02,\n2020-03,3\n",
        {},
        "line 3, column 'v'.*missing.*interpolate",
    ),
    "no number": (
        "t,v\n2020-01,1\n2020-02,x\n2020-03,3\n",
        {"column": "v"},
        "line 3, column 'v'.*'x'",
    ),
    "infinite": ("t,v\n2020-01,1\n2020-02,inf\n2020-03,3\n", {}, "line 3.*infinite"),
    "twice": ("t,v\n2020-01,1\n2020-02,2\n2020-02,3\n", {}, "line 4.*2020-02 stands twice.*line 3"),
    "unsorted": ("t,v\n2020-01,1\n2020-03,2\n2020-02,3\n", {}, "2020-02 comes after 2020-03; sort"),
    "gap": ("t,v\n2020-01,1\n2020-02,2\n2020-05,3\n2020-06,3\n", {}, "lacks 2020-03, 2020-04"),
    "off the grid": (
        "t,v\n2020-01-01,1\n2020-01-02,2\n2020-01-03 07:00,3\n",
        {"frequency": "day"},
        "line 4.*between the steps",
    ),
    "column": (MONTHS, {"column": "sale"}, "did you mean 'sales'"),
    "time": (MONTHS, {"time": "tim"}, "did you mean 'time'"),
    "key": (MONTHS, {"key": "othr"}, "did you mean 'other'"),
    "known": (MONTHS, {"known": "othr"}, "did you mean 'other'"),
    "frequency without times": (
        "v,w\n1,2\n3,4\n",
        {"frequency": "month"},
        "needs a column of times",
    ),
    "wrong stamp": (
        "t,v\n2020-01,1\n202x-02,2\n2020-03,3\n",
        {},
        "line 3.*'202x-02' is no time stamp",
    ),
    "one row of a key": (
        "k,t,v\nA,2020-01,1\nA,2020-02,2\nB,2020-01,1\n",
        {"key": "k"},
        "series 'B': one row has no frequency",
    ),
    "mistyped year": (
        "t,v\n2020-01,1\n2020-02,2\n2020-03,2\n2200-04,3\n",
        {"missing": "interpolate"},
        "line 5.*is 2200-04 after 2020-03 right",
    ),
    "feature missing": (
        "t,v,p\n2020-01,1,\n2020-02,2,1\n2020-03,2,1\n",
        {"missing": "interpolate", "known": "p"},
        "line 2, column 'p'.*cannot be interpolated",
    ),
    "frequency": (MONTHS, {"frequency": "mont"}, "did you mean 'month'"),
    "missing option": (MONTHS, {"missing": "drop"}, "'error' or 'interpolate'"),
    "no header": ("2020-01,1\n2020-02,2\n2020-03,3\n", {}, "no header.*time,value"),
    "one row": ("t,v\n2020-01,1\n", {}, "1 row"),
    "header only": ("t,v\n", {}, "0 row"),
    "empty": ("", {}, "empty"),
    "blank": ("\n\n", {}, "no rows"),
    "ragged": ("t,v\n2020-01,1,000\n2020-02,2\n", {}, "line 2: 3 fields.*quotes"),
    "same name": ("v,v\n1,2\n3,4\n", {}, "two columns are named 'v'"),
    "two roles": (MONTHS, {"column": "time", "time": "time"}, "two roles"),
    "ambiguous": ("t,v\n01/02/2020,1\n02/02/2020,2\n", {"time": "t"}, "write 1949-01-31"),
    "zone": ("t,v\n2020-01-01T00:00+02:00,1\n2020-01-02,2\n", {"time": "t"}, "no time stamp"),
    "first missing": (
        "t,v\n2020-01,\n2020-02,2\n2020-03,3\n",
        {"missing": "interpolate"},
        "line 2.*cannot be interpolated",
    ),
    "binary": (b"t,v\n\0\n", {}, "binary"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_in_one_line_with_its_place(read, name):
    text, options, message = FAULTS[name]
    with pytest.raises(DataError, match=message) as caught:
        read(text, **options)
    assert "\n" not in str(caught.value)


def test_tables_are_saved_whole(tmp_path, read):
    table = read("t,v,promo\n2020-01,1,0\n2020-02,2,1\n2020-03,,1\n", known="promo")
    save_table(tmp_path / "s.npz", table)
    got = load_table(tmp_path / "s.npz")
    assert digest(got) == digest(table)
    assert got.frequency == table.frequency and got.names == table.names
    content = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "s.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_table(tmp_path / "s.npz")


def test_first_rows_and_digest(read):
    table = read(MONTHS)
    assert len(first_rows(table, 2).values[0]) == 2
    assert digest(first_rows(table, 2)) != digest(table)


def test_the_airline_series():
    table = named("airline")
    values = table.values[0]
    assert (len(values), values[0], values[-1], values.sum()) == (144, 112, 432, 40363)
    assert calendar.show(table.times[0][-1], table.frequency) == "1960-12"
    with pytest.raises(DataError, match="did you mean 'airline'"):
        named("airlines")


@pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="needs the real data")
def test_real_files_are_read():
    table = named("etth1", column="OT,HUFL")
    assert table.names == ("OT", "HUFL") and table.frequency.name == "hour"
    assert len(table.values[0]) == 17420 and table.values[0][0] == pytest.approx(30.531, abs=1e-3)
    file = os.path.join(os.environ["ZOO_DATA"], "timeseries/airline_passengers.csv")
    np.testing.assert_array_equal(read_series(file).values[0], named("airline").values[0])


@pytest.mark.parametrize(
    "stamps, name, after",
    [
        (["2020-01", "2020-02"], "month", "2020-03"),
        (["2020-01-31", "2020-02-29"], "month", "2020-03"),
        (["2020-01-15", "2020-02-15"], "month", "2020-03-15"),
        (["1949-Q3", "1949-Q4"], "quarter", "1950-Q1"),
        (["1999", "2000"], "year", "2001"),
        (["2020-02-28", "2020-02-29"], "day", "2020-03-01"),
        (["2020-02-22", "2020-02-29"], "week", "2020-03-07"),
        (["2016-07-01 22:00:00", "2016-07-01T23:00Z"], "hour", "2016-07-02 00:00"),
        (["2020-01-01 00:00", "2020-01-01 00:15"], "15 minutes", "2020-01-01 00:30"),
        (["13/01/2020", "14/01/2020"], "day", "2020-01-15"),
        (["5", "6"], "row", "7"),
    ],
)
def test_frequencies_are_inferred_and_continued(stamps, name, after):
    times = calendar.parse(stamps)
    frequency = calendar.infer(times)
    assert frequency.name == name and calendar.frequency(name) == frequency
    assert calendar.show(calendar.following(times, 1, frequency)[0], frequency) == after
    np.testing.assert_array_equal(calendar.steps(times, frequency), [0, 1])


def test_calendar_features_repeat_with_their_cycle():
    times = calendar.parse(["2020-01", "2020-07", "2021-01"])
    got = calendar.features(times, calendar.frequency("month"))
    np.testing.assert_allclose(got[0], got[2], atol=1e-6)
    np.testing.assert_allclose(got[0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(got[1], [0, -1], atol=1e-6)
    hours = calendar.parse(["2020-01-06 05:00", "2020-01-13 05:00"])
    got = calendar.features(hours, calendar.frequency("hour"))
    assert got.shape == (2, 6)
    np.testing.assert_allclose(got[0, [1, 2, 4, 5]], got[1, [1, 2, 4, 5]], atol=1e-5)
