"""Floor 3: models whose condition says more than a class: a sentence; on ``adversarial_model.py``'s step."""
