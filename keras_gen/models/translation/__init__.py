"""Floor 3: models that turn an image into another; on ``adversarial_model.py``'s step."""
