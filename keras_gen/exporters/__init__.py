"""Floor 4: writes models as artifacts that run where keras_gen is not installed, and verifies them.

``model.export(path, format=...)`` ends in ``artifact.write_artifact``; ``parity.verify(path)`` checks one on disk.
"""
