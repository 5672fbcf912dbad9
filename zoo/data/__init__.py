"""Bytes to arrays: texts, series, and batches that are functions of a step.

    registry     named corpora: where they come from, checksums, licences, downloads
    text         texts: corpora, vocabularies, languages, lines
    series       series on a regular calendar, and what a network sees of them
    batches      (seed, step) -> indices -> windows, for training and for evaluation
    files        reading and writing whole files safely
    errors       the one error of all of them

What a user can get wrong raises ``DataError``: one line with the fault, its place, the remedy.
"""
