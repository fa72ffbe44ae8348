"""Writes tiny-lm.safetensors: logits and gradients of a small Llama by Hugging Face's transformers.

    pip install torch==2.13.0 transformers==5.23.0 safetensors==0.8.0      (the CPU build of torch will do)
    python tiny-lm.py

Weights are stored under Hugging Face's names. Gradients are those of sum(logits * cotangent). Everything is
float32: its rotary embedding computes in float32 whatever the weights are.
"""

import pathlib

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(5)
torch.set_num_threads(1)
config = LlamaConfig(
    vocab_size=19, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3,
    num_key_value_heads=3, rms_norm_eps=1e-5, rope_theta=10_000.0, tie_word_embeddings=False,
    attn_implementation="eager", max_position_embeddings=64)
model = LlamaForCausalLM(config)
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.3)
tokens = torch.randint(0, 19, (2, 13))
result = model(tokens, output_attentions=True)
cotangent = torch.randn_like(result.logits)
(result.logits * cotangent).sum().backward()
stored = {"tokens": tokens.int(), "logits": result.logits.detach(), "cotangent": cotangent}
for layer, weights in enumerate(result.attentions):
    stored[f"attentions.{layer}"] = weights.detach()
for name, parameter in model.named_parameters():
    stored[f"weight.{name}"] = parameter.detach()
    stored[f"grad.{name}"] = parameter.grad
path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: value.contiguous() for name, value in stored.items()}, path)
