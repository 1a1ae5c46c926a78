"""Array files as NumPy, safetensors and PyTorch write them; FileFixtureTests.swift knows what is in them.

Run here: /opt/torch/bin/python make.py
"""
import numpy as np
import torch
from safetensors.torch import save_file

small = np.arange(6).reshape(2, 3)
for name in ["f8", "f4", "f2", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1"]:
    np.save(f"{name}.npy", small.astype(name))
np.save("bool.npy", small % 2 == 1)
np.save("big_f4.npy", small.astype(">f4"))
np.save("big_i8.npy", small.astype(">i8"))
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)))
np.save("scalar.npy", np.float32(1.5))
np.save("row.npy", np.arange(3, dtype=np.int32))
np.save("empty.npy", np.zeros((0, 3), np.float32))
# What has to be refused.
np.save("too_large.npy", np.array([1, 2**31]))
np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)
np.save("text.npy", np.array(["word"]))
np.save("complex.npy", np.array([1j]))
np.save("records.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))

arrays = dict(weights=small.astype(np.float32), labels=small.astype(np.uint8), half=np.array([1, -2.5, 65504, 2**-24, np.inf], np.float16))
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", zeros=np.zeros((100, 100), np.float32), **arrays)

grid = torch.arange(6).reshape(2, 3)
tensors = {t: grid.to(getattr(torch, t)) for t in
           ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]}
tensors["bool"] = grid % 2 == 1
tensors["scalar"] = torch.tensor(1.5)
tensors["empty"] = torch.zeros(0, 3)
save_file(tensors, "types.safetensors", metadata={"format": "pt", "note": 'quote " and é'})

# Only what our writer writes too, to compare byte by byte.
save_file({"z.weight": grid.float(), "labels": grid.int(), "a": torch.tensor([0.5])}, "same.safetensors", metadata={"seed": "1"})
