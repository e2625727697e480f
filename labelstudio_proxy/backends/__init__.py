"""The ways to run Label Studio."""
