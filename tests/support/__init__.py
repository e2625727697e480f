"""What the tests run: the real Jupyter, the real Label Studio, a real browser."""
