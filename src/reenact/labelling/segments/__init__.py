"""Face, hair and background of every frame: by the landmarks' hull and colours, by a network, by mask files."""
