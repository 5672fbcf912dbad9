"""A run on disk: what training writes, and what everything else reads.

folder       config.json, data.json, result.json; who may write
checkpoint   Orbax checkpoints with their manifests
state        what training carries from step to step; sha256 of arrays
log          metrics.jsonl and samples.txt
plots        the plot of the losses
load         a run used without the trainer
reference    runs/reference.json, the committed results
"""
