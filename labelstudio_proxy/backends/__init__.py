"""How Label Studio is run: one small interface, one module for each way."""
