"""What Prometheus reads: counted from the history, and asked of the database and the broker when it is scraped.

Work is done by pool processes that come and go, so nothing is counted in them: every attempt is in the history already,
and whichever web process is scraped gives the same answer. Where nobody scrapes, nothing is counted and nothing paid.
"""
