"""A page about finished and unfinished runs: one HTML file that needs nothing from outside.

folders   run folders -> values
markup    HTML that is escaped where it is made
figures   numbers in words
chart     curves as SVG
settings  what a config says, what differs from the defaults first
results   metrics, beside the reference and side by side
section   what is said of one run
page      the whole document
style     how it looks, in light and in dark
"""
