"""The settings: from configuration files, the command line and the environment."""
