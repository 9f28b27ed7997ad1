"""Trains SigLIP-HD and CLIP-HD students by fine-to-coarse supervision; see training/README.md."""

__version__ = "0.1.0"
