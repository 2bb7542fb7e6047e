"""How the embedded base model was made: `make tiny-base`."""
