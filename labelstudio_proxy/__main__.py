"""`python -m labelstudio_proxy`, as jupyter-server-proxy runs it."""

from .cli import main

main()
