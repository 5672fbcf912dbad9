"""Texts.

corpus       bytes -> text: files, named corpora, Gutenberg bodies, splits by position
tokenizers   text <-> ids: the table of all kinds, their contract
vocabulary   bytes, characters or words
words        text -> words and punctuation, and back
pieces       byte-pair pieces of words, by the library ``tokenizers``
languages    texts in several languages
alphabet     characters of many scripts, with an unknown symbol a script
records      JSON files with their format
lines        files and streams line by line
"""
