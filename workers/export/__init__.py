"""Tasks for the methods of RepositoryExporter."""
