"""Floor 2: what ``fit`` needs beside a model."""
