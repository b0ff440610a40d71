"""What is trained, to parameters and FLOPs: records, families of models, methods, the stage."""
