"""What runs in Jupyter's process."""
