"""Generators of several corpora, and a classifier that checks what they write: source 000."""
