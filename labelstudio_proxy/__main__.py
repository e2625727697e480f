"""`python -m labelstudio_proxy`, the same as `labelstudio-proxy`."""

from .cli.main import main

main()
