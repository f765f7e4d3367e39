"""Package metadata. Installing gives ``keras_gen`` and the command ``keras-gen``, nothing else at top level."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "keras_gen" / "__init__.py").read_text(encoding="utf-8"))[1]
SERVE = [  # keras-gen serve
    "starlette>=0.40",  # routes and requests
    "uvicorn>=0.30",  # HTTP
    "prometheus-client>=0.20",  # counters
]

setup(
    name="keras_gen",
    version=VERSION,
    description="Generative models for Keras 3 on TensorFlow: trained by fit, measured honestly, exported with their sampling",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",  # what Keras 3.15 asks for
    classifiers=[f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)],
    packages=find_packages(include=["keras_gen", "keras_gen.*"]),
    package_data={
        "keras_gen.evaluation": ["*.jinja"],
        "keras_gen.metrics": ["weights/*.keras"],
        "keras_gen.presets": ["*.keras", "*.json"],
    },
    entry_points={"console_scripts": ["keras-gen = keras_gen.cli:main"]},
    install_requires=[
        "tensorflow>=2.18",  # runs the models, tf.data, tf.distribute, SavedModel
        "keras>=3.15",  # the models' API
        "numpy>=1.26",  # images and noise on the host
        "tensorflow-datasets>=4.9.7",  # MNIST, CIFAR-10 and friends by name
        "scipy>=1.12",  # BLAS' and LAPACK's routines behind the distances between feature sets, image filters
        "scikit-learn>=1.4",  # the embedded handwritten digits
        "onnx>=1.17",  # checks what was exported
        "tf2onnx>=1.17",  # TensorFlow graphs to ONNX
        "onnxruntime>=1.20",  # proves the ONNX files against the live model
        "pillow>=10.1",  # image folders, sample grids
        "matplotlib>=3.8",  # curves
        "click>=8.1",  # the command line
        "rich>=13",  # progress and tables
        "pydantic>=2.7",  # recipe settings
        "jinja2>=3.1",  # the report as HTML
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]"],  # CUDA libraries beside TensorFlow's wheel
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",  # random settings, folders and arrays against the border
            "ruff>=0.12",
            "POT>=0.9.4",  # reference values: FID, sliced Wasserstein
            "scikit-image>=0.24",  # reference values: Lab, PSNR, SSIM
            "prdc>=0.2",  # reference values: precision, recall, density, coverage
            "httpx>=0.27",  # asks the server
            "openapi-spec-validator>=0.7",  # reads its description
            *SERVE,
        ],
        "serve": SERVE,
        "tensorboard": ["tensorboard>=2.18"],  # event files of a training, and what shows them
        "bench": ["torch==2.13.0"],  # the other side of the training benchmarks
    },
)
