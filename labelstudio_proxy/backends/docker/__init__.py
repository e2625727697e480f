"""Runs Label Studio as a container, on any engine that speaks Docker's API."""
