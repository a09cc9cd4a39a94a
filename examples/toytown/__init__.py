"""A procedural toy town for Blender: the demo clip is filmed here."""
