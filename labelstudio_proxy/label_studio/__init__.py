"""What we know of Label Studio, and how it is reached."""
