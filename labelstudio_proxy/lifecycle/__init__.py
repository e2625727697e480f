"""Starts, watches and stops Label Studio."""
