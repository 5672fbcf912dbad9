"""Series from files: what is read, and what is said about a file that cannot be."""

import os
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    got = read('t,v\n2020-01,"1,234"\n2020-02,"1,234,567.5"\n2020-03,12 000\n2020-04,1e5\n')
    np.testing.assert_array_equal(got.values[0], [1234, 1234567.5, 12000, 1e5])
    np.testing.assert_array_equal(read("t;v\n1;1.234,5\n2;0,5\n").values[-1], [1234.5, 0.5])


# The cells of one column -> its numbers, in files divided by semicolons or tabs.
COLUMNS = {
    "thousands by points": (["1.234", "1.234,5"], [1234, 1234.5]),
    "a fraction": (["1.234", "0.123"], [1.234, 0.123]),
    "zero with decimals": (["1.234", "0.000"], [1.234, 0]),
    "one decimal": (["1.234", "12.5"], [1.234, 12.5]),
    "too many before the point": (["1.234", "1234.567"], [1.234, 1234.567]),
    "two points": (["1.234", "1.234.567"], [1234, 1234567]),
    "two commas": (["1,234", "1,234,567"], [1234, 1234567]),
    "a comma and a point": (["1,234", "1,234.5"], [1234, 1234.5]),
    "one decimal after a comma": (["1,234", "12,5"], [1.234, 12.5]),
    "a fourth decimal": (["1.234", "1.2340"], [1.234, 1.234]),
    "an exponent": (["1.234", "1.234e5"], [1.234, 123400]),
    "an exponent after a comma": (["1,234", "1,5E-3"], [1.234, 0.0015]),
    "underscores": (["1_234", "1.234"], [1234, 1.234]),
    "spaces": (["12 000", "1 234 567", "999"], [12000, 1234567, 999]),
    "no-break spaces": (["12\u00a0000,5", "1\u202f234"], [12000.5, 1234]),
    "signs": (["-1.234,5", "+1.234", "-0"], [-1234.5, 1234, 0]),
    "whole": (["12", "-3", "1e5"], [12, -3, 1e5]),
}


@pytest.mark.parametrize("delimiter", [";", "\t"], ids=["semicolon", "tab"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_read_in_the_notation_that_takes_all_of_its_cells(read, name, delimiter):
    cells, expected = COLUMNS[name]
    for order in (1, -1):
        rows = [f"x{delimiter}{cell}\n" for cell in cells[::order]]
        got = read("".join([f"label{delimiter}v\n", *rows]), column="v")
        np.testing.assert_array_equal(got.values[0], expected[::order])


def test_each_column_has_its_own_notation(read):
    got = read("v;w;x\n1.234;1.234;1,5\n1,5;1.5;2,25\n")
    assert got.names == ("v", "w", "x")
    np.testing.assert_array_equal(got.values, [[1234, 1.5], [1.234, 1.5], [1.5, 2.25]])


def test_all_series_of_a_long_file_have_one_notation(read):
    got = read("shop;v\nA;1.234\nB;0,5\nA;2.345\nB;1,5\n", key="shop")
    np.testing.assert_array_equal(got.values, [[1234, 2345], [0.5, 1.5]])


def test_what_is_known_in_advance_is_read_in_both_notations(read):
    got = read("v;price\n1;1.234,5\n2;2,5\n;3,25\n", column="v", known="price")
    np.testing.assert_array_equal(got.known[0][:, 0], [1234.5, 2.5, 3.25])


def test_ambiguous_columns_that_nobody_asked_for_are_left_alone(read):
    text = "step;shop;v;w\n1.234;1.234;1;1.234\n1.235;1.234;2;1.235\n"
    got = read(text, column="v", key="shop")
    assert got.names == ("1.234",)
    np.testing.assert_array_equal(got.values[0], [1, 2])


# (mark between thousands, decimal mark)
MARKS = [(mark, ".") for mark in ["", *", _\u00a0\u202f"]]
MARKS += [(mark, ",") for mark in ["", *". \u00a0\u202f"]]


@settings(deadline=None)
@given(
    marks=st.sampled_from(MARKS),
    values=st.lists(
        st.decimals(-(10**9), 10**9, places=3) | st.integers().map(Decimal), min_size=1
    ),
    delimiter=st.sampled_from(";\t"),
)
def test_numbers_in_either_notation_come_back(tmp_path_factory, marks, values, delimiter):
    written = str.maketrans(dict(zip(",.", marks, strict=True)))
    # No number of the other notation, 0.5 says which one the column is in.
    cells = [f"{value:,f}".translate(written) for value in [*values, Decimal("0.5")]]
    file = tmp_path_factory.getbasetemp() / "numbers.csv"
    rows = [f"x{delimiter}{cell}\n" for cell in cells]
    file.write_text("".join([f"label{delimiter}v\n", *rows]))
    got = read_series(file, column="v").values[0]
    assert got.tolist() == [*map(float, values), 0.5]


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


def test_values_that_look_like_years_are_values_unless_they_rise_as_years_do(read):
    assert read("v\n1234\n1500\n1490\n").names == ("v",)
    assert read("v;w\n1001;1\n1001;2\n").names == ("v", "w")
    assert read("w,v\n1234,1\n1235,2\n", column="w").names == ("w",)
    table = read("Jahr,Umsatz\n2001,7\n2002,9\n2003,8\n")
    assert (table.names, table.frequency.name) == (("Umsatz",), "year")
    text = "land,Jahr,n\nA,2001,1\nA,2002,2\nB,2001,3\nB,2002,4\n"
    assert read(text, key="land").frequency.name == "year"


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
    "thousands or decimals": (
        "t;v\n2020-01;999\n2020-02;1.234\n2020-03;5.678\n",
        {},
        "line 3, column 'v': '1.234' may be 1234 or 1.234.*1.2340.*--config.data.column",
    ),
    "thousands or decimals by commas": (
        "t\tv\n2020-01\tNA\n2020-02\t-1,234\n",
        {"column": "v"},
        "line 3, column 'v': '-1,234' may be -1234 or -1.234.*-1,2340.*--config.data.column",
    ),
    "ambiguous feature": (
        "v;p\n1;1.234\n2;5.678\n",
        {"known": "p"},
        "line 2, column 'p': '1.234' may be 1234 or 1.234.*--config.data.known",
    ),
    "two notations": (
        "t;v\n2020-01;1.234,5\n2020-02;12.5\n2020-03;0,5\n",
        {},
        "line 3, column 'v': '12.5' is no number: "
        "it is written as in 1,234.5, this column is read as in 1.234,5",
    ),
    "two notations, a tie": (
        "t;v\n2020-01;1.234,5\n2020-02;12.5\n",
        {},
        "line 2, column 'v': '1.234,5' is no number: "
        "it is written as in 1.234,5, this column is read as in 1,234.5",
    ),
    "decimal comma between commas": (
        't,v\n2020-01,"1,234"\n2020-02,"0,123"\n',
        {"column": "v"},
        "line 3, column 'v': '0,123' is no number: "
        "it is written as in 1.234,5, this column is read as in 1,234.5",
    ),
    "no number among decimal commas": (
        "t;v\n2020-01;1,5\n2020-02;2,5\n2020-03;1,2,3\n",
        {},
        "line 4, column 'v': '1,2,3' is no number; mend it",
    ),
    "no number among features": (
        "v,p\n1,x\n2,1\n",
        {"known": "p"},
        "line 2, column 'p': 'x' is no number; mend it, .*--config.data.known",
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
    "no header, decimal commas": ("1;1.234,5\n2;0,5\n3;1,5\n", {}, "no header.*time;value"),
    "no header, more commas": ("1,5;2,5\n2,5;0,5\n3,5;1,5\n", {}, "no header.*time;value"),
    "one row": ("t,v\n2020-01,1\n", {}, "1 row"),
    "header only": ("t,v\n", {}, "0 row"),
    "empty": ("", {}, "empty"),
    "blank": ("\n\n", {}, "no rows"),
    "ragged": ("t,v\n2020-01,1,000\n2020-02,2\n", {}, "line 2: 3 fields.*quotes"),
    "same name": ("v,v\n1,2\n3,4\n", {}, "two columns are named 'v'"),
    "no values": (
        "t,v\n2020-01,1\n2020-02,2\n",
        {"known": "v"},
        "no other column of numbers is left",
    ),
    "two roles": (
        MONTHS,
        {"column": "time", "time": "time"},
        "is the column of --config.data.time",
    ),
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


def weekdays(first, count, but=()):
    days = np.busday_offset(first, np.arange(count), roll="forward")
    return [str(day) for day in days if str(day) not in but]


def sheet_of(stamps):
    return "date,v\n" + "".join(f"{stamp},{i + 1}\n" for i, stamp in enumerate(stamps))


def test_business_days_keep_their_dates_and_skip_weekends(read):
    table = read(sheet_of(weekdays("2024-01-01", 15)))  # to Friday 19 January
    freq = table.frequency
    assert freq.name == "business day" and freq.season == 5
    after = calendar.following(table.times[0], 6, freq)
    assert [calendar.show(t, freq) for t in after] == [
        "2024-01-22", "2024-01-23", "2024-01-24", "2024-01-25", "2024-01-26", "2024-01-29",
    ]  # fmt: skip
    assert calendar.features(table.times[0], freq).shape == (15, 4)  # of the year and of the week
    with pytest.raises(DataError, match="2024-01-20 lies between the steps"):
        read(sheet_of([*weekdays("2024-01-01", 15), "2024-01-20"]), frequency="business day")


def test_days_that_lack_a_few_weekdays_had_holidays_and_those_that_lack_more_have_gaps(read):
    stamps = weekdays("2024-03-18", 30, but=("2024-03-29", "2024-04-01"))  # Easter
    table = read(sheet_of(stamps))
    assert table.frequency.name == "business day"
    np.testing.assert_array_equal(table.values[0], np.arange(1, 29))
    np.testing.assert_array_equal(table.times[0], np.array(stamps, "datetime64[s]"))
    assert [str(day) for day in calendar.holidays(table.times[0])] == ["2024-03-29", "2024-04-01"]
    filled = read(sheet_of(stamps), missing="interpolate")
    assert len(filled.values[0]) == 30 and not len(calendar.holidays(filled.times[0]))
    with pytest.raises(DataError, match=r"lacks 2024-03-22, 2024-03-25.* \(by business day\)"):
        read(sheet_of(stamps[:4] + stamps[9:]))


def test_seconds_and_milliseconds_since_1970_are_dates(read):
    for factor in (1, 1000):
        table = read(sheet_of([(1704067200 + 3600 * i) * factor for i in range(5)]))
        assert table.frequency.name == "hour" and table.names == ("v",)
        assert calendar.show(table.times[0][1], table.frequency) == "2024-01-01 01:00"
    sales = read("date,v\n2024-01,150000000\n2024-02,160000000\n2024-03,170000000\n")
    assert sales.names == ("v",) and sales.values[0][0] == 150_000_000


def test_rows_are_sorted_by_their_times_where_that_is_asked_for(read):
    text = "t,v,p\n2020-03,,7\n2020-01,1,5\n2020-02,2,6\n"
    table = read(text, known="p", sort=True)  # the row without a value is of the future
    np.testing.assert_array_equal(table.values[0], [1, 2])
    np.testing.assert_array_equal(table.known[0][:, 0], [5, 6, 7])
    long = "k,t,v\nA,2020-02,2\nB,2020-01,3\nA,2020-01,1\nB,2020-02,4\n"
    table = read(long, key="k", sort=True)
    np.testing.assert_array_equal(np.array(table.values), [[1, 2], [3, 4]])
    with pytest.raises(DataError, match=r"line 4, .*2020-02 stands twice, first in line 2"):
        read("t,v\n2020-02,1\n2020-01,2\n2020-02,3\n", sort=True)
    with pytest.raises(DataError, match=r"sort the file by time, or add --config\.data\.sort=True"):
        read("t,v\n2020-02,1\n2020-01,2\n2020-03,3\n")


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
