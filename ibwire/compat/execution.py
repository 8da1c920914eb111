"""Executions."""

from ibwire.compat._enums import OptionExerciseType
from ibwire.compat._objects import Execution, ExecutionFilter

__all__ = ["Execution", "ExecutionFilter", "OptionExerciseType"]
