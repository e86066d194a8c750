"""Repomill as an MCP server: the tools that agents are given, and the two ways to them, stdio and HTTP."""
