"""What the package adds to a start of Jupyter, beside what Jupyter imports itself.

Each round runs one interpreter that imports Jupyter's server and jupyter-server-proxy, and then the
server extension or the entry point, and prints how long each part took. Run it with the Python that
Jupyter is installed for: `python benchmarks/jupyter_start.py`.
"""

import json
import statistics
import subprocess
import sys

ROUNDS = 15
CODE = """
import json, time
begin = time.perf_counter()
import jupyter_server.serverapp, jupyter_server_proxy
middle = time.perf_counter()
{added}
print(json.dumps([middle - begin, time.perf_counter() - middle]))
"""
ADDED = {
    "the entry point, imported and called": (
        "from labelstudio_proxy.launcher import server_process; server_process()"
    ),
    "the server extension, imported": "import labelstudio_proxy.extension",
}


def main() -> None:
    for name, added in ADDED.items():
        code = CODE.format(added=added)
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", code])) for _ in range(ROUNDS)
        ]
        jupyter, ours = (statistics.median(each) for each in zip(*runs, strict=True))
        print(
            f"{name}: {1000 * ours:.1f} ms, {ours / jupyter:.1%} of the {1000 * jupyter:.0f} ms "
            "that Jupyter's own imports took (medians)"
        )


if __name__ == "__main__":
    main()
