"""Looks made of shader nodes."""

from dataclasses import dataclass

import bpy

Color = tuple[float, float, float]
CREAM: Color = (0.88, 0.84, 0.74)


@dataclass(frozen=True)
class Shader:
    """A node tree being wired; inputs given as sockets are linked, all others are set."""

    tree: bpy.types.NodeTree

    def node(self, kind: str, inputs: dict, **properties: object) -> bpy.types.Node:
        node = self.tree.nodes.new(kind)
        for key, value in properties.items():
            setattr(node, key, value)
        self.feed(node, inputs)
        return node

    def feed(self, node: bpy.types.Node, inputs: dict) -> None:
        for key, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = value

    def math(self, operation: str, a: object, b: object = 0.0, c: object = 0.0) -> bpy.types.NodeSocket:
        return self.node("ShaderNodeMath", {0: a, 1: b, 2: c}, operation=operation).outputs[0]

    def step(self, value: object, low: float, high: float) -> bpy.types.NodeSocket:
        """0 below `low`, 1 above `high` (the other way round when low > high), smooth in between."""
        inputs = {"Value": value, "From Min": low, "From Max": high}
        return self.node("ShaderNodeMapRange", inputs, interpolation_type="SMOOTHSTEP").outputs[0]

    def mix(self, factor: object, a: object, b: object, blend: str = "MIX") -> bpy.types.NodeSocket:
        return self.node("ShaderNodeMix", {0: factor, 6: a, 7: b}, data_type="RGBA", blend_type=blend).outputs[2]

    def noise(self, place: object, scale: float, detail: float = 4.0) -> bpy.types.NodeSocket:
        inputs = {"Vector": place, "Scale": scale, "Detail": detail, "Roughness": 0.62}
        return self.node("ShaderNodeTexNoise", inputs).outputs[0]

    def ramp(self, value: object, stops: list[tuple[float, Color]]) -> bpy.types.NodeSocket:
        node = self.node("ShaderNodeValToRGB", {0: value})
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, color) in zip(elements, stops, strict=True):
            element.position, element.color = position, (*color, 1.0)
        return node.outputs[0]


def material(name: str, color: Color, roughness: float = 0.45, glow: float = 0.0) -> bpy.types.Material:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    surface = made.node_tree.nodes["Principled BSDF"]
    inputs = {"Base Color": (*color, 1.0), "Roughness": roughness, "Emission Color": (*color, 1.0),
              "Emission Strength": glow}
    Shader(made.node_tree).feed(surface, inputs)
    return made


def mottled(name: str, color: Color, scale: float, contrast: float = 0.45) -> bpy.types.Material:
    """Rough plaster, bark or leaves: one colour with darker blotches and a little relief."""
    made = material(name, color, 0.85)
    shader = Shader(made.node_tree)
    place = shader.node("ShaderNodeTexCoord", {}).outputs["Object"]
    blotches = shader.noise(place, scale)
    dark = tuple(c * (1.0 - contrast) for c in color)
    bump = shader.node("ShaderNodeBump", {"Strength": 0.35, "Distance": 0.03, "Height": blotches})
    shader.feed(made.node_tree.nodes["Principled BSDF"],
                {"Base Color": shader.ramp(blotches, [(0.36, dark), (0.62, color)]), "Normal": bump.outputs[0]})
    return made


def draw_once(thing: bpy.types.Object, shader: Shader, value: bpy.types.NodeSocket,
              pixels: tuple[int, int]) -> bpy.types.NodeSocket:
    """Bake the colour at a socket over the surface of `thing` and return the same colour as an image lookup."""
    image = bpy.data.images.new("drawn", *pixels, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    target = shader.node("ShaderNodeTexImage", {}, image=image, extension="MIRROR")
    output = shader.tree.nodes["Material Output"]
    surface = output.inputs["Surface"].links[0].from_socket
    shader.feed(output, {"Surface": shader.node("ShaderNodeEmission", {"Color": value}).outputs[0]})
    shader.tree.nodes.active = target
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.object.bake(type="EMIT", margin=0)
    shader.feed(output, {"Surface": surface})
    return target.outputs["Color"]
