"""A picture of a digit small enough to be in a service's example: a seven, 48 x 48 pixels."""

DIGIT = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAwBAAAAAC3mUtaAAAA+klEQVR42tWTMU7DQBBF/9jQ78QUlKGhTmhpcg0KboG4EwdIk4bcwBwg"
    "Qq5QJLB36ImHImR3xxoOkC1sWU/P83dnlhT+qnBW4OLvHQEAnAEdNxh332AKAJgN+HwQABTAt0+hBPv70y/qzbwsTuEE1Ba/fG5VVOLY"
    "1cHUUDk+9o/X61AaxAAw0w80/ga3WAYPxJZWrjF21dwFP9KwB7RPZzcx2lR7Al5p6RpDh4ULDlLfuKCXK7e1OqQDmRhFKGu0tHCN+PYP"
    "OKBmF3xJ4w6cCWWMbRHKGLlLFgy5SxaYUCUYy1AlqPjOtDOt/uU9fyjle66SJziN6Lnc81/UgGBBzxz3sAAAAABJRU5ErkJggg=="
)
"""As a data URL."""
