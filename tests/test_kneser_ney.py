"""The n-gram baseline, against the papers' equations with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from zoo.tasks import kneser_ney
from zoo.tasks.adaptive_kneser_ney import Reader
from zoo.tasks.kneser_ney import FALLBACK, best_order, discounts, fit, log_p

V = 7


def text(seed, length=400):
    """Ids of which some are frequent; id V - 1 never occurs."""
    return np.random.default_rng(seed).choice(V - 1, length, p=[0.4, 0.25, 0.15, 0.1, 0.06, 0.04])


def by_the_equations(ids, order):
    """p(context, word) as Chen & Goodman 1999 write it; counts in dictionaries, recursion over orders."""
    grams = {
        k: Counter(tuple(ids[i : i + k]) for i in range(len(ids) - k + 1))
        for k in range(1, order + 1)
    }
    counts = {order: grams[order]}
    for k in range(1, order):
        words_before = defaultdict(set)
        for gram in grams[k + 1]:
            words_before[gram[1:]].add(gram[0])
        counts[k] = {gram: len(words) for gram, words in words_before.items()}
    D = {}
    for k, table in counts.items():
        n = Counter(table.values())
        D[k] = dict(enumerate(FALLBACK, 1))
        if all(n[i] for i in (1, 2, 3, 4)):
            Y = n[1] / (n[1] + 2 * n[2])
            estimate = {i: i - (i + 1) * Y * n[i + 1] / n[i] for i in (1, 2, 3)}
            if min(estimate.values()) > 0:
                D[k] = estimate

    def p(context, word):
        if context is None:
            return 1 / V
        k = len(context) + 1
        lower = p(context[1:] if context else None, word)
        after = [c for gram, c in counts[k].items() if gram[:-1] == context]
        if not after:
            return lower
        c = counts[k].get((*context, word), 0)
        own = max(c - D[k][min(c, 3)], 0) if c else 0
        left = sum(D[k][i] * sum(min(c, 3) == i for c in after) for i in (1, 2, 3))
        return (own + left * lower) / sum(after)

    return p


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [3, 40, 400])
def test_it_is_what_the_papers_equations_give(order, length):
    ids, test = text(0, length), np.append(text(1, 40), V - 1)
    history = text(2, 10)
    p, whole = by_the_equations(ids.tolist(), order), [*history.tolist(), *test.tolist()]
    expected = [
        np.log(p(tuple(whole[i - order + 1 : i]), whole[i]))
        for i in range(len(history), len(whole))
    ]
    np.testing.assert_allclose(log_p(fit(ids, order, V), history, test), expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "context", [[], [0], [0, 0, 1, 0], [5, 5, 5, 5], [6, 0], [0, 6], [6, 6, 6, 6]]
)
def test_all_words_have_a_chance_and_together_one(order, context):
    model = fit(text(0), order, V)
    p = np.exp([log_p(model, context, [word])[0] for word in range(V)])
    assert (p > 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_discounts_are_chen_and_goodmans():
    n = [50, 20, 10, 6]  # counts of counts 1 to 4
    counts = np.repeat([1, 2, 3, 4, 9], [*n, 3])
    Y = 50 / (50 + 2 * 20)
    expected = [0, 1 - 2 * Y * 20 / 50, 2 - 3 * Y * 10 / 20, 3 - 4 * Y * 6 / 10]
    np.testing.assert_allclose(discounts(counts), expected)


@pytest.mark.parametrize("n", [[50, 20, 10, 0], [5, 0, 3, 1], [0, 0, 0, 0], [10, 1, 30, 30]])
def test_discounts_that_cannot_be_estimated_are_fixed(n):
    assert discounts(np.repeat([1, 2, 3, 4], n)).tolist() == [0, *FALLBACK]


def test_of_the_history_the_last_words_count():
    model, long = fit(text(0), 3, V), text(1)
    ids = text(2, 20)
    np.testing.assert_array_equal(log_p(model, long, ids), log_p(model, long[-2:], ids))
    whole = log_p(model, [], np.append(long, ids))
    np.testing.assert_array_equal(log_p(model, long, ids), whole[-20:])


def test_a_longer_context_helps_where_the_text_has_an_order():
    ids = np.tile([0, 1, 2, 1, 3, 1], 50)
    perplexity = [np.exp(-log_p(fit(ids, order, V), ids, ids[:60]).mean()) for order in (1, 2, 3)]
    assert perplexity == pytest.approx([12 ** (1 / 2), 3 ** (1 / 2), 1], rel=0.05)  # the entropies


def test_a_text_of_no_word_gives_the_uniform_distribution():
    np.testing.assert_allclose(log_p(fit([], 3, V), [], [0, 6, 2]), -np.log(V))


@pytest.mark.parametrize("ids", [[0, V], [-1, 0]])
def test_an_id_that_is_not_in_the_vocabulary_is_refused(ids):
    with pytest.raises(ValueError, match="vocabulary of 7"):
        fit(ids, 2, V)
    with pytest.raises(ValueError, match="vocabulary of 7"):
        log_p(fit([0, 1], 2, V), [], ids)
    with pytest.raises(ValueError, match="order is 1 or more, not 0"):
        fit([0, 1], 0, V)


def counting_on(ids, order, history, test):
    """log P of each symbol of ``test`` with the counts of all before it, and the discounts of ``ids``."""
    grams = {order: Counter(tuple(ids[i : i + order]) for i in range(len(ids) - order + 1))}
    for k in range(1, order):
        longer = {tuple(ids[i : i + k + 1]) for i in range(len(ids) - k)}
        grams[k] = Counter(gram[1:] for gram in longer)

    def count(whole, i):
        for k in range(order, 0, -1):
            gram = tuple(whole[i + 1 - k : i + 1])
            grams[k][gram] += 1
            if grams[k][gram] > 1:
                break

    start = fit(np.array(ids), order, V)
    D = [o.discount for o in start.orders]
    whole, out = [*history, *test], []
    for i in range(len(history), len(whole)):
        p = 1 / V
        for k in range(1, order + 1):
            context = tuple(whole[i + 1 - k : i])
            after = {g: c for g, c in grams[k].items() if g[:-1] == context}
            if after:
                c = after.get((*context, whole[i]), 0)
                left = sum(D[k - 1][min(c, 3)] for c in after.values())
                p = (max(c - D[k - 1][min(c, 3)], 0) + left * p) / sum(after.values())
        out.append(np.log(p))
        count(whole, i)
    return out


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_counts_go_on_while_it_reads(order):
    ids, test = text(0, 200), np.append(text(1, 60), V - 1)
    history = ids[-5:]
    expected = counting_on(ids.tolist(), order, history.tolist(), test.tolist())
    reader = Reader(fit(ids, order, V), history)
    # in pieces, of which one is empty
    got = np.concatenate([reader.log_p(test[a:b]) for a, b in ((0, 9), (9, 9), (9, 40), (40, 61))])
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_before_anything_was_read_twice_it_is_the_model_itself():
    ids, test = text(0), text(1, 30)
    model = fit(ids, 3, V)
    for i in range(len(test)):
        history = np.append(ids, test[:i])
        one = Reader(model, history).log_p(test[i : i + 1])
        assert one == pytest.approx(log_p(model, history, test[i : i + 1]), rel=1e-12)


def test_the_order_is_the_one_that_says_most_of_the_last_tenth():
    ids = np.tile(np.arange(V - 1), 50)  # two symbols tell the next one as well as one
    assert best_order(ids, V, (1, 2)) == 2
    assert best_order(ids[:5], V) == 5


@pytest.mark.parametrize("order", [1, 2, 4])
def test_texts_that_are_read_side_by_side_have_the_probabilities_of_each_alone(order):
    model, rows = fit(text(0), order, V), np.stack([text(1, 30), text(2, 30)])
    rows[1, 7] = V - 1  # never seen
    reader = kneser_ney.Reader(model, 2)
    for at in range(30):
        found = reader.probabilities()
        for row, p in zip(rows, found, strict=True):
            wanted = [log_p(model, row[:at], np.array([w]))[0] for w in range(V)]
            np.testing.assert_allclose(np.log(p), wanted, atol=1e-12)
        reader.read(rows[:, at])
