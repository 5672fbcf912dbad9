"""What is copied, against Python's ``in``."""

import numpy as np
import pytest

from zoo.tasks.copies import longest_run, longest_runs, matches, share_found


def inside(run, source):
    return str(run)[1:-1] in str(source)[1:-1]  # ids of one digit each


def lengths_one_by_one(rows, source):
    """(R, L) by trying each end."""
    out = np.zeros(rows.shape, int)
    for r, row in enumerate(rows.tolist()):
        for i in range(len(row)):
            ends = [j for j in range(i + 1, len(row) + 1) if inside(row[i:j], source.tolist())]
            out[r, i] = max(ends, default=i) - i
    return out


CASES = [  # seed, different ids, rows, length, source
    (0, 2, 3, 12, 30),
    (1, 3, 4, 9, 40),
    (2, 9, 5, 7, 60),
    (3, 1, 2, 10, 6),
    (4, 2, 1, 40, 5),
    (5, 4, 6, 1, 3),
    (6, 2, 2, 16, 16),
]


def case(seed, kinds, R, L, N):
    """Rows and a source of which the rows have copies."""
    rng = np.random.default_rng(seed)
    source, rows = rng.integers(0, kinds, N), rng.integers(0, kinds + 1, (R, L))
    copied = min(L, N) // 2
    rows[0, L - copied :] = source[N - copied :]  # up to both ends
    return rows, source


@pytest.mark.parametrize("given", CASES)
def test_each_place_matches_as_far_as_a_search_finds(given):
    rows, source = case(*given)
    lengths, places = matches(rows, source)
    np.testing.assert_array_equal(lengths, lengths_one_by_one(rows, source))
    for (r, i), n in np.ndenumerate(lengths):
        p = places[r, i]
        np.testing.assert_array_equal(rows[r, i : i + n], source[p : p + n])


@pytest.mark.parametrize("given", CASES)
def test_the_longest_run_of_each_row_and_of_a_text(given):
    rows, source = case(*given)
    expected = lengths_one_by_one(rows, source)
    np.testing.assert_array_equal(longest_runs(rows, source), expected.max(axis=1))
    ids = rows.ravel()
    run, of_text = longest_run(ids, source), lengths_one_by_one(ids[None], source)[0]
    assert (run.length, run.start) == (of_text.max(), of_text.argmax())
    end = run.source_start + run.length
    np.testing.assert_array_equal(
        ids[run.start : run.start + run.length], source[run.source_start : end]
    )


@pytest.mark.parametrize("given", CASES)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_share_of_ngrams_inside_of_rows(given, n):
    rows, source = case(*given)
    grams = [row[i : i + n] for row in rows.tolist() for i in range(len(row) - n + 1)]
    if not grams:
        with pytest.raises(ValueError, match=f"no {n}-grams"):
            share_found(rows, source, n)
    else:
        expected = np.mean([inside(gram, source.tolist()) for gram in grams])
        assert share_found(rows, source, n) == pytest.approx(expected)


def test_no_run_reaches_over_the_end_of_a_row():
    source = np.arange(20)
    assert longest_runs(source.reshape(4, 5), source).tolist() == [5] * 4
    assert share_found(source.reshape(4, 5), source, 5) == 1
    assert longest_run(source, source) == (20, 0, 0)


def test_any_integers_are_ids():
    source = np.array([-(2**62), 5, 2**62, 7])
    assert longest_run(np.array([5, 2**62, -7]), source) == (2, 0, 1)


def test_nothing_in_common_and_nothing_at_all():
    ids, none = np.array([1, 2, 3]), np.array([], int)
    for a, b in ((ids, ids + 3), (ids, none), (none, ids), (none, none)):
        assert longest_run(a, b) == (0, 0, 0)
    assert share_found(ids[None], none, 2) == 0
    assert longest_runs(np.zeros((2, 0), int), ids).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"shape \(0, 9\)"):
        share_found(np.zeros((0, 9), int), ids)
