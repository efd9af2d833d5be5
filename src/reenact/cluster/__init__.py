"""What a cluster needs beside the stages: how pods are asked for, names, data versions, jobs of several nodes."""
