"""A transparent layer to draw on, and the shapes that food is made of."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageColor, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

PIXELS = 512  # twice as many as a finished picture has, so that its edges become smooth


class Layer:
    """A transparent picture. Coordinates go from -1 to 1, to the right and downwards."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.half = PIXELS / 2
        self.image = Image.new("RGBA", (PIXELS, PIXELS))
        self.draw = ImageDraw.Draw(self.image)

    def colour(self, name: str, change: float = 1.0) -> Colour:
        """Return nearly this colour: each picture has slightly different ones."""
        red, green, blue = (part / 255 for part in ImageColor.getrgb(name)[:3])
        hue, light, strength = colorsys.rgb_to_hls(red, green, blue)
        hue += self.random.gauss(0, 0.012 * change)
        light = min(0.97, max(0.05, light + self.random.gauss(0, 0.025 * change)))
        strength = min(1.0, max(0.0, strength + self.random.gauss(0, 0.04 * change)))
        red, green, blue = colorsys.hls_to_rgb(hue % 1, light, strength)
        return round(red * 255), round(green * 255), round(blue * 255)

    def pixels(self, points: Sequence[Point]) -> list[Point]:
        return [(self.half * (1 + x), self.half * (1 + y)) for x, y in points]

    def box(self, start: Point, end: Point, colour: Colour) -> None:
        self.draw.rectangle(self.pixels([start, end]), colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        self.oval(centre, radius, radius, colour)

    def oval(self, centre: Point, width: float, height: float, colour: Colour) -> None:
        x, y = centre
        self.draw.ellipse(self.pixels([(x - width, y - height), (x + width, y + height)]), colour)

    def shape(self, points: Sequence[Point], colour: Colour, rounding: float = 0.0) -> None:
        """Fill a polygon whose corners have this radius."""
        self.draw.polygon(self.pixels(points), colour)
        if rounding:
            self.line([*points, points[0]], 2 * rounding, colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round ends and corners."""
        self.draw.line(self.pixels(points), colour, round(width * self.half), joint="curve")
        for point in points:
            self.disc(point, width / 2, colour)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    return mix(colour, (255, 250, 235), share)


def darker(colour: Colour, share: float = 0.2) -> Colour:
    return mix(colour, (50, 20, 10), share)


def around(centre: Point, radius: float, begin: float, end: float, count: int = 40) -> list[Point]:
    """Return points on a circle, between two angles in degrees; 0 is right, 90 is down."""
    angles = [math.radians(begin + (end - begin) * n / (count - 1)) for n in range(count)]
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles]


def wave(start: float, end: float, y: float, height: float, count: float) -> list[Point]:
    """Return points of a wave from left to right, with `count` crests."""
    return [
        (start + (end - start) * n / 120, y + height * math.sin(2 * math.pi * count * n / 120))
        for n in range(121)
    ]


def blob(centre: Point, radius: float, bumps: int, depth: float, phase: float) -> list[Point]:
    """Return points of a circle with bumps, whose depth is a share of the radius."""
    angles = [math.radians(degrees) for degrees in range(0, 360, 4)]
    return [
        (
            centre[0] + radius * (1 + depth * math.sin(bumps * a + phase)) * math.cos(a),
            centre[1] + radius * (1 + depth * math.sin(bumps * a + phase)) * math.sin(a),
        )
        for a in angles
    ]


def below(points: Sequence[Point], distance: float) -> list[Point]:
    """Return the points of the shadow of a shape."""
    return [(x + distance / 3, y + distance) for x, y in points]
