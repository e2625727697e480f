"""The settings, and how the gateway gets them."""
