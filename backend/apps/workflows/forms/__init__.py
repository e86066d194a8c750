"""Forms for a workflow's inputs: from their JSON Schema to fields, and from what was filled in back to inputs. Pure."""
