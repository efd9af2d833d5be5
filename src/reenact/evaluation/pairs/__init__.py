"""What lists of pairs are made of: the people of a split, one file per protocol, facts beside pairs, files."""
