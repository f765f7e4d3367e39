"""Translating one 256 px image, 64 maps, by ONNX Runtime from an exported artifact against eager PyTorch: pix2pix and CycleGAN.

uint8 in and out on both sides; of pix2pix the dropout is drawn on both sides, as the paper does.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from alternate import alternate, arguments, cores, report
from torch import nn
from torch_translators import UNet, check_same_size, initialized, translation_resnet

import keras_gen
from keras_gen.core.noise import NoiseStream
from keras_gen.exporters.formats import traced
from keras_gen.exporters.onnx import ONNX

SIDE, WIDTH = 256, 64


def onnx_side(model: Any, endpoint: str, image: np.ndarray) -> Callable[[], None]:
    """The file that an artifact would hold, in a session of its own; that it agrees with the model is the tests' to say."""
    with tempfile.TemporaryDirectory() as folder:
        ONNX.write(traced({endpoint: model.endpoints()[endpoint]}), Path(folder), 1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        file = Path(folder) / "onnx" / f"{endpoint}.onnx"
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    stream = NoiseStream(model.noise_spec(), 0)
    more = {"deterministic": np.zeros(1, np.int32)} if model.noise_spec() else {}
    return lambda: session.run(["image"], {"source": image, **stream.take(1), **more})


def torch_side(network: nn.Module, image: np.ndarray, layout: torch.memory_format) -> Callable[[], None]:
    """Eager, without gradients; dropout on."""
    network = initialized(network, layout)

    @torch.inference_mode()
    def run() -> np.ndarray:
        source = torch.from_numpy(image).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
        made = network(source.contiguous(memory_format=layout))
        return made.add_(1).mul_(127.5).round_().to(torch.uint8).permute(0, 2, 3, 1).numpy()

    return run


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12, seconds_warm_up=2.0)
    torch.set_num_threads(cores())
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    pix2pix = keras_gen.Pix2Pix((SIDE, SIDE, 3), width=WIDTH, adversarial_weight=0.0)
    check_same_size(pix2pix.generator, UNet(8, WIDTH))
    cycle_gan = keras_gen.CycleGAN((SIDE, SIDE, 3), width=WIDTH)
    check_same_size(cycle_gan.generator, translation_resnet(WIDTH, 9))
    pairs = {
        "pix2pix": (onnx_side(pix2pix, "translate", image), lambda: UNet(8, WIDTH)),
        "CycleGAN": (onnx_side(cycle_gan, "translate_ab", image), lambda: translation_resnet(WIDTH, 9)),
    }
    layouts = {"torch": torch.contiguous_format, "torch channels_last": torch.channels_last}
    for name, (ours, make) in pairs.items():
        sides = {f"{name}, ONNX Runtime": ours}
        sides |= {f"{name}, {label}": torch_side(make(), image, layout) for label, layout in layouts.items()}
        first, *others = sides
        times = alternate(sides, options.rounds, options.warm_up)
        targets = dict.fromkeys(others, 1.0)
        report(times, ours=first, others=others, targets=targets, record=options.record)


if __name__ == "__main__":
    main()
