"""A picture small enough to be in a service's example: a yellow disc on blue, 32 x 24 pixels."""

PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAYCAMAAACsjQ8GAAAAS1BMVEX/xEAon6AonKAomaAolqAok6AokKAojaAoiqAoh6AohKAo"
    "gaAofqAoe6AoeKAodaAocqAob6AobKAoaaAoZqAoY6AoYKAoXaAoWqBLk8oIAAAAbUlEQVR42oXKOQKCABBD0aAgIrK4oN7/pBQy"
    "maXJK3+Cn4CvgI+ATcBbwCvCX0pPBxfigxB5XSkdvC4GGfNsyoF5MuXAfDflwDyacmC+mXJgHkw5MF8p7V57SgevFxf2ELvomFNq"
    "BZwFnAQ0wg6tkxx1PUOvkQAAAABJRU5ErkJggg=="
)
"""As a data URL, which the HTTP interface takes in the place of an image."""
