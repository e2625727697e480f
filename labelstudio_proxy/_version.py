__version__ = "0.1.0"

# The Label Studio that this version was tested with.
LABEL_STUDIO_VERSION = "1.23.2"
