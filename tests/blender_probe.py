"""Measures inside Blender what a test wants to know. Run in a process of its own: `python -c PROBE FOLDER`."""

PROBE = '''
import json, os, sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from lamina.synth.blender.families import DrawConfig, draw_recipe
from lamina.synth.blender.figures import build_figure
from lamina.synth.blender.motion import fall
from lamina.synth.blender.passes import Renderer
from lamina.synth.blender.recipe import Actor, Motion
from lamina.synth.blender.render import Quality
from lamina.synth.blender.stage import build_stage

work, told = Path(sys.argv[1]), {}

stage = build_stage(draw_recipe("moving-camera", 4, DrawConfig(frames=4, width=128, height=80, objects=(1, 1))))
renderer = Renderer(stage, Quality(samples=4, denoise=False), work)
stage.pose(2)
stage.show([0])
whole = renderer._full(None).picture
box = (21, 13, 90, 71)
part = renderer._full(box).picture
told["box_difference"] = int(np.abs(whole[13:71, 21:90].astype(int) - part).max())

plate, (where,) = renderer.plate(), renderer.touched()
pasted = renderer.over(plate, [0], where).picture
blurred = lambda picture: picture.reshape(10, 8, 16, 8, 3).mean((1, 3))
told["missed_levels"] = float(np.abs(blurred(pasted.astype(float)) - blurred(whole.astype(float))).max())
told["rendered_share"] = float((where > 0).mean())

bpy.ops.wm.read_factory_settings(use_empty=True)
figure = build_figure("ball", 1)
way = Motion("physics", (0.0, 0.0, 1.5), velocity=(1.0, 0.0, 0.5), spin=(0.0, 2.0, 0.0))
thrown = Actor("ball", "ball", 1, 1.0, way)
(pose,) = fall([figure], [thrown], 60, 24)
places, lowest = [], 9.0
for frame in range(60):
    pose(frame)
    part = figure.parts[0]
    corners = [part.matrix_basis @ vertex.co for vertex in part.data.vertices]
    places.append(list(sum(corners, Vector()) / len(corners)))
    lowest = min(lowest, min(corner.z for corner in corners))
told["flight"], told["lowest"] = places, lowest

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_cube_add(size=3, location=(5, 2, 7))
bpy.ops.export_scene.gltf(filepath=str(work / "toy.glb"))
bpy.ops.wm.read_factory_settings(use_empty=True)
figure = build_figure(str(work / "toy.glb"), 0)
figure.place(__import__("mathutils").Matrix.Identity(4), 0.0, 0.0)
corners = np.array([tuple(part.matrix_basis @ vertex.co) for part in figure.parts for vertex in part.data.vertices])
told["glb"] = [corners.min(0).tolist(), corners.max(0).tolist()]

(work / "probe.json").write_text(json.dumps(told))
os._exit(0)  # Blender may crash while Python ends
'''
