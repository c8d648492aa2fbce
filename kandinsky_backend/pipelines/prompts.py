"""Pipelines that read prompts: with a tokenizer and a text encoder."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, nn

from kandinsky_backend.pipelines.base import Part, Pipeline, to_host
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import TextConditioning, is_guided
from kandinsky_backend.schedulers import Scheduler
from kandinsky_backend.texts import shortened

log = logging.getLogger(__name__)


class PromptPipeline(Pipeline):
    """A pipeline with a text encoder, which is one of its models and is called so.

    Attributes:
        tokenizer: of transformers.
    """

    def __init__(self, tokenizer: Any, scheduler: Scheduler, **models: nn.Cell | Part) -> None:
        super().__init__(scheduler, **models)
        self.tokenizer = tokenizer

    @property
    def text_encoder(self) -> Any:
        """The text encoder; read from its files when first used, as are the other models."""
        return self._get("text_encoder")

    @property
    def parts_of_text(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that encoding a prompt needs."""
        return (self._parts["text_encoder"].resident,)

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """The number of tokens of a prompt that are read, the marks of its start and end included."""

    @abstractmethod
    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """text_embeds (N, D) and the last hidden state (N, T, W) of ids and mask (N, T)."""

    def encode_prompt(self, texts: Sequence[str]) -> TextConditioning:
        """The text encoder's output for each text; equal ones are encoded once. Logs what is cut off."""
        unique = list(dict.fromkeys(texts))
        for text in unique:
            if cut := self.truncated_text(text):
                log.warning("only %d tokens of a prompt are read; cut off: %s", self.max_tokens, shortened(cut))
        tokens = self.tokenizer(
            unique, padding="max_length", max_length=self.max_tokens, truncation=True, return_tensors="np"
        )
        mask = tokens.attention_mask.astype(np.float32)
        encoded = self._run_text_encoder(Tensor(tokens.input_ids.astype(np.int32)), Tensor(mask))
        conditioning = TextConditioning(to_host(encoded[0]), to_host(encoded[1]), mask)
        return conditioning.rows([unique.index(text) for text in texts])

    def encode_guided(
        self, prompts: Sequence[str], negatives: Sequence[str], copies: int, guidance_scale: float
    ) -> TextConditioning:
        """The text encoder's output for a run: `copies` rows a prompt, under guidance after as many a negative.

        Raises:
            ValueError: the guidance scale is not a finite number.
        """
        texts = _repeated(prompts, copies)
        return self.encode_prompt(_repeated(negatives, copies) + texts if is_guided(guidance_scale) else texts)

    def truncated_text(self, text: str) -> str:
        """The end of `text` that is not read since it does not fit into `max_tokens` tokens, or ""."""
        places = self.tokenizer(text, return_offsets_mapping=True, verbose=False).offset_mapping
        if len(places) <= self.max_tokens:
            return ""
        first_cut, _ = places[self.max_tokens - 1]  # the last place that is read goes to the mark of the end
        return text[first_cut:].strip()


def _repeated(texts: Sequence[str], copies: int) -> list[str]:
    return [text for text in texts for _ in range(copies)]
