"""Blender's modules, which say nothing about their types and must be imported in this order.

Only processes that render import this: Blender holds one scene per process.
"""

from importlib import import_module
from typing import Any

bpy: Any = import_module("bpy")
bmesh: Any = import_module("bmesh")
_mathutils: Any = import_module("mathutils")
Matrix: Any = _mathutils.Matrix
Vector: Any = _mathutils.Vector
