"""What all REST endpoints share: problem details, pagination, idempotency, schema."""
