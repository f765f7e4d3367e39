"""Converting the sampler of the recipe pixel_cnn_pp_mnist to ONNX: ours against tf2onnx called directly.

The loop over pixels carries a cache for every layer of the pyramid. Tracing is not part of it.
"""

from alternate import alternate, arguments, report
from tf2onnx.convert import from_function

import keras_gen
from keras_gen.exporters.conversion import convert
from keras_gen.exporters.formats import traced
from keras_gen.exporters.onnx import OPSET


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=2, seconds_warm_up=0.0)
    model = keras_gen.PixelCNNPlusPlus(keras_gen.ImageSpec(28, 28, 1, levels=2), 16, 2)
    graph = traced(model.endpoints())["sample"]
    graph.get_concrete_function()
    sides = {
        "keras_gen": lambda: convert(graph, OPSET),
        "tf2onnx": lambda: from_function(graph, input_signature=graph.input_signature, opset=OPSET),
    }
    times = alternate(sides, options.rounds, options.warm_up)
    report(times, ours="keras_gen", others=("tf2onnx",), targets={"tf2onnx": 3.0}, record=options.record)


if __name__ == "__main__":
    main()
