"""s1_hf: budget forcing on transformers, with its own decoding loop. It may import torch and harness."""
