"""The benchmarks: `make bench`. They compare labelstudio-proxy with the programs that it consists of.

Each row is one function, which `bench.measures` registers. The rows use the real programs of
`tests/support`, which must be on the path.
"""
