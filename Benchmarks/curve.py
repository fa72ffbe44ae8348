"""What a curve shows; see curves.py."""

import dataclasses


@dataclasses.dataclass
class Curve:
    title: str
    x: str  # what x is, with its unit
    points: list
    peer: bool = False
    logarithmic: bool = True  # both axes, and the slope of the line through all points
