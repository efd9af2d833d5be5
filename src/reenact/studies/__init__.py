"""A paper's comparison as one file: its rows trained one after the other, its tables, curves and claims."""
