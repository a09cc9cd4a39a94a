"""Render the demo clip: a toy robot and a beach ball cross on a wet town square under a panning camera.

Everything is procedural: no downloads, fixed seeds, one pose per frame. Runs differ only by the renderer's rounding.
It needs Blender's Python module, which Lamina does not ask for (Python 3.11, ``pip install bpy==4.2.0 av numpy``):

    python examples/render_demo.py                                             # the whole clip, to examples/demo
    python examples/render_demo.py --frames 0 24 47 --samples 8 --out look     # a quick look at three frames

Written to the output folder: ``input.mp4``, ``background.mp4`` (the same shot without the two objects, their shadows
and their reflections) and ``masks/NAME/0000.png`` (8-bit, anti-aliased: the part of each object that is seen).
"""

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import bpy
from toytown.actors import Pose, build_ball, build_robot
from toytown.materials import Shader
from toytown.square import SEED, build_square

WIDTH, HEIGHT, FPS, FRAMES = 640, 360, 24, 48
H264 = {"crf": "13", "preset": "veryslow", "x264-params": "keyint=48:psy=0"}


def build_camera() -> Pose:
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 36.0
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera

    def pose(seconds: float) -> None:
        along = seconds / ((FRAMES - 1) / FPS)
        along = 0.65 * along + 0.35 * along * along * (3 - 2 * along)
        camera.location = (-0.35 + 0.7 * along, -6.5, 1.95 + 0.06 * math.sin(math.pi * along))
        camera.rotation_euler = (math.radians(81.6), 0.0, math.radians(5.0 - 10.0 * along))

    return pose


def set_up_render(samples: int) -> None:
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine, render.fps, render.use_persistent_data = "CYCLES", FPS, True
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    render.image_settings.file_format, render.image_settings.color_mode, render.dither_intensity = "PNG", "RGB", 0.0
    cycles.device, cycles.samples, cycles.seed, cycles.use_adaptive_sampling = "CPU", samples, SEED, False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.4
    scene.view_layers[0].use_pass_cryptomatte_object = True


def set_up_masks(objects: dict[str, list[bpy.types.Object]], folder: Path) -> None:
    """Let every render with the compositor on write each object's coverage (cryptomatte: exact, never denoised)."""
    scene = bpy.context.scene
    scene.use_nodes = True
    shader = Shader(scene.node_tree)
    files = shader.node("CompositorNodeOutputFile", {}, base_path=str(folder))
    files.format.file_format, files.format.color_mode, files.format.color_depth = "PNG", "BW", "8"
    files.format.color_management = "OVERRIDE"
    files.format.view_settings.view_transform = "Raw"
    files.file_slots.clear()
    for name, parts in objects.items():
        matte = shader.node("CompositorNodeCryptomatteV2", {}, scene=scene, matte_id=",".join(p.name for p in parts))
        files.file_slots.new(f"{name}/####")
        scene.node_tree.links.new(matte.outputs["Matte"], files.inputs[len(files.file_slots) - 1])


def render_png(path: Path, hidden: Sequence[bpy.types.Object], masks: bool) -> Path:
    scene = bpy.context.scene
    for part in hidden:
        part.hide_render = not masks
    scene.use_nodes = masks
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path


def save_masks(rendered: Path, out: Path) -> None:
    """Write the masks again as plain grey PNG: Blender's own carry the date and hour of the render."""
    for source in sorted(rendered.glob("*/*.png")):
        target = out / source.relative_to(rendered)
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(source)) as picture:
            frame = next(picture.decode(video=0)).reformat(format="gray")
        with av.open(str(target), "w", format="image2", options={"update": "1"}) as file:
            stream = file.add_stream("png", options={"compression_level": "9", "pred": "mixed"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray"
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))


def encode(pictures: list[Path], movie: Path) -> None:
    """Write PNG pictures as an ordinary H.264 file that says which colours it holds (BT.709, limited range)."""
    with av.open(str(movie), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options=H264)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for number, path in enumerate(pictures):
            with av.open(str(path)) as picture:
                frame = next(picture.decode(video=0))
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def render_clip(out: Path, frames: Sequence[int], samples: int) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up_render(1)  # drawing the ground needs a single sample
    build_square()
    set_up_render(samples)
    (robot, walk), (beach_ball, bounce) = build_robot(), build_ball()
    poses, parts = [build_camera(), walk, bounce], robot + beach_ball
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        set_up_masks({"robot": robot, "ball": beach_ball}, Path(work) / "masks")
        shots: dict[str, list[Path]] = {"input": [], "background": []}
        for number in frames:
            bpy.context.scene.frame_set(number)
            for pose in poses:
                pose(number / FPS)
            for name, pictures in shots.items():
                pictures.append(render_png(Path(work) / f"{name}{number:04d}.png", parts, name == "input"))
        save_masks(Path(work) / "masks", out / "masks")
        for name, pictures in shots.items():
            encode(pictures, out / f"{name}.mp4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "demo", help="output folder")
    parser.add_argument("--frames", type=int, nargs="+", default=range(FRAMES), help="only these frames, 0 to 47")
    parser.add_argument("--samples", type=int, default=12, help="light paths per pixel")
    options = parser.parse_args()
    began = time.monotonic()
    render_clip(options.out, options.frames, options.samples)
    print(f"{len(options.frames)} frames in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
