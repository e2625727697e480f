"""What labelstudio-proxy costs, beside the programs it is made of: `make bench`.

Each row is one function, in the module of its subject; `bench.measures` puts it on the list. They use
the real programs of `tests/support`, which must be on the path.
"""
