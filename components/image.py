"""The image of each role, as `make images` names them; `cluster.specs.with_images` puts others in their place."""

DATA = "reenact-data:0.1.0"  # videos, frames, labels, checks
TRAIN = "reenact-train:0.1.0"  # torch: training, scoring, gate, registration
TOOLS = "reenact-tools:0.1.0"  # tables and reports
