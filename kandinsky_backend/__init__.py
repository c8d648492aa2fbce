"""Kandinsky 2.1 on MindSpore: models, pipelines, blends. Knows tensors, not sockets."""
