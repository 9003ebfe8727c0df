"""The driver shim: the wires that stock clients speak."""
