"""Forecasts: the next values of one or several series."""
