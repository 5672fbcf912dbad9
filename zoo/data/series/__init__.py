"""Series.

sheet        a CSV file as columns of cells, and the numbers in them
notation     numbers with a decimal point or a decimal comma
read         columns -> series on a regular calendar; airline, etth1
table        series in memory and in a run folder
calendar     time stamps, frequencies, calendar features
frames       series -> what a network reads, and back
airline      the 144 figures
"""
