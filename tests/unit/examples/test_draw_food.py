"""The pictures of the example notebook."""

from __future__ import annotations

from pathlib import Path

from draw_food import FOODS, SIZE, draw_food
from PIL import Image


def test_every_second_picture_is_a_hot_dog_and_every_food_is_there(tmp_path: Path) -> None:
    count = 2 * (len(FOODS) - 1)
    shown = draw_food(tmp_path / "food", count)
    assert sorted(shown) == sorted(path.name for path in (tmp_path / "food").iterdir())
    assert sum(food == "hot dog" for food in shown.values()) == count // 2
    assert set(shown.values()) == set(FOODS)
    for name in shown:
        with Image.open(tmp_path / "food" / name) as picture:
            assert picture.size == (SIZE, SIZE)


def test_the_same_seed_draws_the_same_pictures(tmp_path: Path) -> None:
    first, again, other = (
        (draw_food(tmp_path / name, 2, seed), (tmp_path / name / "food-001.jpg").read_bytes())
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first == again
    assert first[1] != other[1]
