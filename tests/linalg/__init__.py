"""Tests of matrices with units."""
