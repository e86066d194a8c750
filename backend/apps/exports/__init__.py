"""Deliveries of generations."""
