"""How data sets lie on a disk: one small module per layout, chosen by name or found by looking."""
