# make demo   install, draw the presets, train a VAE and a DCGAN on real digits, measure, export, prove the export (about 3 minutes)
# make test   install and run the tests
# make lint   style and formatting

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS := runs/demo

.PHONY: demo test lint format clean

$(VENV)/.installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed
	rm -rf $(RUNS)
	$(BIN)/keras-gen preset draw -n 36 --out $(RUNS)/presets
	$(BIN)/keras-gen train vae_digits --out $(RUNS)/vae_digits
	$(BIN)/keras-gen train dcgan_digits --out $(RUNS)/dcgan_digits
	$(BIN)/keras-gen verify $(RUNS)/vae_digits/artifact
	$(BIN)/keras-gen verify $(RUNS)/dcgan_digits/artifact
	$(BIN)/python export/onnxruntime/draw.py $(RUNS)/vae_digits/artifact -n 64 --seed 7 --out $(RUNS)/vae_digits_onnx.png
	$(BIN)/python export/onnxruntime/draw.py $(RUNS)/dcgan_digits/artifact -n 64 --seed 7 --out $(RUNS)/dcgan_digits_onnx.png
	$(BIN)/keras-gen results $(RUNS)/vae_digits $(RUNS)/dcgan_digits
	@echo "Pictures: $(RUNS)/presets, $(RUNS)/*_onnx.png (drawn without TensorFlow), $(RUNS)/*/pictures, $(RUNS)/*/curves.png"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --memory

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build *.egg-info
