"""Who lives in the small world, and what they log in with."""

OPERATOR, AUTHOR = "operator", "ada"
PASSWORD = "correct horse battery"
