"""Tasks for the methods of AgentAPICaller."""
