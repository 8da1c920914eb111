"""Numbers that the tables of the compiled stream decoder are written in, shared with it."""

from __future__ import annotations

from typing import Final

# Where a value goes.
STORE_NONE, STORE_I8, STORE_I16, STORE_I32, STORE_I64, STORE_F64, STORE_CHARS, STORE_REF, STORE_BIT = range(9)

FLAG_NULLABLE, FLAG_NEGATIVE, FLAG_NOT_COMPUTED, FLAG_QUESTION, FLAG_WIDE, FLAG_ESCAPED = 1, 2, 4, 8, 16, 32
NO_SLOT: Final = 255
ALL_BITS: Final = -1
TEST_TRUE, TEST_EQ_NUMBER, TEST_EQ_TEXT, TEST_GE, TEST_GT = range(5)
