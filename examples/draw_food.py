"""Draw little pictures of food, half of them hot dogs, for the example notebook.

Run `python draw_food.py FOLDER` to look at them without the notebook. It needs Pillow.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from PIL import Image, ImageColor, ImageFilter
from sketch import Layer, Point, around, below, blob, darker, lighter, mix, wave

SIZE = 256  # pixels, of a finished picture
COUNT = 120
SEED = 4


def draw_food(folder: str | Path, count: int = COUNT, seed: int = SEED) -> dict[str, str]:
    """Write `count` pictures into the folder; return what each of them shows, by file name.

    The same seed gives the same pictures. Every second one, in no order, is a "hot dog".
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)
    shown = choose_food(count, random)
    for name, food in shown.items():
        picture(food, random).save(folder / name, quality=88)
    return shown


def choose_food(count: int, random: Random) -> dict[str, str]:
    """Return what each picture will show, by file name."""
    others = [food for food in FOODS if food != "hot dog"]
    foods = [others[n // 2 % len(others)] if n % 2 else "hot dog" for n in range(count)]
    random.shuffle(foods)
    return {f"food-{number:03}.jpg": food for number, food in enumerate(foods, 1)}


def contact_sheet(files: Iterable[str | Path], columns: int = 10, size: int = 96) -> Image.Image:
    """Return the pictures side by side in one, each of them `size` pixels wide."""
    thumbnails = [Image.open(file).resize((size, size)) for file in files]
    rows = -(-len(thumbnails) // columns)
    sheet = Image.new("RGB", (columns * size, rows * size), "white")
    for number, thumbnail in enumerate(thumbnails):
        sheet.paste(thumbnail, (number % columns * size, number // columns * size))
    return sheet


def picture(food: str, random: Random) -> Image.Image:
    """Return a picture of one of FOODS, somewhere on a table."""
    layer = Layer(random)
    tilt = FOODS[food](layer, random)
    image = layer.image.rotate(random.uniform(-tilt, tilt), Image.Resampling.BILINEAR)
    width = int(image.width * random.uniform(0.74, 0.98))
    image = image.resize((width, width), Image.Resampling.LANCZOS)
    table = background(random)
    room = table.width - width
    left = room // 2 + int(random.uniform(-0.06, 0.06) * table.width)
    top = room // 2 + int(random.uniform(-0.06, 0.06) * table.width)
    shadow = image.getchannel("A").filter(ImageFilter.GaussianBlur(10)).point(lambda a: a * 0.35)
    table.paste((40, 25, 20), (left + 9, top + 15), shadow)
    table.paste(image, (left, top), image)
    return table.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


# ---- the table


def background(random: Random) -> Image.Image:
    """Return a table cloth: plain, with dots, stripes or checks, sometimes with a plate."""
    layer = Layer(random)
    cloth = random.choice(
        ["#f4d9c6", "#cfe5e3", "#f6e7b4", "#dcd3ec", "#d5e6c3", "#f3c9cc", "#c9d8ee"]
    )
    base = layer.colour(cloth)
    pattern = mix(base, (255, 255, 255), 0.45)
    layer.box((-1.1, -1.1), (1.1, 1.1), base)
    pattern_kind = random.choice(["plain", "dots", "stripes", "checks"])
    step = random.uniform(0.2, 0.34)
    steps = [n * step for n in range(-6, 7)]
    if pattern_kind == "dots":
        for row, y in enumerate(steps):
            for x in steps:
                layer.disc((x + row % 2 * step / 2, y), step * 0.16, pattern)
    elif pattern_kind in {"stripes", "checks"}:
        for y in steps:
            layer.box((-1.1, y), (1.1, y + step / 2), pattern)
        if pattern_kind == "checks":
            light = mix(base, (255, 255, 255), 0.75)
            for x in steps:
                for y in steps:
                    layer.box((x, y), (x + step / 2, y + step / 2), light)
                    layer.box((x, y + step / 2), (x + step / 2, y + step), pattern)
    if random.random() < 0.4:
        place = (random.uniform(-0.05, 0.05), random.uniform(-0.05, 0.05))
        layer.disc((place[0] + 0.02, place[1] + 0.03), 0.95, mix(base, (60, 40, 40), 0.25))
        layer.disc(place, 0.94, (250, 250, 247))
        layer.disc(place, 0.68, (232, 233, 232))
        layer.disc(place, 0.665, (245, 245, 242))
    return layer.image.convert("RGB")


# ---- food: each function draws one, and returns how far it may be turned, in degrees


def hot_dog(layer: Layer, random: Random) -> float:
    bun, sausage = layer.colour("#dfa258"), layer.colour("#b5482f", 1.6)
    half, gap = random.uniform(0.58, 0.68), random.uniform(0.14, 0.19)
    sag = random.uniform(0.0, 0.1)

    def bow(length: float, y: float) -> list[Point]:
        return [(length * x / 10, y - sag * (x / 10) ** 2) for x in range(-10, 11)]

    layer.line(bow(half, -gap), 0.46, darker(bun))
    layer.line(bow(half, -gap - 0.01), 0.42, bun)
    layer.line(bow(half * 0.86, -gap - 0.12), 0.07, lighter(bun))
    if random.random() < 0.4:
        leaf = layer.colour("#7fb344")
        for x, y in wave(-half - 0.02, half + 0.02, -0.1, 0.04, 7)[::6]:
            layer.disc((x, y - sag * x * x), 0.09, leaf)
    layer.line(bow(half, gap), 0.46, darker(bun))
    layer.line(bow(half, gap + 0.01), 0.42, lighter(bun, 0.12))
    layer.line(bow(half * 0.86, gap + 0.13), 0.06, lighter(bun, 0.45))
    layer.line(bow(half + 0.14, 0), 0.34, darker(sausage, 0.3))
    layer.line(bow(half + 0.14, -0.01), 0.3, sausage)
    layer.line(bow(half + 0.05, -0.09), 0.045, lighter(sausage, 0.4))
    sauces = random.choice(
        [["#f6c625"], ["#f6c625"], ["#f6c625"], ["#d8251d", "#f6c625"], ["#d8251d"]]
    )
    crests, height = random.choice([3, 4, 5, 6]), random.uniform(0.06, 0.1)
    for number, sauce in enumerate(sauces):
        colour = layer.colour(sauce)
        path = wave(-half, half, 0.02 - 0.03 * number, height * (-1) ** number, crests)
        path = [(x, y - sag * (x / half) ** 2) for x, y in path]
        layer.line(below(path, 0.015), 0.085, darker(colour, 0.35))
        layer.line(path, 0.08, colour)
    return 180


def burger(layer: Layer, random: Random) -> float:
    bun, meat = layer.colour("#d99644"), layer.colour("#6b3a22")
    leaf, tomato, cheese = layer.colour("#7fb344"), layer.colour("#d8402c"), layer.colour("#f7c744")
    layer.shape([(-0.58, 0.5), (0.58, 0.5), (0.5, 0.62), (-0.5, 0.62)], darker(bun), 0.12)
    layer.shape([(-0.58, 0.48), (0.58, 0.48), (0.5, 0.59), (-0.5, 0.59)], bun, 0.11)
    y = 0.3
    for _ in range(random.choice([1, 1, 2])):
        layer.line([(-0.62, y), (0.62, y)], 0.26, darker(meat, 0.35))
        layer.line([(-0.62, y - 0.01), (0.62, y - 0.01)], 0.22, meat)
        tip = random.uniform(-0.3, 0.3)
        layer.shape([(-0.7, y - 0.13), (0.7, y - 0.13), (tip, y + 0.1)], cheese, 0.03)
        y -= 0.26
    if random.random() < 0.8:
        layer.line([(-0.55, y + 0.08), (0.55, y + 0.08)], 0.13, tomato)
        y -= 0.08
    layer.line(wave(-0.72, 0.72, y + 0.05, 0.035, random.choice([5, 6, 7])), 0.13, leaf)
    dome = [(0.72 * px, y - 0.02 + 0.52 * py) for px, py in around((0, 0), 1, 180, 360)]
    layer.shape(dome, darker(bun), 0.04)
    layer.shape([(px * 0.98, (py - y) * 0.96 + y - 0.02) for px, py in dome], bun, 0.04)
    layer.line(
        [(0.55 * px, y + 0.42 * py) for px, py in around((0, 0), 1, 205, 260, 12)],
        0.06,
        lighter(bun),
    )
    for _ in range(random.randint(8, 14)):
        angle, far = math.radians(random.uniform(200, 340)), random.uniform(0.35, 0.85)
        seed = (0.7 * far * math.cos(angle), y + 0.5 * far * math.sin(angle))
        layer.oval(seed, 0.035, 0.022, lighter(bun, 0.75))
    return 14


def pizza(layer: Layer, random: Random) -> float:
    crust, cheese, sausage = (
        layer.colour("#c98a45"),
        layer.colour("#f5c95a"),
        layer.colour("#c23b28"),
    )
    edge = around((0, 0.85), 1.6, 245, 295)
    layer.shape([*edge, (0, 0.85)], darker(crust), 0.03)
    layer.shape([*around((0, 0.8), 1.45, 247, 293), (0, 0.8)], cheese, 0.02)
    for x in (-0.3, -0.05, 0.22):  # cheese that runs down
        drop = random.uniform(0.05, 0.16)
        y = 0.8 - abs(x) * 2.1
        layer.line([(x, y), (x, y + drop)], 0.08, cheese)
    layer.line(edge, 0.2, darker(crust))
    layer.line([(x, y - 0.01) for x, y in edge], 0.17, crust)
    layer.line([(x, y - 0.05) for x, y in edge[6:-6]], 0.04, lighter(crust))
    for x, y in [(-0.3, -0.3), (0.28, -0.36), (0.03, 0.0), (0.0, 0.42)]:
        x, y = x + random.uniform(-0.05, 0.05), y + random.uniform(-0.06, 0.06)
        size = random.uniform(0.12, 0.15)
        layer.disc((x, y), size, darker(sausage))
        layer.disc((x, y - 0.01), size - 0.02, sausage)
        for _ in range(3):
            spot = (x + random.uniform(-0.07, 0.07), y + random.uniform(-0.07, 0.07))
            layer.disc(spot, 0.016, lighter(sausage))
    for _ in range(random.randint(3, 6)):
        y = random.uniform(-0.5, 0.4)
        x = random.uniform(-0.4, 0.4) * (0.8 - y) / 1.3
        if random.random() < 0.5:
            layer.oval((x, y), 0.075, 0.04, layer.colour("#4f9a3d"))
        else:
            layer.disc((x, y), 0.05, (45, 40, 50))
            layer.disc((x, y), 0.022, cheese)
    return 180


def doughnut(layer: Layer, random: Random) -> float:
    dough = layer.colour("#d49a55")
    icing = layer.colour(random.choice(["#f291b5", "#5c3422", "#fbf3e2", "#a8dcd1", "#f5a04b"]))
    layer.disc((0, 0), 0.82, darker(dough))
    layer.disc((0, -0.01), 0.79, dough)
    rim = blob((0, 0), 0.67, random.choice([7, 8, 9]), 0.075, random.uniform(0, 6))
    layer.shape(below(rim, 0.03), darker(icing, 0.25), 0.02)
    layer.shape(rim, icing, 0.02)
    layer.line(around((0, 0), 0.57, 195, 265), 0.05, lighter(icing, 0.5))
    colours = ["#ef476f", "#ffd166", "#06d6a0", "#118ab2", "#ffffff", "#8338ec"]
    for _ in range(random.choice([0, 22, 30, 40])):
        angle, far, turn = (
            random.uniform(0, 6.3),
            random.uniform(0.36, 0.6),
            random.uniform(0, 3.1),
        )
        x, y = far * math.cos(angle), far * math.sin(angle)
        dx, dy = 0.035 * math.cos(turn), 0.035 * math.sin(turn)
        layer.line(
            [(x - dx, y - dy), (x + dx, y + dy)],
            0.032,
            ImageColor.getrgb(random.choice(colours))[:3],
        )
    layer.disc((0, 0), 0.26, darker(icing, 0.25))
    layer.disc((0, 0.02), 0.235, darker(dough, 0.35))
    layer.draw.ellipse(layer.pixels([(-0.2, -0.17), (0.2, 0.23)]), (0, 0, 0, 0))
    return 180


def salad(layer: Layer, random: Random) -> float:
    bowl = layer.colour(random.choice(["#3e7cb1", "#b5784a", "#e9e4d8", "#81a4cd", "#d1495b"]), 0.6)
    layer.disc((0, 0), 0.86, darker(bowl, 0.3))
    layer.disc((0, -0.01), 0.83, bowl)
    layer.disc((0, 0), 0.72, darker(bowl, 0.45))
    for ring, count in ((0.58, 12), (0.42, 9), (0.2, 6), (0.0, 1)):
        for x, y in around(
            (0, 0), ring, random.uniform(0, 40), 330 + random.uniform(0, 30), count + 1
        ):
            leaf = layer.colour(random.choice(["#6aa84f", "#8fc255", "#4f8a3c", "#a5cf6a"]), 1.5)
            size = random.uniform(0.15, 0.2)
            frill = blob((x, y), size, 6, 0.14, random.uniform(0, 6))
            layer.shape(below(frill, 0.025), darker(leaf, 0.35))
            layer.shape(frill, leaf)
            rib = around((x, y), size * 0.6, *random.choice([(20, 200), (80, 260), (140, 320)]), 2)
            layer.line(rib, 0.018, lighter(leaf, 0.4))
    for _ in range(random.randint(5, 8)):
        x, y = random.choice(around((0, 0), random.uniform(0.1, 0.55), 0, 360))
        if random.random() < 0.55:
            tomato = layer.colour("#dc3b2a")
            layer.disc((x, y + 0.015), 0.13, darker(tomato, 0.4))
            layer.disc((x, y), 0.125, tomato)
            layer.disc((x - 0.04, y - 0.045), 0.03, lighter(tomato, 0.65))
        else:
            rind = layer.colour("#3f7d3a")
            layer.disc((x, y + 0.015), 0.145, darker(rind, 0.4))
            layer.disc((x, y), 0.14, rind)
            layer.disc((x, y), 0.115, (216, 236, 178))
            for px, py in around((x, y), 0.055, 0, 300, 6):
                layer.oval((px, py), 0.012, 0.012, (180, 208, 130))
    return 180


def ice_cream(layer: Layer, random: Random) -> float:
    cone = layer.colour("#dba157")
    layer.shape([(-0.36, 0.1), (0.36, 0.1), (0, 0.88)], cone, 0.03)
    for share in (0.2, 0.4, 0.6, 0.8):  # lines along both sides of the cone
        start, depth = 0.72 * share - 0.36, 0.1 + 0.78 * share
        for way in (-1, 1):
            side = (way * 0.36 * (share - 1), depth)
            layer.line([(way * start, 0.1), side], 0.022, darker(cone, 0.3))
    flavours = random.sample(["#f7b6c8", "#fff1cf", "#6b4230", "#b9e0b4", "#f2d06b", "#c9a7df"], 3)
    places = random.choice(
        [
            [(0.0, -0.12)],
            [(0.0, -0.02), (0.0, -0.42)],
            [(-0.22, -0.08), (0.22, -0.08), (0.0, -0.42)],
        ]
    )
    size = 0.44 if len(places) == 1 else 0.34
    for (x, y), flavour in zip(places, flavours, strict=False):
        scoop = layer.colour(flavour)
        frill = wave(x - size, x + size, y + size * 0.62, 0.03, 4)
        layer.line([(fx, fy + 0.02) for fx, fy in frill], 0.14, darker(scoop, 0.18))
        layer.disc((x, y), size, darker(scoop, 0.18))
        layer.disc((x, y - 0.012), size - 0.025, scoop)
        layer.line(frill, 0.12, scoop)
        layer.line(around((x, y), size * 0.7, 195, 250, 12), 0.06, lighter(scoop, 0.6))
    if random.random() < 0.6:
        x, y = places[-1][0], places[-1][1] - size - 0.05
        layer.line([(x, y), (x + 0.05, y - 0.1), (x + 0.12, y - 0.14)], 0.02, (90, 60, 30))
        layer.disc((x, y), 0.09, (200, 30, 50))
        layer.disc((x - 0.03, y - 0.03), 0.022, (255, 190, 190))
    return 18


def taco(layer: Layer, random: Random) -> float:
    shell = layer.colour("#ecb44e")
    back = around((0, 0.3), 0.74, 180, 360)
    layer.shape([(x + 0.05, y - 0.08) for x, y in back], darker(shell, 0.25), 0.03)
    for begin, colour, size in (
        (0.72, "#6aa84f", 0.12),
        (0.66, "#dc3b2a", 0.09),
        (0.7, "#f7d25c", 0.08),
        (0.64, "#6b3a22", 0.1),
    ):
        for x, y in around((0.02, 0.26), begin, 195, 345, 11):
            place = (x + random.uniform(-0.05, 0.05), y + random.uniform(-0.06, 0.04))
            filling = layer.colour(colour, 1.5)
            layer.disc(place, size, darker(filling, 0.25))
            layer.disc((place[0], place[1] - 0.012), size - 0.015, filling)
    front = around((0, 0.36), 0.7, 180, 360)
    layer.shape(front, darker(shell, 0.18), 0.05)
    layer.shape([(x * 0.98, (y - 0.36) * 0.97 + 0.36) for x, y in front], shell, 0.04)
    for _ in range(random.randint(10, 16)):
        x, y = random.choice(around((0, 0.34), random.uniform(0.1, 0.62), 190, 350))
        layer.oval((x, y), random.uniform(0.015, 0.035), 0.018, darker(shell, 0.22))
    return 16


def egg(layer: Layer, random: Random) -> float:
    layer.line([(-0.2, 0), (0.88, 0)], 0.16, (96, 74, 60))  # the handle of the pan
    layer.disc((-0.2, 0), 0.72, (52, 54, 60))
    layer.disc((-0.2, 0), 0.67, (74, 77, 85))
    white = blob((-0.2, 0), 0.5, random.choice([3, 4, 5]), 0.13, random.uniform(0, 6))
    layer.shape(below(white, 0.02), (205, 190, 160), 0.02)
    layer.shape(white, (253, 251, 244), 0.01)
    yolks = random.choice([[(-0.16, 0.02)], [(-0.16, 0.02)], [(-0.34, -0.08), (-0.03, 0.1)]])
    size = 0.22 if len(yolks) == 1 else 0.15
    for x, y in yolks:
        yolk = layer.colour("#f6a821")
        layer.disc((x, y + 0.02), size, darker(yolk, 0.25))
        layer.disc((x, y), size - 0.01, yolk)
        layer.line(around((x, y), size * 0.6, 200, 255, 10), 0.04, lighter(yolk, 0.7))
    return 180


def banana(layer: Layer, random: Random) -> float:
    peel = layer.colour("#f5d23d")
    bend = random.uniform(0.45, 0.6)
    outer = around((0, -0.75), 1.2, 35, 145)
    inner = [(x * 0.95, y) for x, y in around((0, -0.75 - bend * 0.35), 1.2 - bend * 0.1, 145, 35)]
    layer.shape([*outer, *inner], darker(peel, 0.25), 0.06)
    layer.shape([*outer, *inner], peel, 0.045)
    layer.line([(x, y - 0.11) for x, y in outer[4:-4]], 0.03, darker(peel, 0.18))
    layer.line([(x * 0.96, y - 0.06) for x, y in outer[12:-12]], 0.035, lighter(peel, 0.6))
    (right, left) = outer[0], outer[-1]
    layer.line([right, (right[0] + 0.07, right[1] - 0.16)], 0.09, darker(peel, 0.3))
    layer.line(
        [(right[0] + 0.06, right[1] - 0.14), (right[0] + 0.08, right[1] - 0.18)], 0.09, (96, 74, 40)
    )
    layer.disc((left[0] - 0.02, left[1] - 0.03), 0.05, (96, 74, 40))
    for _ in range(random.choice([0, 4, 9])):
        x, y = random.choice(outer[6:-6])
        layer.oval((x, y - random.uniform(0.02, 0.16)), 0.02, 0.012, (130, 95, 45))
    return 180


FOODS: dict[str, Callable[[Layer, Random], float]] = {
    "hot dog": hot_dog,
    "burger": burger,
    "pizza": pizza,
    "doughnut": doughnut,
    "salad": salad,
    "ice cream": ice_cream,
    "taco": taco,
    "fried egg": egg,
    "banana": banana,
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    draw_food(**vars(parser.parse_args()))
