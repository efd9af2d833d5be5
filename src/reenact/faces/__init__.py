"""What a face is: the 68 points, the action units, the head's pose, the 3D shape model."""
