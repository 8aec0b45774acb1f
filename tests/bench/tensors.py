"""Reads safetensors with nothing but PyTorch."""

import json
import struct

import torch

DTYPES = {"F32": torch.float32, "I32": torch.int32}


def read(path):
    """The tensors of a file by name."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)

    def tensor(info):
        start, end = info["data_offsets"]
        dtype = DTYPES[info["dtype"]]
        return torch.frombuffer(data, dtype=dtype, count=(end - start) // 4, offset=start).reshape(info["shape"])

    return {name: tensor(info) for name, info in header.items()}
