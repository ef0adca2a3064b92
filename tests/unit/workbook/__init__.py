"""Tests of the proof that an artifact is a whole workbook."""
