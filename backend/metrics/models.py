"""What has been counted, and up to where in the history."""

from __future__ import annotations

from django.db import models


class Count(models.Model):
    """One series of a counter: its name, the values of its labels, and how far it has counted."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    labels = models.JSONField(default=list)
    """The values, in the order in which the catalogue has the labels."""
    key = models.CharField(max_length=500, unique=True)
    """Name and labels as one text."""
    value = models.FloatField(default=0)


class Position(models.Model):
    """Up to where something has been read. A reader moves it on by an UPDATE that names where it was."""

    source = models.CharField(max_length=50, primary_key=True)
    last = models.CharField(max_length=50)
