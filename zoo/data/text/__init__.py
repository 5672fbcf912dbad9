"""Texts.

corpus       bytes -> text: files, named corpora, Gutenberg bodies, splits by position
vocabulary   text <-> ids, by characters or bytes
languages    texts in several languages
alphabet     characters of many scripts -> ids
lines        files and streams line by line
"""
