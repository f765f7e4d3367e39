"""Floor 5: serves exported artifacts over HTTP with ONNX Runtime. Neither TensorFlow nor Keras is imported here."""
