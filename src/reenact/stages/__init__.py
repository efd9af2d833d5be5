"""The steps of the pipeline, one module each: paths and typed settings in, files and a small record out."""
