"""Projects over folders and tables: the routes below `_proxy/projects`, for Python and the command line."""
