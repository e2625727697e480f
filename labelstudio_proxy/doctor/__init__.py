"""Checks of everything that Label Studio needs, for people and for bug reports."""
