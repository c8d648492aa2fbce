"""KandinskyPriorPipeline and KandinskyPipeline: the API of mindone.diffusers, and the pieces that blend.py is made of.

Parameters, defaults and results are those of diffusers 0.39 (pipelines/kandinsky/pipeline_kandinsky{,_prior}.py) and
of its port mindone.diffusers, where these two differ those of the latter; what is a bug there is none here, and
tests/backend/test_pipeline_api.py names each.

Models run on the device; what is between them, latents above all, is float32 on the host (sampling.py).
"""

from __future__ import annotations

from kandinsky_backend.decoder_pipeline import ImagePipelineOutput, KandinskyPipeline
from kandinsky_backend.prior_pipeline import KandinskyPriorPipeline, KandinskyPriorPipelineOutput

__all__ = ["ImagePipelineOutput", "KandinskyPipeline", "KandinskyPriorPipeline", "KandinskyPriorPipelineOutput"]
