"""The two objects that move: a beach ball and a robot, each a list of parts and a function that poses them."""

import math
from collections.abc import Callable

import bpy  # must come first: it makes bmesh and mathutils importable

# isort: split
from mathutils import Matrix, Vector

from toytown.materials import CREAM, Color, material
from toytown.shapes import ball, box, cone, rod, stretch

BALL_COLORS: list[Color] = [(0.78, 0.03, 0.03), CREAM, (0.02, 0.17, 0.55), CREAM, (0.92, 0.42, 0.02), CREAM]
Pose = Callable[[float], None]  # takes the time in seconds


def build_ball() -> tuple[list[bpy.types.Object], Pose]:
    """A beach ball of six panels that bounces through the picture from right to left."""
    radius = 0.44
    made = ball("ball", (0, 0, 0), radius, material("panel0", BALL_COLORS[0], 0.25))
    for k, color in enumerate(BALL_COLORS[1:], 1):
        made.data.materials.append(material(f"panel{k}", color, 0.25))
    for face in made.data.polygons:
        turn = math.atan2(face.center.y, face.center.x) / (2 * math.pi) % 1.0
        face.material_index = 1 if abs(face.center.z) > radius * 0.965 else int(turn * 6)

    def pose(seconds: float) -> None:
        x = 2.05 - 2.1 * seconds
        beat = (seconds / 0.62 + 0.3) % 1.0
        made.location = (x, 0.35 - 0.12 * seconds, radius + 0.62 * 4 * beat * (1 - beat))
        made.rotation_euler = (1.15, -x / radius, 0.5)

    return [made], pose


def build_robot() -> tuple[list[bpy.types.Object], Pose]:
    """A toy robot that walks from left to right; its feet stand still on the ground while they carry it."""
    paint, steel = material("paint", (0.95, 0.44, 0.01), 0.28), material("steel", (0.16, 0.17, 0.19), 0.3)
    pale, eye = material("pale", CREAM, 0.35), material("eye", (0.05, 0.75, 0.9), 0.2, 1.6)
    red = material("red", (0.75, 0.03, 0.03), 0.3)
    torso = [box("torso", (0, 0, 0.83), (0.50, 0.40, 0.52), paint, 0.08),
             box("chest", (0.10, -0.19, 0.88), (0.24, 0.06, 0.2), pale, 0.02),
             ball("button", (0.06, -0.225, 0.88), 0.035, red), ball("button", (0.15, -0.225, 0.88), 0.035, eye),
             cone("neck", (0, 0, 1.08), (0.09, 0.09), 0.09, steel),
             box("head", (0.02, 0, 1.33), (0.46, 0.38, 0.36), paint, 0.09),
             box("face", (0.06, -0.155, 1.34), (0.33, 0.10, 0.2), steel, 0.04),
             ball("eye", (-0.01, -0.19, 1.35), 0.055, eye), ball("eye", (0.14, -0.19, 1.35), 0.055, eye),
             cone("antenna", (0.02, 0, 1.50), (0.018, 0.018), 0.16, steel), ball("tip", (0.02, 0, 1.68), 0.05, red),
             cone("ear", (0.02, 0.17, 1.33), (0.08, 0.08), 0.09, steel),
             box("hip", (0, 0, 0.56), (0.34, 0.3, 0.1), steel, 0.03)]
    legs = [(box("foot", (0, 0, 0), (0.30, 0.17, 0.11), paint, 0.04), rod("thigh", 0.30, 0.06, steel),
             rod("shin", 0.30, 0.06, steel)) for _ in range(2)]
    arms = [(rod("arm", 0.26, 0.05, steel), rod("forearm", 0.22, 0.05, steel), ball("hand", (0, 0, 0), 0.09, paint))
            for _ in range(2)]
    rest = [part.matrix_basis.copy() for part in torso]

    def pose(seconds: float) -> None:
        cycle = seconds * 2.0
        x, y = -2.6 + 2.4 * seconds, 1.05
        bob = 0.025 * abs(math.sin(2 * math.pi * cycle))
        sway = Matrix.Translation((x, y, bob)) @ Matrix.Rotation(0.03 * math.sin(2 * math.pi * cycle), 4, "X")
        for part, at in zip(torso, rest, strict=True):
            part.matrix_basis = sway @ at
        for k, side in enumerate((-1, 1)):
            phase = (cycle + 0.5 * k) % 1.0
            step_leg(legs[k], Vector((x, y + 0.11 * side, 0.57 + bob)), phase)
            swing_arm(arms[k], Vector((x, y + 0.27 * side, 1.0 + bob)), 0.75 * math.cos(2 * math.pi * phase))

    return torso + [part for limb in legs + arms for part in limb], pose








def step_leg(leg: tuple[bpy.types.Object, ...], hip: Vector, phase: float) -> None:
    """Half of the cycle the foot stands (moves back under the body), half it swings forward in an arc."""
    foot, thigh, shin = leg
    reach = 0.30 * (1 - 4 * phase) if phase < 0.5 else -0.30 * math.cos(2 * math.pi * (phase - 0.5))
    lift = 0.0 if phase < 0.5 else 0.13 * math.sin(2 * math.pi * (phase - 0.5))
    ankle = Vector((hip.x + reach, hip.y, 0.10 + lift))
    half = (ankle - hip).length / 2
    bend = math.sqrt(max(0.30 ** 2 - half ** 2, 0.0))
    along = (ankle - hip).normalized()
    knee = (hip + ankle) / 2 + bend * Vector((-along.z, 0.0, along.x))
    stretch(thigh, hip, knee)
    stretch(shin, knee, ankle)
    foot.location = ankle + Vector((0.06, 0.0, -0.045))
    foot.rotation_euler = (0.0, 2.2 * lift if phase > 0.75 else 3.0 * lift, 0.0)


def swing_arm(arm: tuple[bpy.types.Object, ...], shoulder: Vector, angle: float) -> None:
    upper, lower, hand = arm
    elbow = shoulder + 0.26 * Vector((math.sin(angle), 0.0, -math.cos(angle)))
    wrist = elbow + 0.22 * Vector((math.sin(angle + 0.7), 0.0, -math.cos(angle + 0.7)))
    stretch(upper, shoulder, elbow)
    stretch(lower, elbow, wrist)
    hand.location = wrist
