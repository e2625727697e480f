"""HTTP in front of Label Studio: start page, prefix, identity."""
