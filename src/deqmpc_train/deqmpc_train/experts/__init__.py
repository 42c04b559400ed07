"""Experts: training one by analytic policy gradients, and judging any."""
