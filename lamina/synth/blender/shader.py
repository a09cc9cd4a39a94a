"""Wiring of shader nodes, and plain surfaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.synth.blender.bridge import bpy
from lamina.synth.blender.recipe import Color

Socket = Any
"""A `bpy.types.NodeSocket`, or a value where one would be set."""


@dataclass(frozen=True)
class Shader:
    """A node tree being wired: inputs given as sockets are linked, all others are set."""

    tree: Any

    @property
    def surface(self) -> Any:
        return self.tree.nodes["Principled BSDF"]

    def node(self, kind: str, inputs: Mapping[Any, Socket], **properties: object) -> Any:
        made = self.tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(made, name, value)
        self.feed(made, inputs)
        return made

    def feed(self, node: Any, inputs: Mapping[Any, Socket]) -> None:
        for key, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = value

    def math(self, operation: str, a: Socket, b: Socket = 0.0, c: Socket = 0.0) -> Socket:
        return self.node("ShaderNodeMath", {0: a, 1: b, 2: c}, operation=operation).outputs[0]

    def mix(self, factor: Socket, a: Socket, b: Socket, blend: str = "MIX") -> Socket:
        return self.node("ShaderNodeMix", {0: factor, 6: a, 7: b}, data_type="RGBA", blend_type=blend).outputs[2]

    def noise(self, place: Socket, scale: float, detail: float = 3.0) -> Socket:
        inputs = {"Vector": place, "Scale": scale, "Detail": detail, "Roughness": 0.6}
        return self.node("ShaderNodeTexNoise", inputs).outputs[0]

    def ramp(self, value: Socket, stops: Sequence[tuple[float, Color]]) -> Socket:
        made = self.node("ShaderNodeValToRGB", {0: value})
        elements = made.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, color) in zip(elements, stops, strict=True):
            element.position, element.color = position, (*color, 1.0)
        return made.outputs[0]

    def stretched(self, place: Socket, scale: Sequence[float], shift: Sequence[float] = (0, 0, 0)) -> Socket:
        return self.node("ShaderNodeMapping", {"Vector": place, "Scale": scale, "Location": shift}).outputs[0]

    def shaded(self, color: Socket, pattern: Socket, dark: float, light: float) -> Socket:
        """A colour made darker and lighter by a pattern around 0.5."""
        return self.mix(
            1.0, color, self.ramp(pattern, [(0.34, (dark, dark, dark)), (0.66, (light, light, light))]), "MULTIPLY"
        )


def surface(name: str, color: Color, roughness: float = 0.5, gloss: float = 0.15) -> Any:
    """A material of one colour."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = Shader(made.node_tree)
    shader.feed(shader.surface, {"Base Color": (*color, 1.0), "Roughness": roughness, "Specular IOR Level": gloss})
    return made


def mottled(name: str, color: Color, scale: float, contrast: float = 0.45, roughness: float = 0.8) -> Any:
    """A material of one colour with darker blotches: plaster, bark, fur, rind."""
    made = surface(name, color, roughness, 0.05)
    shader = Shader(made.node_tree)
    place = shader.node("ShaderNodeTexCoord", {}).outputs["Object"]
    red, green, blue = (level * (1.0 - contrast) for level in color)
    shader.feed(
        shader.surface,
        {"Base Color": shader.ramp(shader.noise(place, scale), [(0.36, (red, green, blue)), (0.62, color)])},
    )
    return made


def striped(name: str, first: Color, second: Color, count: float, axis: int = 2) -> Any:
    """A material of two colours in bands along an axis of the object."""
    made = surface(name, first, 0.4)
    shader = Shader(made.node_tree)
    place = shader.node("ShaderNodeTexCoord", {}).outputs["Object"]
    along = shader.node("ShaderNodeSeparateXYZ", {0: place}).outputs[axis]
    band = shader.math("GREATER_THAN", shader.math("FRACT", shader.math("MULTIPLY", along, count)), 0.5)
    shader.feed(shader.surface, {"Base Color": shader.mix(band, (*first, 1.0), (*second, 1.0))})
    return made
