"""The image every component runs in."""

import os

# Set at compile time; the default is the name that docker/ builds.
IMAGE = os.environ.get("REENACT_IMAGE", "localhost/reenact-python:0.1.0")
