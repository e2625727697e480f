"""Measure each row and write the report after each of them."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from datetime import date
from pathlib import Path

from . import (
    big_files,
    container_start,
    growth,
    jupyter_start,
    lab_start,
    labels,
    memory,
    page,
    predictions,
    projects,
    start,
    submit,
    throughput,
    transfer,
)
from .bench import LIST, Bench
from .machine import machine, versions
from .report import Report
from .results import Table

logger = logging.getLogger(__name__)

# In the order of the report. Importing a module adds its rows to LIST.
MODULES = (
    start,
    container_start,
    page,
    submit,
    throughput,
    big_files,
    transfer,
    jupyter_start,
    lab_start,
    memory,
    growth,
    projects,
    labels,
    predictions,
)
RESULTS = Path(__file__).parent / "results"
TRIAL = Path(__file__).parent.parent / "test-results" / "benchmarks"


def main() -> None:
    options = parse()
    chosen = [key for key in keys() if not options.rows or key.startswith(tuple(options.rows))]
    if not chosen:
        sys.exit(f"No such rows. There are: {' '.join(keys())}")
    whole = len(chosen) == len(LIST) and not options.small
    folder = options.output or (RESULTS if whole else TRIAL)
    report = Report(date.today().isoformat(), machine(), versions(), options.small)
    bench = Bench(rounds=options.rounds, small=options.small)
    try:
        for key in chosen:
            measure(key, bench, report)
            report.write(folder)
    finally:
        bench.close()
    if whole:
        report.write_document()
    print(report.markdown("results.svg"))
    print(f"Written to {folder}")
    if report.failures:
        sys.exit(1)


def keys() -> list[str]:
    order = [module.__name__ for module in MODULES]
    return sorted(LIST, key=lambda key: order.index(LIST[key].__module__))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument(
        "--rows",
        nargs="*",
        metavar="KEY",
        help=f"only the rows whose keys begin with: {' '.join(keys())}",
    )
    parser.add_argument("--rounds", type=int, help="for every row")
    parser.add_argument(
        "--small", action="store_true", help="a trial with little data and short runs"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for the results; default for all rows: benchmarks/results",
    )
    return parser.parse_args()


def measure(key: str, bench: Bench, report: Report) -> None:
    print(f"{key} …", flush=True)
    begin = time.monotonic()
    try:
        for found in LIST[key](bench):
            if isinstance(found, Table):
                report.tables.append(found)
            else:
                report.rows.append(found)
                print(f"    {found.what}: {found.result_text()}, {found.target_text()}")
    except Exception as error:  # measure the other rows anyway
        logger.exception("%s could not be measured", key)
        report.failures[key] = f"{type(error).__name__}: {error}"[:500]
    finally:
        bench.stack.close()
    print(f"    {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
