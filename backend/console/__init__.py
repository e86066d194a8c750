"""The console: pages for people, rendered by the server. What they show and do is decided by the apps below.

No page knows more than the REST API does: it asks the same selectors, and changes by the same services. How to add a
page stands in docs/guides/console.md.
"""
