"""What the program sees: slotted dataclasses generated from the spec; unset values are None, sizes are Decimal."""
