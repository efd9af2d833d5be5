"""CainGAN of seed 003: a spatial embedding of K sources that normalises the drawing, and two critics."""
