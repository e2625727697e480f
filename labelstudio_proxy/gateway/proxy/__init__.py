"""One request on its way to Label Studio and back."""
