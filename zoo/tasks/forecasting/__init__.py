"""The next values of one or several series."""
