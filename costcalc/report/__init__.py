"""An estimate for people and for machines: tables, documents, and the report's schema."""
