"""Installs Label Studio into a separate environment."""
