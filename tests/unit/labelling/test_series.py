"""Which columns of a table Label Studio draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.labelling.series import Series, read_series
from labelstudio_proxy.problem import Problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("time,x,y\n0,1,2\n1,3,4\n", Series(",", {"x": "x", "y": "y"})),
        ("time;x\n2020-01-01;1,5\n", None),
        ("date;x;note\n2020-01-01;1.5;a\n2020-01-02;;b\n", Series(";", {"x": "x"})),
        ('"a, b"\t"c"\n1\t2\n', Series("\t", {'"a, b"': "a, b", '"c"': "c"})),
        ('t,"y ""1""" \n1,2\n', Series(",", {'"y ""1"""': 'y "1"'})),
        ("0.1,2\n0.2,3\n", Series(",", {"0": "0", "1": "1"})),
        ("\ufefftime,t\n1,2\n", Series(",", {"time": "time", "t": "t"})),
        ("x,y\r\n1,2\r\n3\r\n", Series(",", {"x": "x"})),
        ("x\n1\n2\n", None),
        ("x,y\n", None),
        ("", None),
        ("a,b\nc,d\n", None),
    ],
)
def test_columns_with_numbers_are_found(
    tmp_path: Path, content: str, expected: Series | None
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())

    if expected is None:
        with pytest.raises(Problem, match=r"a.csv` (is no table|has no column)"):
            read_series(str(path))
    else:
        assert read_series(str(path)) == expected


def test_the_beginning_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,x\n" + "".join(f"{n},0.{n}\n" for n in range(50_000)))

    assert read_series(str(path)) == Series(",", {"x": "x"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"gone.csv` cannot be read"):
        read_series(str(tmp_path / "gone.csv"))
