"""Render the transplant scenes: the same objects, light and camera twice, over two grounds.

A layer taken from one ground and laid over the other must give the picture that the renderer gives there: that tells
whether a layer holds an object with its shadow, or also the ground it stood on. Two scenes:

- ``sun``: a hand cart with spoked wheels and a basket of thin rods under sun and sky, seen by a camera that stands;
- ``window``: a walking giraffe and a rolling wagon cross in the warm, soft light of a window on a ground that shines a
  little, seen by a camera that moves sideways and turns.

Light reaches the objects directly only, so that the ground's colour does not fall onto them. Colours are plain sRGB
without a film look. It needs Blender's Python module (Python 3.11, ``pip install bpy==4.2.0 av numpy``):

    python examples/render_transplant.py                                      # everything, to examples/transplant
    python examples/render_transplant.py --scene sun --ground brick --frames 0 12 --out look      # a quick look

Written per scene and ground, all near-lossless H.264: ``input.mp4``, ``background.mp4``, one ``mask_NN.mp4`` per object
(the part that is seen), ``solo_NN.mp4`` where there are two objects, and ``scene.json``.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import bpy
from av.video.frame import PictureType

# isort: split
import bmesh
from mathutils import Matrix, Vector
from render_demo import set_up_masks, set_up_render
from toytown.materials import Color, Shader, draw_once, material, mottled
from toytown.shapes import ball, box, cone, rod, solid, stretch

WIDTH, HEIGHT, FPS, FRAMES = 416, 240, 24, 24
SECONDS = (FRAMES - 1) / FPS
GROUND_SIZE, GROUND_PIXELS = (16.0, 14.0), (2400, 2100)  # metres, pixels
H264 = {"preset": "veryslow", "x264-params": "psy=0:aq-mode=0"}
CRF = {"sun": 3, "window": 6}  # a dark shadow's ratio to the ground is soon lost in a codec's noise
MASK_CRF = 0  # exact
Parts = list[bpy.types.Object]
Pose = Callable[[float], None]  # takes the time in seconds
Drawn = tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]


@dataclass(frozen=True)
class Scene:
    """What a scene shows, once it is built."""

    objects: dict[str, Parts]
    poses: list[Pose]
    camera_moves: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "transplant", help="output folder")
    parser.add_argument("--scene", nargs="+", choices=SCENES, default=list(SCENES), help="only these scenes")
    parser.add_argument("--ground", nargs="+", choices=GROUNDS, default=list(GROUNDS), help="only these grounds")
    parser.add_argument("--frames", type=int, nargs="+", default=range(FRAMES), help="only these frames, 0 to 23")
    parser.add_argument("--samples", type=int, default=32, help="light paths per pixel")
    options = parser.parse_args()
    for scene in options.scene:
        for ground in options.ground:
            began = time.monotonic()
            render_scene(options.out / scene / ground, (scene, ground), options.frames, options.samples)
            took = time.monotonic() - began
            print(f"{scene} over {ground}: {len(options.frames)} frames in {took:.0f} s", flush=True)


# Pictures and files


def render_scene(out: Path, name: tuple[str, str], frames: Sequence[int], samples: int) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up(1)  # drawing the ground needs a single sample
    scene = SCENES[name[0]](GROUNDS[name[1]])
    set_up(samples)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        set_up_masks(scene.objects, Path(work) / "masks")
        shots = render_shots(scene, frames, Path(work))
        for shot, pictures in shots.items():
            encode(out / f"{shot}.mp4", pictures, "yuv444p", CRF[name[0]])
        for k, part in enumerate(scene.objects):
            masks = [Path(work) / "masks" / part / f"{number:04d}.png" for number in frames]
            encode(out / f"mask_{k:02d}.mp4", masks, "gray", MASK_CRF)
    told = {"name": "_".join(name), "objects": list(scene.objects), "frames": len(frames), "size": [WIDTH, HEIGHT]}
    (out / "scene.json").write_text(json.dumps(told | {"fps": FPS}) + "\n")


def set_up(samples: int) -> None:
    """As for the demo clip, but without film look, and without light that goes from the ground to the objects."""
    set_up_render(samples)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 0, 1
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.view_settings.exposure = 0.0


def render_shots(scene: Scene, frames: Sequence[int], work: Path) -> dict[str, list[Path]]:
    """PNG files per shot; a background that never changes is rendered once."""
    every = {part for parts in scene.objects.values() for part in parts}
    shown: dict[str, set[bpy.types.Object]] = {"input": every, "background": set()}
    if len(scene.objects) > 1:
        shown |= {f"solo_{k:02d}": set(parts) for k, parts in enumerate(scene.objects.values())}
    pictures: dict[str, list[Path]] = {name: [] for name in shown}
    for number in frames:
        bpy.context.scene.frame_set(number)
        for pose in scene.poses:
            pose(number / FPS)
        for name, parts in shown.items():
            if name == "background" and pictures[name] and not scene.camera_moves:
                pictures[name].append(pictures[name][0])
                continue
            for part in every:
                part.hide_render = part not in parts
            pictures[name].append(render_png(work / f"{name}{number:04d}.png", name == "input"))
    return pictures


def render_png(path: Path, masks: bool) -> Path:
    bpy.context.scene.use_nodes = masks
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path


def encode(movie: Path, pictures: Sequence[Path], form: str, crf: int) -> None:
    """Write PNG files as H.264 that says which colours it holds (BT.709, limited range; masks are full-range grey)."""
    with av.open(str(movie), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options=H264 | {"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, form
        context, full = stream.codec_context, form == "gray"
        context.color_primaries = context.color_trc = context.colorspace = 1
        context.color_range = 2 if full else 1
        for number, path in enumerate(pictures):
            with av.open(str(path)) as picture:
                frame = next(picture.decode(video=0))
            frame = frame.reformat(format=form, dst_colorspace="ITU709", dst_color_range="JPEG" if full else "MPEG")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            frame.pict_type = PictureType.NONE  # a PNG is a key frame; not so the movie's every frame
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


# Grounds: colour and roughness at a place in metres, alike in brightness


def draw_brick(shader: Shader, place: bpy.types.NodeSocket) -> Drawn:
    """Red and ochre paving bricks with pale mortar."""
    cells = {"Vector": place, "Color1": (0, 0, 0, 1), "Color2": (1, 1, 1, 1), "Mortar": (0.5, 0.5, 0.5, 1),
             "Scale": 1.0, "Mortar Size": 0.022, "Mortar Smooth": 0.2, "Brick Width": 0.62, "Row Height": 0.3}
    bricks = shader.node("ShaderNodeTexBrick", cells, offset=0.5)
    tint = shader.node("ShaderNodeSeparateColor", {0: bricks.outputs[0]}).outputs[0]
    grain, stain = shader.noise(place, 15.0, 5.0), shader.noise(place, 1.1)
    color = shader.ramp(tint, [(0.0, (0.26, 0.085, 0.05)), (0.4, (0.36, 0.15, 0.08)), (0.7, (0.40, 0.22, 0.11)),
                               (1.0, (0.24, 0.13, 0.10))])
    for pattern, dark, light in [(grain, 0.65, 1.25), (stain, 0.8, 1.1)]:
        color = shader.mix(1.0, color, shader.ramp(pattern, [(0.34, (dark,) * 3), (0.66, (light,) * 3)]), "MULTIPLY")
    return shader.mix(bricks.outputs[1], color, (0.42, 0.39, 0.34, 1.0)), shader.math("MULTIPLY_ADD", grain, 0.2, 0.35)


def draw_carpet(shader: Shader, place: bpy.types.NodeSocket) -> Drawn:
    """A woven carpet: blue and green stripes crossed by sand-coloured ones, with threads and a row of diamonds."""
    x, y, _ = shader.node("ShaderNodeSeparateXYZ", {0: place}).outputs
    turned = shader.node("ShaderNodeMapping", {"Vector": place, "Rotation": (0.0, 0.0, math.pi / 4)}).outputs[0]
    u, v, _ = shader.node("ShaderNodeSeparateXYZ", {0: turned}).outputs

    def band(value: bpy.types.NodeSocket, period: float, share: float, shift: float = 0.0) -> bpy.types.NodeSocket:
        moved = shader.math("FRACT", shader.math("MULTIPLY_ADD", value, 1.0 / period, shift))
        return shader.step(shader.math("ABSOLUTE", shader.math("SUBTRACT", moved, 0.5)), share / 2 + 0.02, share / 2)

    color = shader.mix(band(x, 1.1, 0.45), (0.06, 0.15, 0.30, 1.0), (0.10, 0.27, 0.20, 1.0))
    color = shader.mix(band(x, 1.1, 0.07, 0.25), color, (0.45, 0.37, 0.24, 1.0))
    color = shader.mix(band(y, 0.8, 0.12), color, (0.42, 0.36, 0.26, 1.0))
    diamonds = shader.math("MULTIPLY", band(u, 0.5, 0.36), band(v, 0.5, 0.36))
    color = shader.mix(shader.math("MULTIPLY", diamonds, 0.8), color, (0.38, 0.17, 0.22, 1.0))
    across = shader.node("ShaderNodeMapping", {"Vector": place, "Scale": (9.0, 60.0, 1.0)}).outputs[0]
    threads, wear = shader.noise(across, 1.0, 3.0), shader.noise(place, 0.9)
    for pattern, dark, light in [(threads, 0.6, 1.4), (wear, 0.85, 1.12)]:
        color = shader.mix(1.0, color, shader.ramp(pattern, [(0.34, (dark,) * 3), (0.66, (light,) * 3)]), "MULTIPLY")
    return color, shader.math("MULTIPLY_ADD", threads, 0.2, 0.35)


GROUNDS = {"brick": draw_brick, "carpet": draw_carpet}


def lay_ground(draw: Callable[[Shader, bpy.types.NodeSocket], Drawn], gloss: float) -> None:
    """A flat ground, drawn once into pictures; objects do not mirror it, so that they look the same on every one."""
    shape = bmesh.new()
    shape.loops.layers.uv.new("place")
    bmesh.ops.create_grid(shape, x_segments=1, y_segments=1, size=0.5, calc_uvs=True)
    ground = solid("ground", shape, material("ground", (0.3, 0.3, 0.3)))
    ground.location, ground.scale, ground.visible_glossy = (0.0, 3.5, 0.0), (*GROUND_SIZE, 1.0), False
    shader = Shader(ground.data.materials[0].node_tree)
    color, rough = draw(shader, shader.node("ShaderNodeNewGeometry", {}).outputs["Position"])
    color, rough = [draw_once(ground, shader, value, GROUND_PIXELS) for value in (color, rough)]
    inputs = {"Base Color": color, "Roughness": rough, "Specular IOR Level": gloss}
    shader.feed(shader.tree.nodes["Principled BSDF"], inputs)


# Light and camera


def light_sky(color: Color, strength: float) -> None:
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    Shader(world.node_tree).feed(world.node_tree.nodes["Background"], {0: (*color, 1.0), 1: strength})
    bpy.context.scene.world = world


def add_light(kind: str, place: Vector, toward: Vector, energy: float, color: Color) -> bpy.types.Light:
    lamp = bpy.data.objects.new(kind, bpy.data.lights.new(kind, kind))
    lamp.data.energy, lamp.data.color, lamp.location = energy, color, place
    lamp.rotation_euler = (toward - place).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(lamp)
    return lamp.data


def add_camera(path: Callable[[float], tuple[Vector, Vector]], lens: float) -> Pose:
    """A camera whose place and aim in metres follow `path`, which takes the time from 0 to 1."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = lens
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera

    def pose(seconds: float) -> None:
        place, aim = path(seconds / SECONDS)
        camera.location, camera.rotation_euler = place, (aim - place).to_track_quat("-Z", "Y").to_euler()

    return pose


# Objects


def ring(name: str, radius: float, thickness: float, look: bpy.types.Material) -> bpy.types.Object:
    """A torus around the y axis, its middle at the origin."""
    shape = bmesh.new()
    turns, sides = 72, 16
    rows = [[Matrix.Rotation(2 * math.pi * k / turns, 3, "Y")
             @ Vector((radius + thickness * math.cos(2 * math.pi * j / sides),
                       thickness * math.sin(2 * math.pi * j / sides), 0)) for j in range(sides)] for k in range(turns)]
    made = [[shape.verts.new(point) for point in row] for row in rows]
    for k in range(turns):
        for j in range(sides):
            near, far = made[k], made[(k + 1) % turns]
            shape.faces.new((near[j], far[j], far[(j + 1) % sides], near[(j + 1) % sides])).smooth = True
    return solid(name, shape, look)


def spoked_wheel(radius: float, spokes: int, looks: Sequence[bpy.types.Material]) -> Parts:
    """Rim, hub and thin spokes around the y axis."""
    rim, metal = looks
    parts = [ring("rim", radius - 0.035, 0.035, rim)]
    hub = rod("hub", 0.12, 0.055, metal)
    hub.rotation_euler = (math.pi / 2, 0, 0)
    parts.append(hub)
    for k in range(spokes):
        spoke, turn = rod("spoke", radius - 0.08, 0.013, metal), 2 * math.pi * k / spokes
        end = Vector((math.cos(turn), 0, math.sin(turn)))
        stretch(spoke, end * 0.04, end * (radius - 0.04))
        parts.append(spoke)
    return parts


def placed(parts: Parts) -> list[Matrix]:
    """Where parts stand when they are built; poses start from there."""
    bpy.context.view_layer.update()
    return [part.matrix_world.copy() for part in parts]


def move(parts: Parts, rest: Sequence[Matrix], by: Matrix) -> None:
    for part, at in zip(parts, rest, strict=True):
        part.matrix_world = by @ at


def build_cart() -> tuple[Parts, Pose]:
    """A two-wheeled hand cart with a wire basket and two shafts, rolling from left to right in a gentle curve."""
    red, steel = material("red", (0.62, 0.05, 0.03), 0.4), material("steel", (0.45, 0.47, 0.5), 0.35)
    teal, wood = material("teal", (0.03, 0.27, 0.30), 0.35), mottled("wood", (0.55, 0.34, 0.15), 6.0, 0.4)
    radius = 0.46
    body = [box("tray", (0, 0, 0.62), (1.0, 0.56, 0.07), wood, 0.015),
            box("axle", (0, 0, radius), (0.06, 0.86, 0.06), steel, 0.01)]
    body += [box("strut", (0.0, side * 0.2, 0.53), (0.08, 0.05, 0.16), teal, 0.01) for side in (-1, 1)]
    for side in (-1, 1):
        body += [box("rail", (0, side * 0.27, z), (1.0, 0.022, 0.022), teal, 0.004) for z in (0.86, 1.08)]
        body += [box("post", (x / 10, side * 0.27, 0.86), (0.02, 0.02, 0.44), teal, 0.004) for x in range(-5, 6, 2)]
        body += [box("rail", (side * 0.49, 0, z), (0.022, 0.54, 0.022), teal, 0.004) for z in (0.86, 1.08)]
        shaft = rod("shaft", 0.85, 0.025, red)
        stretch(shaft, Vector((0.45, side * 0.2, 0.62)), Vector((1.25, side * 0.14, 0.92)))
        body.append(shaft)
    grip = rod("grip", 0.34, 0.025, red)
    stretch(grip, Vector((1.25, -0.17, 0.92)), Vector((1.25, 0.17, 0.92)))
    load = [ball("melon", (-0.2, 0.05, 0.84), 0.19, mottled("melon", (0.16, 0.42, 0.07), 7.0, 0.5)),
            ball("pumpkin", (0.2, -0.04, 0.82), 0.17, material("pumpkin", (0.75, 0.30, 0.03), 0.4))]
    body += [grip, *load]
    wheels = [spoked_wheel(radius, 10, (red, steel)) for _ in range(2)]
    rests = [placed(parts) for parts in (body, *wheels)]

    def pose(seconds: float) -> None:
        along = seconds / SECONDS
        x, y, heading = -1.25 + 2.1 * along, 0.25 - 0.5 * along, -0.28 - 0.12 * math.cos(math.pi * along)
        base = Matrix.Translation((x, y, 0)) @ Matrix.Rotation(heading, 4, "Z")
        move(body, rests[0], base)
        for side, wheel, rest in zip((-1, 1), wheels, rests[1:], strict=True):
            at = Matrix.Translation((0, side * 0.38, radius)) @ Matrix.Rotation((x + side * 0.02) / radius, 4, "Y")
            move(wheel, rest, base @ at)

    return [part for group in (body, *wheels) for part in group], pose


def build_giraffe() -> tuple[Parts, Pose]:
    """A toy giraffe on four thin legs, walking from left to right and nodding."""
    coat, dark = mottled("coat", (0.70, 0.42, 0.10), 5.0, 0.6), material("dark", (0.10, 0.06, 0.04), 0.5)
    pale = material("pale", (0.72, 0.62, 0.45), 0.4)
    body = ball("body", (0, 0, 0), 0.27, coat)
    body.scale = (1.35, 0.8, 0.9)
    tail = rod("tail", 0.3, 0.016, dark)
    neck = rod("neck", 0.68, 0.075, coat)
    head, nose = ball("head", (0, 0, 0), 0.12, coat), ball("nose", (0, 0, 0), 0.075, pale)
    horns = [rod("horn", 0.1, 0.016, dark) for _ in range(2)]
    legs = [(rod("leg", 0.62, 0.042, coat), ball("hoof", (0, 0, 0), 0.062, dark)) for _ in range(4)]
    head.scale, nose.scale = (1.2, 0.85, 0.85), (1.2, 0.9, 0.8)

    def pose(seconds: float) -> None:
        along, y = seconds / SECONDS, 0.75
        x, step = -1.35 + 2.3 * along, 2 * math.pi * 1.9 * along
        top = 0.86 + 0.02 * math.cos(2 * step)
        body.location = (x, y, top)
        reach = Vector((x + 0.62 + 0.05 * math.sin(step), y, top + 0.72 + 0.03 * math.cos(step)))
        stretch(neck, Vector((x + 0.26, y, top + 0.08)), reach)
        head.location, nose.location = reach + Vector((0.08, 0, 0.04)), reach + Vector((0.2, 0, 0.0))
        for side, horn in zip((-1, 1), horns, strict=True):
            stretch(horn, reach + Vector((0.02, 0.05 * side, 0.1)), reach + Vector((0.0, 0.07 * side, 0.24)))
        stretch(tail, Vector((x - 0.34, y, top + 0.06)), Vector((x - 0.46, y + 0.05 * math.sin(step), top - 0.24)))
        for k, (leg, hoof) in enumerate(legs):
            front, side = (1, -1)[k // 2], (-1, 1)[k % 2]
            swing = step + math.pi * (k % 2) + 0.9 * (k // 2)
            hip = Vector((x + 0.22 * front, y + 0.13 * side, top - 0.12))
            lift = 0.1 * max(0.0, math.cos(swing))
            foot = Vector((x + 0.22 * front + 0.17 * math.sin(swing), y + 0.14 * side, 0.05 + lift))
            stretch(leg, hip, foot + Vector((0, 0, 0.03)))
            leg.scale = (1, 1, (hip - foot).length / 0.64)
            hoof.location, hoof.scale = foot, (1.1, 1, 0.8)

    return [body, neck, head, nose, tail, *horns, *(part for limb in legs for part in limb)], pose


def build_wagon() -> tuple[Parts, Pose]:
    """A pull-along wagon with blocks and a stripe, rolling from right to left in front of the giraffe."""
    blue, white = material("blue", (0.04, 0.12, 0.48), 0.3), material("white", (0.72, 0.70, 0.66), 0.4)
    black, green = material("black", (0.05, 0.05, 0.055), 0.5), material("green", (0.08, 0.38, 0.10), 0.4)
    red, radius = material("red", (0.62, 0.06, 0.05), 0.4), 0.17
    body = [box("bed", (0, 0, 0.27), (0.86, 0.46, 0.12), blue, 0.02),
            box("stripe", (0, 0, 0.27), (0.87, 0.47, 0.035), white, 0.008),
            box("block", (-0.22, 0.02, 0.45), (0.26, 0.28, 0.24), red, 0.03),
            box("block", (0.16, -0.03, 0.46), (0.24, 0.24, 0.26), green, 0.03),
            cone("cone", (-0.2, 0.02, 0.57), (0.12, 0.01), 0.26, white)]
    pull = rod("pull", 0.5, 0.018, black)
    stretch(pull, Vector((-0.43, 0, 0.27)), Vector((-0.8, 0, 0.58)))
    body.append(pull)
    wheels = []
    for _ in range(4):
        tyre = cone("tyre", (0, 0, -0.04), (radius, radius), 0.08, black)
        tyre.matrix_world = Matrix.Rotation(math.pi / 2, 4, "X") @ Matrix.Translation((0, 0, -0.04))
        hub = box("hub", (0, 0, 0), (0.2, 0.1, 0.05), white, 0.01)
        wheels.append([tyre, hub])
    rests = [placed(parts) for parts in (body, *wheels)]

    def pose(seconds: float) -> None:
        along = seconds / SECONDS
        base = Matrix.Translation((1.35 - 2.2 * along, -0.1 - 0.25 * along, 0)) @ Matrix.Rotation(0.12, 4, "Z")
        move(body, rests[0], base)
        for k, (wheel, rest) in enumerate(zip(wheels, rests[1:], strict=True)):
            at = Matrix.Translation((0.28 * (1, -1)[k // 2], 0.25 * (-1, 1)[k % 2], radius))
            move(wheel, rest, base @ at @ Matrix.Rotation(-2.2 * along / radius, 4, "Y"))

    return [part for group in (body, *wheels) for part in group], pose


# Scenes


def build_sun(draw: Callable[[Shader, bpy.types.NodeSocket], Drawn]) -> Scene:
    lay_ground(draw, 0.0)
    light_sky((0.80, 0.90, 1.0), 0.42)
    sun = add_light("SUN", Vector((0, 0, 0)), Vector((0.62, 0.42, -0.85)), 3.6, (1.0, 0.95, 0.88))
    sun.angle = math.radians(1.2)
    cart, roll = build_cart()
    camera = add_camera(lambda along: (Vector((0.1, -4.6, 2.5)), Vector((0.1, 0.15, 0.42))), 42.0)
    return Scene({"cart": cart}, [camera, roll], camera_moves=False)


def build_window(draw: Callable[[Shader, bpy.types.NodeSocket], Drawn]) -> Scene:
    lay_ground(draw, 0.25)
    light_sky((1.0, 0.95, 0.88), 0.30)
    pane = add_light("AREA", Vector((-3.0, 1.7, 3.0)), Vector((0.2, 0.2, 0.0)), 400.0, (1.0, 0.88, 0.72))
    pane.shape, pane.size, pane.size_y = "RECTANGLE", 1.5, 1.5
    plaster, oak = mottled("plaster", (0.42, 0.38, 0.32), 1.5, 0.3), mottled("oak", (0.36, 0.21, 0.10), 5.0, 0.5)
    box("wall", (0, 3.6, 1.0), (16.0, 0.2, 4.0), plaster, 0.0)
    box("skirting", (0, 3.47, 0.12), (16.0, 0.06, 0.24), oak, 0.01)
    box("stool", (1.35, 1.9, 0.25), (0.5, 0.5, 0.5), oak, 0.03)
    cone("vase", (-1.5, 2.2, 0.0), (0.2, 0.12), 0.55, mottled("clay", (0.45, 0.18, 0.10), 6.0))
    (giraffe, walk), (wagon, roll) = build_giraffe(), build_wagon()

    def path(along: float) -> tuple[Vector, Vector]:
        return Vector((0.3 - 0.5 * along, -4.5, 1.95)), Vector((0.0 + 0.06 * along, 0.55, 0.62))

    return Scene({"giraffe": giraffe, "wagon": wagon}, [add_camera(path, 38.0), walk, roll], camera_moves=True)


SCENES = {"sun": build_sun, "window": build_window}

if __name__ == "__main__":
    main()
